"""Whatever lies in a workspace: it is taken in, twice, without an error and without doubles."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operations.workspaces.history import History
from samples.models import Sample
from tests.workspaces import CONFIG, Workspace
from training.models import Artifact, Metric, Run

pytestmark = pytest.mark.django_db
STAMPS = st.sampled_from(["2026-03-01_10-00-00", "2026-03-01_11-30-00", "2026-13-99_10-00-00", "2026-03-01"])
PREFIXES = st.sampled_from(["", "cat-", "ünï ", "2026-03-01_10-00-00", "\n", "a" * 150])
KINDS = st.sampled_from(["training-sample", "backup", "save", ""])
NUMBERS = st.integers(0, 10**15 - 1).map(str)
MADE = st.builds("{}{}-{}-{}-0-{}{}".format, PREFIXES, STAMPS, KINDS, NUMBERS, NUMBERS, st.sampled_from(["", ".png"]))
STARTS = st.builds("{}{}{}".format, PREFIXES, STAMPS, st.sampled_from(["", ".json"]))
NAMES = st.one_of(MADE, STARTS, st.sampled_from(["custom", "0 - a star", "9999999 - x", "- no-ema", "meta.json"]))
EVENTS = st.sampled_from(["events.out.tfevents.1772359200.elsewhere.1.0", "events.out.tfevents.0.x.y.0.0"])
FOLDERS = st.sampled_from(["config", "tensorboard", "samples", "backup", "save", "other"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).flatmap(
    lambda names: st.builds(lambda folder, last: (folder, *names, *last), FOLDERS, st.lists(EVENTS, max_size=1))
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*CONFIG, "\x00"]), inner, max_size=4),
    max_leaves=12,
)
CONTENTS = st.one_of(st.binary(max_size=60), JSON.map(json.dumps).map(str.encode))


@pytest.fixture(autouse=True)
def allowed(settings, tmp_path):
    settings.ALLOWED_ROOTS = [Path(tempfile.gettempdir()), tmp_path]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(PATHS, CONTENTS), max_size=12))
def test_importing_anything_twice_causes_no_error_and_no_duplicate(files):
    Run.objects.all().delete()
    with tempfile.TemporaryDirectory() as name:
        folder = Workspace(Path(name) / "workspace").folder
        for parts, content in files:
            write(folder.joinpath(*parts), content)
        History(folder, send=lambda messages: None).update()
        before = counts()
        History(folder, send=lambda messages: None).update()
        assert counts() == before
        assert not Run.objects.active().exists()


def write(path, content):
    """Where a file is a folder in another path, the first of the two stays."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        return


def counts():
    return [model.objects.count() for model in (Run, Sample, Artifact, Metric)]


def test_a_name_that_is_no_text_is_left_alone(tmp_path):
    workspace = Workspace(tmp_path / "stars")
    workspace.log(steps=1)
    odd = workspace.folder / "samples" / os.fsdecode(b"0 - star\xff")
    odd.mkdir(parents=True)
    (odd / f"{workspace.stamp(1)}-training-sample-1-0-1.png").write_bytes(b"x")
    (run,) = History(workspace.folder).update()
    assert not run.samples.exists()
