"""Prints the facts of a OneTrainer checkout and its Python: `python probe.py CHECKOUT`, run by that Python.

Prints one line of JSON behind MARK, since the imported modules may print too. Standard library only.
"""

import importlib.metadata
import json
import os
import platform
import re
import sys
import time
from pathlib import Path

MARK = "onetrainer-probe: "
OPTIONAL = {"ui", "cloud", "debug", "profiling"}  # sections of the requirements that no training needs
LINE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:==\s*(?P<version>[^\s;#]+))?")


def required(text):
    """(name, version or "", whether training needs it) of each line of a requirements file for this system."""
    needed = True
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#"):
            needed = line.lstrip("# ").lower() not in OPTIONAL
        elif "#egg=" in line:
            yield line.rpartition("#egg=")[2].strip(), "", needed
        elif (found := LINE.match(line)) and "win32" not in line:
            yield found["name"], found["version"] or "", needed


def packages(root):
    """The checkout's requirements and the installed versions; torch comes last, for any kind of device."""
    file = root / "requirements-global.txt"
    wanted = list(required(file.read_text(encoding="utf-8"))) if file.is_file() else []
    wanted += [("torch", "", True), ("torchvision", "", True)] if wanted else []
    return [
        {"name": name, "wanted": version, "needed": needed, "installed": installed(name)}
        for name, version, needed in wanted
    ]


def installed(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def torch_facts():
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    names = [torch.cuda.get_device_name(index) for index in range(count)]
    return {"version": torch.__version__, "cuda": torch.version.cuda, "devices": names}


def trainer_facts(root):
    """Load the modules of a training; relative paths in them start at the checkout."""
    os.chdir(root)
    sys.path.insert(0, str(root))
    began = time.monotonic()
    from modules.util import create
    from modules.util.config.TrainConfig import TrainConfig

    version = getattr(TrainConfig.default_values(), "config_version", None)
    return {"config_version": version, "trainer": callable(create.create_trainer), "seconds": time.monotonic() - began}


def tried(part, *arguments):
    """The part's facts, or its error: any exception of an import is an answer here."""
    try:
        return part(*arguments)
    except BaseException as error:
        return {"error": f"{type(error).__name__}: {error}"[:500]}


def main(root):
    facts = {
        "python": platform.python_version(),
        "packages": packages(root),
        "torch": tried(torch_facts),
        "trainer": tried(trainer_facts, root),
    }
    print(f"\n{MARK}{json.dumps(facts)}", flush=True)  # noqa: T201  the purpose of this script


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
