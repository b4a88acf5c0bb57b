"""What the doctor finds of GPUs, with a stand-in for NVIDIA's driver."""

import subprocess
import sys

import pytest

from operations.doctor.finding import FINE, WRONG
from tests.making import make_run
from tests.needs import needs_cc
from tests.nvml import GPU
from tests.operations.doctor.doctor_world import found_by

pytestmark = [pytest.mark.django_db, needs_cc]


@pytest.fixture(autouse=True)
def no_torch(monkeypatch):
    """Importing it takes seconds."""
    monkeypatch.setattr("operations.doctor.gpu._torch", lambda devices: iter(()))


@pytest.fixture
def ended_training(settings, tmp_path):
    """A process that looks like the engine process of a finished run."""
    settings.DATA_DIR = tmp_path
    folder = make_run(status="finished").attempt_folder
    process = subprocess.Popen([sys.executable, "-c", "input()", str(folder)], stdin=subprocess.PIPE)
    yield process
    process.communicate(b"\n")


def test_a_gpu_is_named_with_its_memory(nvidia_driver):
    nvidia_driver.say(GPU)
    assert [finding.sentence for finding in found_by("GPU", FINE)] == [
        "GPU 0: NVIDIA GeForce RTX 4090, 10.0 of 24.0 GiB in use."
    ]


def test_a_driver_without_a_gpu_is_wrong(nvidia_driver):
    nvidia_driver.say()
    (finding,) = found_by("GPU", WRONG)
    assert "shows no GPU" in finding.sentence and "nvidia-smi" in finding.cure


def test_a_process_that_holds_memory_for_an_ended_training_is_named(nvidia_driver, ended_training):
    nvidia_driver.say(GPU, f"use|0|{ended_training.pid}|512|python3", "use|0|1|512|init")
    (finding,) = found_by("GPU")
    assert finding.sentence == f"Process {ended_training.pid} holds 0.5 GiB of a GPU for an ended training."
