"""Whether a OneTrainer checkout can be used: what is looked at, and what is said."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest
from django.core.management import call_command

from engine.engines import ENGINES
from engine.onetrainer.check import OK, WARNING, WRONG, look, probe
from engine.onetrainer.probe import required
from operations.job_work import do
from operations.onetrainer_check import ask_for_check, check, is_usable
from system.models import Job
from tests.api import trainer, viewer

pytestmark = pytest.mark.django_db
TRAIN_CONFIG = """
class TrainConfig:
    config_version = 11
    @staticmethod
    def default_values():
        return TrainConfig()
"""
TORCH = """
import types
__version__ = "2.12.0"
version = types.SimpleNamespace(cuda=None)
cuda = types.SimpleNamespace(is_available=lambda: False)
"""
DRIVER = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
spec = json.loads((folder / "spec.json").read_text())
events = %s
(folder / "journal.jsonl").write_text("".join(
    json.dumps({"sequence": number, "time": 0.0, "kind": kind, "data": data}) + "\\n"
    for number, (kind, data) in enumerate(events, 1)
))
print("its last line")
"""
STEPS = [("metrics", {"step": step, "values": {"loss": 0.5}}) for step in (0, 1)]
WHOLE = [*STEPS, ("artifact", {"kind": "model"}), ("ended", {"reason": "finished"})]


@pytest.fixture
def home(tmp_path, settings):
    """The least that a checkout and its Python need: a PyTorch that only says its version spares seconds."""
    files = {
        "modules/util/create.py": "def create_trainer(config): ...",
        "modules/util/config/TrainConfig.py": TRAIN_CONFIG,
        "requirements-global.txt": "pip\n# ui\nno-such-window==1.0\n",
        "site/torch.py": TORCH,
        "site/torch-2.12.0.dist-info/METADATA": "Name: torch\nVersion: 2.12.0\n",
        "site/torchvision-0.27.0.dist-info/METADATA": "Name: torchvision\nVersion: 0.27.0\n",
        "python": f'#!/bin/sh\nPYTHONPATH={tmp_path}/site exec "{sys.executable}" "$@"\n',
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "python").chmod(0o755)
    settings.ONETRAINER_HOME, settings.ONETRAINER_PYTHON = tmp_path, tmp_path / "python"
    return tmp_path


@pytest.fixture
def driver(monkeypatch):
    """Make a program that says these events the OneTrainer engine."""

    def use(events):
        code = DRIVER % repr(events)
        engine = replace(
            ENGINES["builtin"], name="onetrainer", command=lambda folder: [sys.executable, "-c", code, str(folder)]
        )
        monkeypatch.setitem(ENGINES, "onetrainer", engine)

    return use


def found(home, name):
    findings, _ = look(home, home / "python", lambda: None)
    return next((one.state, one.sentence) for one in findings if one.name == name)


def test_a_usable_checkout_is_reported_part_by_part(home, driver):
    driver(WHOLE)
    findings = check()
    assert [one.name for one in findings] == ["Checkout", "Python", "PyTorch", "Packages", "Trainer", "Training"]
    assert is_usable(findings), findings
    assert "config version 11" in findings[0].sentence and "2 steps of the demo" in findings[-1].sentence


def test_packages_of_the_desktop_alone_are_not_missed(home):
    sentence = "all 3 that training needs are installed (without no-such-window, which no training needs)"
    assert found(home, "Packages") == (OK, sentence)


def test_a_package_of_another_version_is_reported(home):
    (home / "requirements-global.txt").write_text("torch==1.0\n")
    assert found(home, "Packages")[1].startswith("torch 2.12.0 instead of 1.0")


def test_a_pytorch_that_cannot_be_loaded_says_why(home):
    (home / "site/torch.py").write_text("raise OSError('libcudart.so is missing')")
    state, sentence = found(home, "PyTorch")
    assert state == WRONG and "libcudart.so is missing" in sentence and "set ONETRAINER_PYTHON" in sentence


def test_a_package_that_is_missing_is_named_with_the_cure(home):
    (home / "requirements-global.txt").write_text("pip\nno-such-package==1.0 # for training\n")
    assert found(home, "Packages")[0] == WARNING
    assert "no-such-package" in found(home, "Packages")[1] and "install.sh" in found(home, "Packages")[1]


def test_a_trainer_that_cannot_be_loaded_says_why(home):
    (home / "modules/util/create.py").write_text("import no_such_module")
    state, sentence = found(home, "Trainer")
    assert state == WRONG and "No module named 'no_such_module'" in sentence


