"""A site on PostgreSQL and a Redis of its own: the set-up of several hosts, here on one."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import redis

from tests.needs import needs_postgres, needs_redis, postgres_programs
from tests.waiting import wait_for

pytestmark = [needs_postgres, needs_redis]


@pytest.fixture(scope="module")
def folder():
    """One that PostgreSQL's own user may enter, since it refuses to run as root."""
    folder = Path(tempfile.mkdtemp(prefix="servers-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def database_url(folder):
    """A server that listens on a Unix socket alone."""
    programs, data = postgres_programs(), folder / "postgres"
    data.mkdir()
    user = {"user": "postgres"} if os.getuid() == 0 else {}
    if user:
        shutil.chown(data, "postgres", pwd.getpwnam("postgres").pw_gid)
    initdb = [programs / "initdb", "-D", data, "-U", "site", "--auth=trust", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder, **user)
    options = ["-D", data, "-k", data, "-c", "listen_addresses=", "-c", "fsync=off"]
    server = subprocess.Popen([programs / "postgres", *options], stderr=subprocess.DEVNULL, cwd=folder, **user)
    ready = [programs / "pg_isready", "-h", data]
    wait_for(lambda: subprocess.run(ready, capture_output=True).returncode == 0, what="PostgreSQL")
    yield f"postgres://site@/postgres?host={data}"
    server.terminate()
    server.wait()


@pytest.fixture(scope="module")
def redis_url(folder):
    socket = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder)
    url = f"unix://{socket}"
    wait_for(lambda: socket.exists() and redis.from_url(url).ping(), what="Redis")
    yield url
    server.terminate()
    server.wait()


def test_a_site_trains_stops_and_resumes_there(make_site, config, database_url, redis_url):
    site = make_site("shared", DATABASE_URL=database_url, REDIS_URL=redis_url).start("--no-demo")
    assert site.processes("redis-server") == []
    run_id = site.start_run(config)
    site.wait_for_step(5)
    site.api("POST", "training/stop")
    stopped = site.wait_for_status("stopped")
    site.api("POST", f"runs/{run_id}/resume/")
    site.wait_for_step(stopped["progress"]["global_step"] + 3)
    assert site.stop() == 0
    assert site.processes() == []
    assert not (site.folder / "db.sqlite3").exists()


def test_a_database_that_is_away_is_a_sentence(make_site, folder, redis_url):
    site = make_site("away", DATABASE_URL=f"postgres://site@/postgres?host={folder}/nowhere", REDIS_URL=redis_url)
    site.launch()
    assert site.wait() == 1
    assert "The database cannot be used" in site.output
    assert "check DATABASE_URL" in site.output
    assert "Traceback" not in site.output
