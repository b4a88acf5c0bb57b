"""What all tests share: their own data folder, and a channel layer and a cache in memory."""

import os
import tempfile

os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="onetrainer-tests-")

import pytest  # noqa: E402  the settings read the environment when they are imported


@pytest.fixture(autouse=True)
def static_files_without_a_manifest(settings):
    """So that pages can be tested before `collectstatic` was run."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}
