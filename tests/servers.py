"""A PostgreSQL and a Redis on Unix sockets for tests, which kill and restart them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis

from operations.serve import embedded_redis
from tests.needs import postgres_programs
from tests.waiting import wait_for


class RedisServer:
    """A Redis without persistence: `folder` contains only its socket."""

    def __init__(self, folder: Path | str):
        self.socket = f"{folder}/redis.sock"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> RedisServer:
        program = shutil.which("redis-server") or embedded_redis.program()
        command = [program, "--port", "0", "--unixsocket", self.socket, "--save", ""]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=Path(self.socket).parent)
        wait_for(self.answers, what="Redis")
        return self

    def answers(self) -> bool:
        try:
            with redis.Redis(unix_socket_path=self.socket) as client:
                return client.ping()
        except redis.ConnectionError:
            return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class PostgresServer:
    """A cluster in `folder`/postgres. It refuses to run as root, so root starts it as Debian's postgres user."""

    def __init__(self, folder: Path):
        self.data = folder / "postgres"
        self.url = f"postgres://site@/postgres?host={self.data}"
        self.process: subprocess.Popen[bytes] | None = None
        self._folder, self._programs = folder, postgres_programs()
        self._user: dict[str, Any] = {"user": "postgres"} if os.getuid() == 0 else {}

    def start(self) -> PostgresServer:
        if not self.data.exists():
            self._make_cluster()
        options = ["-D", self.data, "-k", self.data, "-c", "listen_addresses=", "-c", "fsync=off"]
        program = self._programs / "postgres"
        self.process = subprocess.Popen(
            [program, *options], stderr=subprocess.DEVNULL, cwd=self._folder, start_new_session=True, **self._user
        )
        wait_for(self.answers, what="PostgreSQL")
        return self

    def _make_cluster(self) -> None:
        self.data.mkdir()
        if self._user:
            shutil.chown(self.data, "postgres", pwd.getpwnam("postgres").pw_gid)
        initdb = [self._programs / "initdb", "-D", self.data, "-U", "site", "--auth=trust", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=self._folder, **self._user)

    def answers(self) -> bool:
        ready = [self._programs / "pg_isready", "-q", "-h", self.data]
        return subprocess.run(ready, capture_output=True).returncode == 0

    def kill(self) -> None:
        """Kill the server and each process that serves a connection at once, as a power cut does."""
        import psutil

        if self.process is None or self.process.poll() is not None:
            return
        server = psutil.Process(self.process.pid)
        for process in [server, *server.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):  # a connection's process may end by itself at this moment
                process.kill()
        self.process.wait()


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server in a temporary folder, which is removed with it."""
    with tempfile.TemporaryDirectory(prefix="servers-") as folder:
        Path(folder).chmod(0o755)  # the postgres user must be able to enter it
        server = PostgresServer(Path(folder)).start()
        try:
            yield server
        finally:
            server.kill()
