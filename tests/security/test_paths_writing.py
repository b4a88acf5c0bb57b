"""Attacks on what a run writes: out of its folder, into others' runs, over others' files and folders."""

import pytest

from engine.interface.errors import BadConfig
from engine.paths.policy import Purpose, Refused
from presets.config import configs
from presets.config.destinations import judge_destination
from presets.config.named_paths import Reads
from presets.config.permits import Admission
from tests.making import make_run
from training.models import Artifact

FIELD = "output_model_destination"
pytestmark = pytest.mark.django_db


@pytest.fixture
def world(settings, tmp_path):
    settings.DATA_DIR, settings.ALLOWED_ROOTS = tmp_path / "data", [tmp_path / "open"]
    for name in ("data/runs/mine", "data/runs/yours", "open/.ssh", "open/theirs", "closed"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "open/theirs/file").write_text("precious")
    (tmp_path / "open/taken.safetensors").write_text("precious")
    (tmp_path / "open/half.safetensors.partial").write_text("precious")
    (tmp_path / "open/out").symlink_to(tmp_path / "closed")
    return tmp_path


DESTINATIONS = [
    "../yours/model.safetensors",
    "../../../open/model.safetensors",
    "models/../../yours/model.safetensors",
    "attempts/1/spec.json",
    "workspace/backup/x.safetensors",
    ".hidden/model.safetensors",
    ".",
    "models/..",
    "{}/data/runs/yours/model.safetensors",
    "{}/data/db.sqlite3",
    "{}/data/secret_key",
    "{}/closed/model.safetensors",
    "{}/open/../closed/model.safetensors",
    "{}/open/out/model.safetensors",
    "{}/open/.ssh/authorized_keys",
    "{}/open",
    "~/.ssh/authorized_keys",
    "/etc/cron.d/x",
    "/proc/self/fd/1",
    "{}/open/taken.safetensors",
    "{}/open/theirs",
    "{}/open/half.safetensors",
]


@pytest.mark.parametrize("engine", ["builtin", "onetrainer"])
@pytest.mark.parametrize("text", DESTINATIONS)
def test_a_destination_elsewhere_is_refused_by_the_check_and_by_the_worker(world, text, engine):
    reads = Reads.of_any() if engine == "onetrainer" else Reads.of("builtin")
    text = text.format(world)
    problems = configs.validate({FIELD: text, "prevent_overwrites": False})
    assert FIELD in [one.field for one in problems if one.is_error]
    with pytest.raises(BadConfig):
        Admission(reads, world / "data/runs/mine").admit({FIELD: text})
    assert (world / "open/taken.safetensors").read_text() == "precious"


@pytest.mark.parametrize("text", ["model.safetensors", "models/a/b.safetensors", "{}/open/new/model.safetensors"])
def test_a_usual_destination_is_allowed(world, text):
    text = text.format(world)
    assert FIELD not in [one.field for one in configs.validate({FIELD: text}) if one.is_error]
    config, permits = Admission(Reads.of_any(), world / "data/runs/mine").admit({FIELD: text})
    assert config[FIELD] == str(world / "data/runs/mine" / text)
    assert not permits.may_replace(world / "data/runs/mine" / text)


def test_an_earlier_model_of_this_site_is_replaced_while_nobody_changed_it(world):
    path = world / "open/taken.safetensors"
    run = make_run()
    Artifact.objects.create(run=run, attempt=1, sequence=1, kind="model", path=str(path), size=path.stat().st_size)
    _, permits = Admission(Reads.of_any(), world / "data/runs/mine").admit({FIELD: str(path)})
    assert permits.may_replace(path)
    path.write_text("somebody else's by now")
    with pytest.raises(BadConfig, match="no earlier model"):
        Admission(Reads.of_any(), world / "data/runs/mine").admit({FIELD: str(path)})


def test_the_model_of_an_imported_run_is_no_model_of_this_site(world):
    path = world / "open/taken.safetensors"
    run = make_run(source="/somewhere")
    Artifact.objects.create(run=run, attempt=1, sequence=1, kind="model", path=str(path), size=path.stat().st_size)
    with pytest.raises(BadConfig):
        Admission(Reads.of_any(), world / "data/runs/mine").admit({FIELD: str(path)})


@pytest.mark.parametrize("field", ["debug_dir", "huggingface_cache_dir", "quantization.cache_dir"])
@pytest.mark.parametrize("text", ["/etc/x", "../yours/x", "{}/closed", "{}/open/.ssh", "{}/open/out/x", "~/.cache/x"])
def test_a_folder_to_write_to_is_judged_too(world, field, text):
    outer, _, inner = field.partition(".")
    text = text.format(world)
    config = {"debug_mode": True} | ({outer: {inner: text}} if inner else {outer: text})
    assert field in [one.field for one in configs.validate(config) if one.is_error]
    with pytest.raises(BadConfig):
        Admission(Reads.of("builtin"), world / "data/runs/mine").admit(configs.full_config("builtin", config))


def test_a_relative_folder_is_in_the_runs_own(world):
    folder = world / "data/runs/mine"
    assert judge_destination("debug", folder, Purpose.WRITE_FOLDER).real == str(folder / "debug")
    with pytest.raises(Refused):
        judge_destination("workspace/save", folder, Purpose.WRITE_FOLDER)
