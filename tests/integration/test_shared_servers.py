"""A site with servers by address; tests/faults trains in a site with these servers."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.needs import needs_redis
from tests.servers import RedisServer

pytestmark = needs_redis


@pytest.fixture(scope="module")
def folder():
    """A folder that the postgres user may enter, because PostgreSQL refuses to run as root."""
    folder = Path(tempfile.mkdtemp(prefix="servers-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def redis_url(folder):
    server = RedisServer(folder).start()
    yield server.url
    server.kill()


def test_an_unreachable_database_is_reported_in_a_sentence(make_site, folder, redis_url):
    site = make_site(
        "away", bare=True, DATABASE_URL=f"postgres://site@/postgres?host={folder}/nowhere", REDIS_URL=redis_url
    )
    site.launch()
    assert site.wait() == 1
    assert "The database cannot be used" in site.output
    assert "check DATABASE_URL" in site.output
    assert "Traceback" not in site.output
