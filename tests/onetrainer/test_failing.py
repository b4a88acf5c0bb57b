"""Trainings that fail on the way: their reasons, and the answers to waiting commands."""

from __future__ import annotations

import errno

import pytest
import torch

from engine.onetrainer.driver_failures import explain
from tests.onetrainer.conftest import only_standin
from training.progress.endings import ENDINGS

FOREVER = 100_000
EMPTY = (2).to_bytes(8, "little") + b"{}"  # a safetensors file without tensors


@only_standin("only a GPU that is too small always fails like this")
def test_a_lack_of_memory_is_a_reason_with_a_fix(start):
    failed = start(resolution="1000000").wait().data("failed")[0]
    assert failed["reason"] == "out_of_memory" and "lower batch_size" in failed["message"]


def test_a_file_that_is_not_a_picture_is_a_reason(start, pictures):
    (pictures / "star-01.png").write_text("no picture")
    assert start().wait().data("failed")[0]["reason"] == "bad_data"


def test_a_missing_part_is_named_by_its_own_field(start, tmp_path):
    failed = start(vae={"model_name": str(tmp_path / "none")}).wait().data("failed")[0]
    assert failed["reason"] == "missing_model"
    assert failed["message"].startswith(f"vae.model_name: {tmp_path / 'none'} does not exist")


def test_a_model_that_cannot_be_loaded_has_the_cause_that_onetrainer_printed(start, tmp_path):
    (tmp_path / "file").write_bytes(EMPTY)
    failed = start(vae={"model_name": str(tmp_path / "file")}).wait().data("failed")[0]
    assert failed["reason"] == "missing_model" and "OSError: " in failed["message"]
    assert "not an internal model" not in failed["message"]


def test_an_error_that_the_same_settings_meet_again_is_not_retried_and_has_its_traceback(start):
    """A resolution below the multiple of the buckets ends in a division by zero."""
    failed = start(resolution="4").wait().data("failed")[0]
    assert failed["reason"] == "same_again" and "ZeroDivisionError" in failed["message"]
    assert failed["traceback"].startswith("Traceback")
    assert not ENDINGS[failed["reason"]].may_retry


def test_waiting_commands_are_refused_when_the_training_fails(start, tmp_path):
    held = tmp_path / "none.held"  # the stand-in otherwise fails at once; the real one takes seconds by itself
    held.touch()
    attempt = start(base_model_name=str(tmp_path / "none"))
    for kind in ("backup", "sample_default", "pause"):
        attempt.send(kind)
    held.unlink()
    attempt.wait()
    assert attempt.data("failed")[0]["reason"] == "missing_model"
    refused = {data["id"]: data["detail"] for data in attempt.data("command_refused")}
    assert set(refused) == {"backup", "sample_default", "pause"}
    assert all(detail.startswith("The training failed first: base_model_name: ") for detail in refused.values())


class LocalEntryNotFoundError(FileNotFoundError):
    """Has the name and base of huggingface_hub's error."""


class OutOfMemoryError(RuntimeError):
    """Has the name of torch's error."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OutOfMemoryError("Tried to allocate 2 GiB."), "out_of_memory"),
        (RuntimeError("CUDA error: out of memory"), "out_of_memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"), "out_of_memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), "out_of_memory"),
        (MemoryError(), "out_of_memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk_full"),
        (Exception("Error while serializing: I/O error: No space left on device (os error 28)"), "disk_full"),
        (RuntimeError("PytorchStreamWriter failed writing file data/3: file write failed"), "disk_full"),
        (RuntimeError("Training loss became NaN."), "nan"),
        (Exception("could not load model: /models/NaNo"), "missing_model"),
        (FileNotFoundError(2, "No such file", "a.png"), "bad_data"),
        (LocalEntryNotFoundError("Cannot find the requested files on the hub"), "unreachable"),
        (OSError("We couldn't connect to 'https://huggingface.co' to load this file"), "unreachable"),
        (RuntimeError("expected scalar type Half but found Float"), "same_again"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x8 and 4x4)"), "same_again"),
        (NotImplementedError("this optimizer"), "same_again"),
        (KeyError("unet"), "same_again"),
        (ModuleNotFoundError("No module named 'muon'"), "same_again"),
        (Exception("unknown scheduler"), "same_again"),
    ],
)
def test_known_errors_are_explained(error, reason):
    assert explain(error).reason == reason


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EIO, "Input/output error"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("DataLoader worker (pid 12) is killed by signal: Killed."),
        ConnectionResetError("reset by peer"),
    ],
)
def test_an_error_that_may_come_from_the_machine_stays_unexplained_and_is_retried(error):
    assert explain(error) is None


def test_a_download_that_failed_while_loading_is_no_missing_model():
    printed = "Traceback:\nrequests.exceptions.ConnectionError: HTTPSConnectionPool(host='huggingface.co')"
    found = explain(Exception("could not load model: owner/model"), None, printed)
    assert found.reason == "unreachable" and "owner/model" in str(found)


def test_the_message_about_memory_names_the_peak_if_torch_knows_it(monkeypatch):
    out_of_memory = OutOfMemoryError("Tried to allocate 2 GiB.")
    assert "Out of memory: lower" in str(explain(out_of_memory))
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 23 * 1024**3)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1, 24 * 1024**3))
    assert "Out of memory (this run took up to 23.0 GB of 24.0 GB): lower" in str(explain(out_of_memory))
