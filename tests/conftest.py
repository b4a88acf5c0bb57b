"""Fixtures of all tests: channel layer and cache in memory, one thread for torch, and signed-in users."""

import os

import pytest
from django.apps import apps
from django.core.cache import cache
from django.db.models.signals import post_migrate

from system.audit import triggers
from tests.making import make_user
from tests.needs import pytest_collection_modifyitems, pytest_sessionfinish, pytest_unconfigure  # noqa: F401  hooks
from tests.nvml import nvidia_driver  # noqa: F401  a fixture
from tests.prepared_database import django_db_keepdb, django_db_modify_db_settings  # noqa: F401  fixtures
from tests.quick import pytest_ignore_collect, pytest_itemcollected  # noqa: F401  hooks
from tests.repeating import pytest_terminal_summary  # noqa: F401  a hook
from tests.side_by_side import pytest_xdist_make_scheduler  # noqa: F401  a hook

# The small steps of tests would mostly wait for other threads. torch reads this when it is imported.
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Let Django empty all tables after a test of transactions; tests of the audit log's triggers install them."""
    post_migrate.disconnect(sender=apps.get_app_config("system"), dispatch_uid="audit triggers")
    with django_db_blocker.unblock():
        triggers.remove()


@pytest.fixture(autouse=True)
def static_files_without_a_manifest(settings):
    """Lets tests of pages run before `collectstatic`; otherwise each client would check every static file."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}
    settings.SERVESTATIC_USE_STATIC_ROOT = False


@pytest.fixture(autouse=True)
def channel_layer_and_cache_in_memory(settings):
    """Tests need no Redis and do not see each other's data; the few tests that use Redis request it."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def passwords_hashed_quickly(settings):
    """Quick password hashes: a secure hash costs a fifth of a second for each user with a password."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def no_wait_for_a_worker(settings):
    """Most tests have no worker that could check a config; only tests of preflights wait."""
    settings.PREFLIGHT_SECONDS = 0


@pytest.fixture(autouse=True)
def nobody_asks_too_often(settings):
    """Tests call the site more often within a minute than people do; those of the rates have their own limits."""
    often = {limit: 1_000_000 for limit in settings.LIMITS if limit.endswith("_PER_MINUTE")}
    settings.LIMITS = settings.LIMITS | often


@pytest.fixture
def trainer(client):
    """A signed-in user who may start and control runs."""
    user = make_user(is_staff=True)
    client.force_login(user)
    return user


@pytest.fixture
def viewer(client):
    """A signed-in user who may only view."""
    user = make_user("vera")
    client.force_login(user)
    return user
