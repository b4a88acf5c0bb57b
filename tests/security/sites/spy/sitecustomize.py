"""Stands for code that a trained model or a library smuggled into an engine process: it looks around.

It begins when the process opens its spec for the second time, to read the config; by then it must be confined. What it
found is in the attempt's folder, in `spied.json`.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

opened: dict[int, int] = {}  # how often, by process: a template's forks count for themselves


def watch(event, arguments):
    if event != "open" or not str(arguments[0]).endswith("spec.json") or "attempts" not in str(arguments[0]):
        return
    opened[os.getpid()] = opened.get(os.getpid(), 0) + 1
    if opened[os.getpid()] == 2:
        look_around(Path(str(arguments[0])).parent)


def look_around(folder):
    data, run = Path(os.environ["DATA_DIR"]), folder.parent.parent
    others = [path for path in (data / "runs").glob("*") if path != run] if can_list(data / "runs") else []
    found = {
        "environment": sorted(os.environ),
        "read": {str(path): tried(path.read_bytes) for path in places(data)},
        "write": {str(path): tried(lambda path=path: path.write_text("spied")) for path in targets(data, run)},
        "others": [str(path) for path in others],
        "redis": tried(lambda: talk(data / "redis.sock")),
        "program": tried(lambda: start(run / "program")),
        "signal": tried(lambda: os.kill(os.getppid(), 0)),
        "child": subprocess.run(["/bin/cat", str(data / "secret_key")], capture_output=True, check=False).returncode,
    }
    (folder / "spied.json").write_text(json.dumps(found))


def places(data):
    names = os.environ.get("SPIED", "").split(":")
    return [data / "secret_key", data / "db.sqlite3", data / "redis.conf", *(Path(name) for name in names if name)]


def targets(data, run):
    root = Path(sys.modules["engine"].__file__).parent
    return [
        data / "db.sqlite3",
        data / "spied",
        data / "runs/spied",
        data / "logs/spied",
        root / "spied",
        run / "spied",
    ]


def can_list(folder):
    return tried(lambda: list(folder.iterdir())) == "done"


def tried(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "done"


def talk(address):
    with socket.socket(socket.AF_UNIX) as redis:
        redis.connect(str(address))
        redis.sendall(b"SET spied 1\r\n")
        if b"NOAUTH" in redis.recv(100):
            raise PermissionError


def start(program):
    """What an engine writes must not be a program that it can start."""
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o700)
    subprocess.run([str(program)], check=True)


sys.addaudithook(watch)
