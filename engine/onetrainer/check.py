"""Checks of a OneTrainer checkout: each check gives one finding, with the fix if something is wrong.

Nothing of OneTrainer is imported here; its own Python inspects itself (probe.py).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.gpus import SHARED
from engine.interface.json_types import JsonObject
from engine.onetrainer.probe import MARK

OK, WARNING, WRONG = "ok", "warning", "wrong"
OLDEST, NEWEST = (3, 10), (3, 13)
PROBE_SECONDS = 300  # the first import on a slow disk takes minutes
NAMED = 8  # packages in one sentence
NOT_SET = (
    "ONETRAINER_HOME is not set: set it to the folder of your OneTrainer checkout, and ONETRAINER_PYTHON to its Python "
    "if that is not venv/bin/python in there."
)
INSTALL = "run install.sh (or install.bat) in the checkout"
OTHER_PYTHON = "or set ONETRAINER_PYTHON to the Python that it uses"


@dataclass(frozen=True)
class PartCheck:
    """The state of one part of the installation: ok, warning (it can be used) or wrong (it cannot)."""

    name: str
    state: str
    sentence: str

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


def look(home: Path | None, python: Path | None, beat: Callable[[], object]) -> tuple[list[PartCheck], JsonObject]:
    """The findings, and the facts of the probe; `beat` is called during the wait."""
    if home is None or python is None:
        return [PartCheck("Setting", WRONG, NOT_SET)], {}
    if not (home / "modules").is_dir():
        sentence = f"ONETRAINER_HOME is {home}, which has no folder modules: set it to a OneTrainer checkout."
        return [PartCheck("Checkout", WRONG, sentence)], {}
    if not (python.is_file() and os.access(python, os.X_OK)):
        sentence = f"{python} cannot be run: {INSTALL}, {OTHER_PYTHON}."
        return [PartCheck("Checkout", OK, _version(home)), PartCheck("Python", WRONG, sentence)], {}
    facts, why = probe(home, python, beat)
    if why:
        return [PartCheck("Checkout", OK, _version(home)), PartCheck("Python", WRONG, why)], {}
    return list(_findings(home, facts)), facts


def probe(
    home: Path, python: Path, beat: Callable[[], object], patience: float = PROBE_SECONDS
) -> tuple[JsonObject, str]:
    """(the facts from OneTrainer's Python, the reason why there are none)."""
    script = Path(__file__).with_name("probe.py")
    command = [str(python), str(script), str(home)]
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except OSError as error:
        return {}, f"{python} cannot be run ({error.strerror}): set ONETRAINER_PYTHON to the Python that it uses."
    output = _wait(child, beat, patience)
    if output is None:
        return {}, f"{python} took more than {patience:g} s to load OneTrainer: check its disk."
    said = [line for line in output.splitlines() if line.startswith(MARK)]
    if not said:
        last = (output.strip().splitlines() or ["no output"])[-1][:300]
        return {}, f"{python} failed ({last}): {INSTALL} again."
    return json.loads(said[-1].removeprefix(MARK)), ""


def _wait(child: subprocess.Popen[str], beat: Callable[[], object], patience: float) -> str | None:
    """The child's whole output, or None if it took too long."""
    deadline = time.monotonic() + patience
    try:
        while time.monotonic() < deadline:
            try:
                return child.communicate(timeout=1)[0]
            except subprocess.TimeoutExpired:
                beat()
        return None
    finally:
        child.kill()
        child.wait()


def _findings(home: Path, facts: JsonObject) -> Iterator[PartCheck]:
    loads = "error" not in facts["trainer"]
    version = facts["trainer"].get("config_version")
    answer = f"{_version(home)}, config version {version}" if version else _version(home)
    yield PartCheck("Checkout", OK, answer)
    yield _python(facts["python"])
    yield _torch(facts["torch"])
    yield _packages(facts["packages"], loads)
    if loads:
        yield PartCheck("Trainer", OK, f"loads in {facts['trainer']['seconds']:.1f} s")
    else:
        error = facts["trainer"]["error"]
        yield PartCheck("Trainer", WRONG, f"OneTrainer cannot be loaded ({error}): {_cure_of(error)}.")


def _cure_of(error: str) -> str:
    """The installer installs packages; OneTrainer's own modules come with the checkout alone."""
    is_its_own = "'modules" in error
    return "a part of OneTrainer is missing, so download the checkout again" if is_its_own else INSTALL


def _version(home: Path) -> str:
    """Commit and date, if git knows them."""
    git = shutil.which("git")
    if git:
        command = [git, "-c", f"safe.directory={home}", "-C", str(home), "log", "-1", "--format=%h of %cs"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        if answer.returncode == 0 and _is_its_own(git, home):
            return f"commit {answer.stdout.strip()} in {home}"
    return f"{home} (version unknown to git)"


def _is_its_own(git: str, home: Path) -> bool:
    """True if the repository's root is this folder: a folder inside another repository has the other's commits."""
    command = [git, "-c", f"safe.directory={home}", "-C", str(home), "rev-parse", "--show-toplevel"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return answer.returncode == 0 and Path(answer.stdout.strip()).resolve() == home.resolve()


def _python(version: str) -> PartCheck:
    minor = tuple(int(part) for part in version.split(".")[:2])
    if OLDEST <= minor <= NEWEST:
        return PartCheck("Python", OK, version)
    known_versions = f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}"
    return PartCheck("Python", WRONG, f"Python {version} may not work: create the venv with Python {known_versions}.")


def _torch(facts: JsonObject) -> PartCheck:
    if "error" in facts:
        return PartCheck("PyTorch", WRONG, f"PyTorch cannot be loaded ({facts['error']}): {INSTALL}, {OTHER_PYTHON}.")
    if facts["devices"]:
        return PartCheck(
            "PyTorch", OK, f"{facts['version']} with CUDA {facts['cuda']} on {', '.join(facts['devices'])}"
        )
    if SHARED.read().has_driver:
        cure = f"{facts['version']} sees no GPU, but this machine has NVIDIA's driver: {INSTALL}, and check the driver."
        return PartCheck("PyTorch", WARNING, cure)
    return PartCheck("PyTorch", OK, f"{facts['version']} on the CPU (no GPU found)")


def _packages(packages: list[JsonObject], loads: bool) -> PartCheck:
    if not packages:
        return PartCheck("Packages", WARNING, "The checkout has no requirements-global.txt to compare with.")
    missing = [one["name"] for one in packages if one["installed"] is None]
    needed = [one["name"] for one in packages if one["installed"] is None and one["needed"]]
    if needed:
        state = WARNING if loads else WRONG
        return PartCheck("Packages", state, f"{_named(needed)} {_are(needed)} missing: {INSTALL}.")
    other = [
        f"{one['name']} {one['installed']} instead of {one['wanted']}"
        for one in packages
        if one["installed"] and one["wanted"] and one["installed"].partition("+")[0] != one["wanted"].partition("+")[0]
    ]
    if other:
        return PartCheck("Packages", WARNING, f"{_named(other)}: {INSTALL} if a training fails.")
    without = f" (without {_named(missing)}, which no training needs)" if missing else ""
    return PartCheck("Packages", OK, f"all {len(packages) - len(missing)} that training needs are installed{without}")


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"
