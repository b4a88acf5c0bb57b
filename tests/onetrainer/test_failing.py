"""Trainings that fail on the way: with which reason, and what becomes of those who wait for an answer."""

from __future__ import annotations

import errno

import pytest
import torch

from engine.onetrainer.driver_failures import explain
from tests.onetrainer.conftest import only_standin

FOREVER = 100_000


@only_standin("nothing but a GPU that is too small fails like this for certain")
def test_want_of_memory_is_a_reason_with_a_cure(start):
    failed = start(resolution="1000000").wait().data("failed")[0]
    assert failed["reason"] == "out_of_memory" and "lower batch_size" in failed["message"]


def test_a_picture_that_is_none_is_a_reason(start, pictures):
    (pictures / "star-01.png").write_text("no picture")
    assert start().wait().data("failed")[0]["reason"] == "bad_data"


def test_who_waits_as_a_training_fails_is_told_so(start, tmp_path):
    held = tmp_path / "none.held"  # the stand-in fails in no time otherwise; the real one takes seconds by itself
    held.touch()
    attempt = start(base_model_name=str(tmp_path / "none"))
    for kind in ("backup", "sample_default", "pause"):
        attempt.send(kind)
    held.unlink()
    attempt.wait()
    assert attempt.data("failed")[0]["reason"] == "missing_model"
    refused = {data["id"]: data["detail"] for data in attempt.data("command_refused")}
    assert set(refused) == {"backup", "sample_default", "pause"}
    assert all(detail.startswith("The training failed first: could not load model") for detail in refused.values())


class OutOfMemoryError(RuntimeError):
    """Named as torch's is."""


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
    ],
)
def test_what_is_raised_is_understood(error, reason):
    assert explain(error).reason == reason


def test_a_surprise_stays_one():
    assert explain(RuntimeError("expected scalar type Half but found Float")) is None


def test_the_sentence_on_memory_says_how_much_the_run_took_where_torch_can_tell(monkeypatch):
    out_of_memory = OutOfMemoryError("Tried to allocate 2 GiB.")
    assert "did not suffice: lower" in str(explain(out_of_memory))
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 23 * 1024**3)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (1, 24 * 1024**3))
    assert "did not suffice (this run took up to 23.0 GB of 24.0 GB): lower" in str(explain(out_of_memory))
