"""What depends on the database's own way with numbers, texts and locks, once more on a PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys

from django.conf import settings

from tests.needs import needs_postgres
from tests.servers import postgres_server

ESSENTIAL = (
    "tests/system/test_measured.py",
    "tests/worker/test_ingest.py",
    "tests/training/table/test_run_table.py",
    "tests/training/queue/test_queue.py",
    "tests/training/runs/test_retention.py",
)


@needs_postgres
def test_runs_are_read_charted_searched_queued_and_kept_on_postgresql():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ESSENTIAL]
    with postgres_server() as server:
        environment = os.environ | {"DATABASE_URL": server.url}
        done = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-8000:]
