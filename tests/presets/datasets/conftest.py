"""Each test of data sets has a data folder of its own."""

import pytest


@pytest.fixture(autouse=True)
def own_data_folder(settings, tmp_path_factory):
    settings.DATA_DIR = tmp_path_factory.mktemp("data")
    (settings.DATA_DIR / "datasets").mkdir()
