"""A site on a separate PostgreSQL and Redis, with a worker whose database connection can be cut."""

from __future__ import annotations

import subprocess
from typing import Any

import psutil
import psycopg
from django.conf import settings
from psycopg.rows import dict_row

from tests.faults.proxy import Proxy
from tests.faults.shadow import Shadow
from tests.faults.world import World
from tests.integration.site import MANAGE
from tests.servers import PostgresServer, RedisServer


class SharedWorld(World):
    """A set-up of several hosts, here on one: the world restarts servers and worker itself."""

    options = ("--no-demo", "--no-worker")

    def environment(self) -> dict[str, str]:
        self.root.chmod(0o755)  # the postgres user must be able to enter it
        self.postgres = PostgresServer(self.root).start()
        self.redis = RedisServer(self.root).start()
        self.wire = Proxy(self.postgres.data / ".s.PGSQL.5432")
        self._worker: subprocess.Popen[bytes] | None = None
        return {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.redis.url}

    def start(self) -> SharedWorld:
        super().start()
        self.tend()
        return self

    def close(self) -> None:
        self.site.clean_up()
        if self._worker is not None:
            self._worker.wait()
        self.wire.close()
        self.postgres.kill()
        self.redis.kill()
        super().close()

    def tend(self) -> None:
        if self._worker is None or self._worker.poll() is not None:
            address = f"postgres://site@127.0.0.1:{self.wire.port}/postgres"
            with (self.root / "worker.log").open("ab") as log:
                self._worker = subprocess.Popen(
                    [*MANAGE, "gpu_worker"],
                    cwd=settings.BASE_DIR,
                    env=self.site.environment | {"DATABASE_URL": address},
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def processes(self, part: str) -> list[psutil.Process]:
        server = {"redis": self.redis.process, "postgres": self.postgres.process}.get(part)
        if server is None:
            return super().processes(part)
        if server.poll() is not None:
            return []
        main = psutil.Process(server.pid)
        return [main, *main.children(recursive=True)]

    def execute(self, *statements: str) -> None:
        with psycopg.connect(f"postgresql://site@/postgres?host={self.postgres.data}", connect_timeout=10) as database:
            for statement in statements:
                database.execute(statement)

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        address = f"postgresql://site@/postgres?host={self.postgres.data}"
        with psycopg.connect(address, row_factory=dict_row, connect_timeout=10) as database:
            return database.execute(query.replace("?", "%s"), parameters).fetchall()

    def run_key(self, run_id: str) -> str:
        return run_id

    # -- faults ------------------------------------------------------------------------------------------------

    def _kill(self, part: str, shadow: Shadow) -> bool:
        if part not in ("postgres", "redis"):
            return super()._kill(part, shadow)
        self._server(part).kill()
        return True

    def _unkill(self, part: str) -> None:
        self._server(part).start()

    def _server(self, part: str) -> PostgresServer | RedisServer:
        return self.postgres if part == "postgres" else self.redis

    def _cut(self, what: str, shadow: Shadow) -> bool:
        return self.wire.cut()

    def _refuse(self, what: str, shadow: Shadow) -> bool:
        return self.wire.refuse()

    def _unrefuse(self, what: str) -> None:
        self.wire.mend()

    def _hang(self, what: str, shadow: Shadow) -> bool:
        return self.wire.hang()

    def _unhang(self, what: str) -> None:
        self.wire.mend()
