"""The message of a training that cannot continue."""

import errno

import pytest
import torch

from engine.builtin.config.train_config import TrainConfig
from engine.builtin.training.failures import explain, what_to_lower
from engine.interface.errors import OutOfMainMemory, OutOfMemory
from engine.interface.reporting import surprise


def test_a_lack_of_gpu_memory_names_the_settings_that_can_be_lowered():
    config = TrainConfig.from_dict({"batch_size": 4, "resolution": "768", "unet": {"gradient_checkpointing": False}})
    sentence = what_to_lower(config)
    assert "batch_size (4" in sentence and "unet.gradient_checkpointing" in sentence


def test_a_setting_at_its_lowest_value_is_not_named():
    config = TrainConfig.from_dict({"batch_size": 1, "train_dtype": "BFLOAT_16"})
    assert "batch_size" not in what_to_lower(config) and "train_dtype" not in what_to_lower(config)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), OutOfMemory),
        (MemoryError(), OutOfMainMemory),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), OutOfMainMemory),
        (RuntimeError("size mismatch"), None),
    ],
)
def test_a_lack_of_memory_is_told_apart_from_other_errors(error, kind):
    found = explain(error, TrainConfig.from_dict({}))
    assert type(found) is (kind or type(None))


def test_a_full_disk_is_reported_wherever_it_occurs():
    sentence, reason = surprise(OSError(errno.ENOSPC, "No space left on device", "/data/x"))
    assert reason == "disk_full" and "/data/x" in sentence
    assert surprise(KeyError("x"))[1] == "crash"
