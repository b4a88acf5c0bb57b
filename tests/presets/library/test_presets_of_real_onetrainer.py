"""OneTrainer's own presets: the engine accepts each config, and each is exported to the desktop unchanged."""

from __future__ import annotations

import json
import subprocess

import pytest
from django.conf import settings

from engine.engines import ROOT
from engine.onetrainer import schema
from presets.config import configs
from presets.library import exchange
from presets.library import from_onetrainer as onetrainer_presets

pytestmark = [pytest.mark.django_db, pytest.mark.real_onetrainer]
LONG = 300

# Loads pairs of files as the desktop program does, and prints the differences of each pair.
AS_THE_DESKTOP = """
import json, sys
from modules.util.config.TrainConfig import TrainConfig
from modules.util.optimizer_util import change_optimizer

def loaded(file, is_built_in):
    config = TrainConfig.default_values()
    config = config.from_dict(file, migrate=not is_built_in).to_unpacked_config()
    config.optimizer = change_optimizer(config)
    told = config.to_dict()
    del told["secrets"], told["embedding"]["uuid"], told["optimizer_defaults"]
    return told

for name, (own, ours) in json.load(sys.stdin).items():
    first, second = loaded(own, True), loaded(ours, False)
    for key in first:
        if first[key] != second[key]:
            print("DIFFERS", name, key, first[key], second[key])
print("COMPARED")
"""


@pytest.fixture(scope="module")
def files():
    """The preset files of the checkout by path."""
    folder = onetrainer_presets.folder()
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("**/#*.json"))}


@pytest.fixture(scope="module", autouse=True)
def settings_are_known():
    schema.facts(wait=LONG)


def kept(name, content):
    """The preset's config as the site keeps it."""
    (found,) = exchange.from_file(name, content)
    return configs.difference(found.config, configs.defaults())


def test_the_engine_accepts_every_preset(files):
    data_set = {"concepts": [{"path": str(ROOT / "engine/demo/dataset")}]}
    wrong = {
        name: [str(problem) for problem in configs.validate(kept(name, content) | data_set, "onetrainer")]
        for name, content in files.items()
    }
    errors = {name: problems for name, problems in wrong.items() if any("weight_dtype" not in one for one in problems)}
    assert len(files) > 50 and errors == {}


def test_every_preset_is_exported_to_the_desktop_unchanged(files):
    pairs = {
        name: (json.loads(content), exchange.to_onetrainer(kept(name, content))) for name, content in files.items()
    }
    done = subprocess.run(
        [str(settings.ONETRAINER_PYTHON), "-c", AS_THE_DESKTOP],
        cwd=settings.ONETRAINER_HOME,
        input=json.dumps(pairs),
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    said = done.stdout.splitlines()
    assert [line for line in said if line.startswith("DIFFERS")] == []
    assert "COMPARED" in said, done.stderr
