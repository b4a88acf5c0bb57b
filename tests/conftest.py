"""What all tests share: their own data folder, and a channel layer and a cache in memory."""

import os
import tempfile

os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="onetrainer-tests-")

import pytest  # noqa: E402  the settings read the environment when they are imported
from django.core.cache import cache  # noqa: E402

from tests.needs import pytest_sessionfinish, pytest_unconfigure  # noqa: E402, F401  hooks


@pytest.fixture(autouse=True)
def static_files_without_a_manifest(settings):
    """So that pages can be tested before `collectstatic` was run."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}


@pytest.fixture(autouse=True)
def channel_layer_and_cache_in_memory(settings):
    """So that no test needs Redis, or sees what another test left there; the few that want Redis say so."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    yield
    cache.clear()
