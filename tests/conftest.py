"""What all tests share: a channel layer and a cache in memory."""

import pytest
from django.core.cache import cache

from tests.needs import pytest_collection_modifyitems, pytest_sessionfinish, pytest_unconfigure  # noqa: F401  hooks


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


@pytest.fixture(autouse=True)
def no_wait_for_a_worker(settings):
    """Most tests have no worker that could check a config; those of preflights wait."""
    settings.PREFLIGHT_SECONDS = 0