def test_an_incomplete_checkout_must_be_fetched_again(home):
    (home / "modules/util/create.py").unlink()
    state, sentence = found(home, "Trainer")
    assert state == WRONG and "download the checkout again" in sentence and "install.sh" not in sentence


def test_a_trainer_that_prints_and_exits_while_it_is_loaded_is_no_harm(home):
    (home / "modules/util/create.py").write_text("print('hello'); raise SystemExit(3)")
    assert found(home, "Trainer")[0] == WRONG


def test_a_python_that_dies_says_its_last_line(home):
    (home / "python").write_text("#!/bin/sh\necho it is broken\nexit 1\n")
    assert "it is broken" in found(home, "Python")[1]


def test_a_python_that_hangs_is_given_up(home):
    (home / "python").write_text("#!/bin/sh\nexec sleep 600\n")
    facts, why = probe(home, home / "python", lambda: None, patience=0.5)
    assert facts == {} and "took more than" in why


def test_a_folder_without_onetrainer_and_a_python_that_is_not_there_say_so(tmp_path):
    (tmp_path / "other").mkdir()
    (finding,), _ = look(tmp_path / "other", tmp_path / "python", lambda: None)
    assert finding.state == WRONG and "has no folder modules" in finding.sentence
    (tmp_path / "modules").mkdir()
    findings, _ = look(tmp_path, tmp_path / "python", lambda: None)
    assert "cannot be run" in findings[-1].sentence


def test_requirements_are_read_with_their_sections():
    text = """
# base
numpy==2.2.6
setuptools==81.0.0 #comment
-e git+https://host/x.git@1ffa423#egg=diffusers
triton-windows==3; sys_platform == "win32"
# ui
PySide6==6.11.1
# debug
psutil
"""
    assert list(required(text)) == [
        ("numpy", "2.2.6", True),
        ("setuptools", "81.0.0", True),
        ("diffusers", "", True),
        ("PySide6", "6.11.1", False),
        ("psutil", "", False),
    ]


# -- the proof -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([("failed", {"message": "No picture was found.", "reason": "", "traceback": ""})], "No picture was found."),
        ([], "ended without a result"),
        ([("ended", {"reason": "finished"})], "no step or saved no model"),
        ([*STEPS, ("ended", {"reason": "finished"})], "no step or saved no model"),
    ],
)
def test_a_proof_that_fails_says_why(home, driver, events, said):
    driver(events)
    finding = check()[-1]
    assert (finding.name, finding.state) == ("Training", WRONG) and said in finding.sentence


def test_the_proof_is_left_out_where_it_is_not_wished_or_cannot_be_made(home, driver):
    driver(WHOLE)
    assert check(training=False)[-1].name == "Trainer"
    (home / "modules/util/create.py").write_text("import no_such_module")
    assert check()[-1].name == "Trainer"


# -- the command and the page --------------------------------------------------------------------------------------


def test_the_command_prints_a_line_for_each_finding_and_keeps_them(home, driver, capsys):
    driver(WHOLE)
    call_command("onetrainer_check")
    assert capsys.readouterr().out.splitlines()[-1].startswith("ok      Training: 2 steps")
    assert Job.objects.get().result["usable"] is True


def test_the_command_ends_with_1_and_a_sentence_where_nothing_is_set_up(settings, capsys):
    settings.ONETRAINER_HOME = settings.ONETRAINER_PYTHON = None
    with pytest.raises(SystemExit) as ended:
        call_command("onetrainer_check")
    assert ended.value.code == 1 and "set it to the folder of your OneTrainer checkout" in capsys.readouterr().out


def test_a_check_is_requested_and_shown_on_the_system_page(client, home, driver):
    client.force_login(trainer().user)
    driver(WHOLE)
    page = client.post("/system/onetrainer/check/", {"training": "on"}, follow=True).content.decode()
    assert "It starts as soon as a worker is free." in page
    job = ask_for_check()
    assert Job.objects.count() == 1, "a second wish while one waits is the same"
    assert job.take("test")
    do(job)
    page = client.get("/system/").content.decode()
    assert "2 steps of the demo" in page and "OneTrainer can be used." in page
    part = client.get("/system/onetrainer/").content.decode()
    assert "hx-get" not in part and "<html" not in part


def test_a_viewer_may_look_but_not_ask(client):
    client.force_login(viewer().user)
    assert client.post("/system/onetrainer/check/").status_code == 403
    assert client.get("/system/onetrainer/").status_code == 200


def test_findings_can_be_kept_as_json(home):
    findings, _ = look(home, home / "python", lambda: None)
    assert json.loads(json.dumps([one.to_dict() for one in findings]))[0]["state"] == OK
