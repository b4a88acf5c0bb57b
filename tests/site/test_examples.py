"""The examples of README and docs: commands are known, and code runs. tests/integration has those that need a site."""

from __future__ import annotations

import importlib
import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import call_command, get_commands, load_command_class

from presets.models import Preset
from system.account import tokens
from tests.examples import ROOT, example, examples, lines
from tests.making import make_run, make_user
from training.models import Metric, Run

EXTENDING = "docs/extending.md"
# Programs of others, which an example only calls.
FOREIGN = {"curl", "docker", "export", "git", "npm", "ssh", "/workspace/OneTrainer/install.sh"}


def commands():
    for one in examples():
        if one.language == "sh":
            yield from ((one.page, line) for line in lines(one.code))


def words_of(line):
    """The command and its arguments, without the variables that are set before it; empty if only variables are set."""
    words = shlex.split(line)
    while words and re.fullmatch(r"[A-Za-z_]+=.*", words[0]):
        words.pop(0)
    return words


@pytest.mark.parametrize(("page", "line"), list(commands()))
def test_each_command_exists_and_takes_its_options(page, line):
    words = words_of(line)
    if words[:1] == ["make"]:
        makefile = (ROOT / "Makefile").read_text()
        assert re.search(rf"^{words[1]}:", makefile, re.M)
        if words[1] == "run":
            call_options("serve", dict(word.split("=", 1) for word in words[2:] if "=" in word).get("ARGS", ""))
    elif words[:2] == [".venv/bin/python", "manage.py"]:
        call_options(words[2], shlex.join(words[3:]))
    elif words[:1] in (["python"], [".venv/bin/python"]):
        assert words[1] == "-m" and importlib.util.find_spec(words[2])
    elif words:
        assert words[0] in FOREIGN


def call_options(command, options):
    """Parse the options as the command does; a wrong option exits."""
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    parser.parse_args(shlex.split(options))


def test_the_docker_example_sets_arguments_that_the_file_has():
    text = (ROOT / "docs/onetrainer.md").read_text()
    known = (ROOT / "deploy/Dockerfile").read_text()
    for name in re.findall(r"--build-arg (\w+)=", text):
        assert f"ARG {name}" in known


def run_line(page, beginning, number=0):
    words = words_of(lines(example(page, beginning).code)[number])
    call_command(words[2], *[str(Path(word).expanduser()) for word in words[3:]])


@pytest.mark.django_db
def test_the_example_of_importing_presets_imports_them(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "OneTrainer" / "training_presets"
    folder.mkdir(parents=True)
    (folder / "#sd 1.5.json").write_text(json.dumps({"model_type": "STABLE_DIFFUSION_15", "epochs": 7}))
    run_line("README.md", ".venv/bin/python manage.py import_presets")
    assert Preset.objects.filter(name__endswith="sd 1.5").exists()


@pytest.mark.django_db
def test_the_example_of_a_token_prints_one(capsys):
    make_user("admin")
    run_line("README.md", ".venv/bin/python manage.py create_token")
    assert tokens.find(capsys.readouterr().out.strip()).user.username == "admin"


@pytest.mark.django_db
def test_the_example_of_a_named_token_makes_one(capsys):
    make_user("admin")
    run_line("docs/api.md", ".venv/bin/python manage.py create_token")
    token = tokens.find(capsys.readouterr().out.strip())
    assert (token.name, token.scope) == ("night script", "train") and token.expires_at is not None


def test_the_example_of_an_answer_of_healthz_has_its_keys(client, db):
    shown = json.loads(example("docs/operations.md", '{"status"').code)
    assert set(client.get("/healthz").json()) == set(shown)


def test_the_lora_of_the_demo_loads_in_the_readme_s_example(tmp_path, monkeypatch):
    from tests.engine.tiny import Training

    data = ROOT / "engine/demo"
    run = Training(data / "model", data / "dataset", tmp_path / "run", resolution="64", epochs=1, batch_size=16).run()
    (tmp_path / "stars.safetensors").symlink_to(run.artifacts("model")[0])
    (tmp_path / "engine").symlink_to(ROOT / "engine")
    monkeypatch.chdir(tmp_path)
    code = example("README.md", "from diffusers import StableDiffusionPipeline").code
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "star.png").stat().st_size > 1000


