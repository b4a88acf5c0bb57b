"""`make audit`: asks services on the network for known weaknesses of the locked packages of Python and npm."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PIP_AUDIT = [str(Path(sys.executable).with_name("uv")), "--quiet", "tool", "run", "pip-audit==2.10.1"]
LOCKED = ["--requirement", "requirements.lock", "--requirement", "requirements-dev.lock"]
# OSV includes PyPI's own list, and never passes a package that it could not look up.
OPTIONS = ["--disable-pip", "--require-hashes", "--vulnerability-service", "osv", "--progress-spinner", "off"]
AUDITS = {"Python packages": [*PIP_AUDIT, *OPTIONS, *LOCKED], "Front-end libraries": ["npm", "audit"]}
UNREACHABLE = re.compile(
    r"ConnectionError|ConnectTimeout|ReadTimeout|NameResolutionError|HTTPError|audit endpoint returned an error|"
    r"ENOTFOUND|ECONNREFUSED|ETIMEDOUT|error sending request"
)


def main() -> int:
    """The exit status: 0 if all packages were audited and none has a known weakness."""
    found_nothing = [audit(name, command) for name, command in AUDITS.items()]
    return int(not all(found_nothing))


def audit(name: str, command: list[str]) -> bool:
    """Print what the audit found; return True if it found nothing."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return _say(f"{name} were not audited: {command[0]} is not installed.")
    if ended.returncode == 0:
        print(f"{name}: no known weakness.")  # noqa: T201
        return True
    said = ended.stdout + ended.stderr
    if UNREACHABLE.search(said):
        return _say(f"{name} were not audited: the service that knows their weaknesses cannot be reached from here.")
    return _say(f"{name}:\n{said.strip()}")


def _say(text: str) -> bool:
    print(text, flush=True)  # noqa: T201
    return False


if __name__ == "__main__":
    sys.exit(main())