# -- the walks of docs/extending.md, each added to the code for the time of a test -------------------------------------


def added(beginning, **names):
    """What an example defines, in the module that the text above it names."""
    one = example(EXTENDING, beginning)
    module = importlib.import_module(one.file.removesuffix(".py").replace("/", "."))
    space = {**vars(module), **names}
    exec(compile(f"from __future__ import annotations\n{one.code}", one.page, "exec"), space)
    return space


@pytest.mark.django_db
def test_the_example_of_an_endpoint_answers(monkeypatch):
    from django.db import models
    from rest_framework import serializers

    class BestStepSerializer(serializers.Serializer):
        step = serializers.IntegerField()

    lowest = added("class MetricQuerySet", models=models)["MetricQuerySet"].lowest
    space = added("@extend_schema", BestStepSerializer=BestStepSerializer, NotNow=import_("web.errors", "NotNow"))
    run = make_run("Stars", Run.Status.FINISHED)
    for step, value in enumerate((3.0, 1.0, 2.0)):
        Metric.objects.create(run=run, attempt=run.attempt, tag="smooth_loss", step=step, value=value, time=float(step))
    monkeypatch.setattr(type(Metric.objects.all()), "lowest", lowest, raising=False)
    # A manager has the methods of its queryset from the start of the process, so the test asks the queryset.
    view = SimpleNamespace(get_object=lambda: SimpleNamespace(metrics=run.metrics.all()))
    assert space["best"](view, None, str(run.pk)).data == {"step": 1}


def import_(module, name):
    return getattr(importlib.import_module(module), name)


def test_the_example_of_an_event_goes_from_the_trainer_to_the_journal_and_to_clients():
    reported, journal = [], []
    report = added("def on_epoch_end")["on_epoch_end"]
    report(SimpleNamespace(_call=lambda *call: reported.append(call)), 2, 0.5)
    assert reported == [("on_epoch_end", 2, 0.5)]
    line = example(EXTENDING, "on_epoch_end=").code.strip().removesuffix(",")
    reporter = SimpleNamespace(_journal=SimpleNamespace(append=lambda *entry: journal.append(entry)))
    eval(line.removeprefix("on_epoch_end="), {"self": reporter})(2, 0.5)
    assert journal == [("epoch_ended", {"epoch": 2, "mean_loss": 0.5})]
    transcript = SimpleNamespace(messages=[], run=SimpleNamespace(pk="1"))
    added("def _take_epoch_ended")["_take_epoch_ended"](transcript, SimpleNamespace(data=journal[0][1]))
    [(_group, text)] = transcript.messages
    assert json.loads(text) == {"type": "epoch_ended", "data": {"run_id": "1", "epoch": 2, "mean_loss": 0.5}}


@pytest.mark.django_db
def test_the_example_of_a_verb_is_requested_and_carried_out(monkeypatch):
    from engine.interface import commands as interface
    from training.runs.commands import Commands

    monkeypatch.setattr(interface, "KINDS", {*interface.KINDS, "halve_rate"})
    sent = interface.TrainCommands()
    added("def halve_rate(self) -> None")["halve_rate"](sent)
    assert [command.kind for command in sent.take()] == ["halve_rate"]
    schedule = SimpleNamespace(base_lrs=[0.2, 0.4])
    session = SimpleNamespace(schedule=schedule, progress=SimpleNamespace(global_step=3))
    assert added("def _halve_rate")["_halve_rate"](SimpleNamespace(session=session)) == "Halved at step 3."
    assert schedule.base_lrs == [0.1, 0.2]
    request = added("def halve_rate(self, run: Run)")["halve_rate"]
    with pytest.raises(import_("web.errors", "NotNow")):
        request(Commands(make_user()), make_run("Waiting"))
