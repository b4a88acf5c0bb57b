"""Trainings that begin with the weights of another training."""

import pytest
import torch
from safetensors.torch import load_file

from engine.interface.errors import BadConfig
from tests.engine.tiny import Training, make_model, make_pictures


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def training(model, tmp_path):
    pictures = make_pictures(tmp_path / "pictures")

    def make(name="run", **changes):
        return Training(model, pictures, tmp_path / name, **changes)

    return make


@pytest.fixture
def first(training):
    """A run with a backup of its last step."""
    return training("first", backup_before_save=True, ema="CPU").run()


def begin(run):
    run.trainer.start()
    return [weight.detach().clone() for weight in run.trainer.session.parameters]


def weights_of(run):
    with run.trainer.session.ema.in_place():
        return [weight.detach().clone() for weight in run.trainer.session.parameters]


def are_alike(some, others):
    return all(torch.allclose(one, other, atol=1e-6) for one, other in zip(some, others, strict=True))


def test_a_run_can_start_at_step_0_with_the_averaged_weights_of_a_backup(first, training):
    second = training("second")
    second.trainer.weights_from = first.artifacts("backup")[0]
    assert are_alike(begin(second), weights_of(first))
    session = second.trainer.session
    assert (session.progress.global_step, session.optimizer.state_dict()["state"]) == (0, {})


@pytest.mark.parametrize("form", ["KOHYA_LORA", "DIFFUSERS_LORA"])
@pytest.mark.parametrize("alpha", [2, 1])
def test_a_run_that_starts_with_a_lora_file_has_the_same_effect_on_the_model(training, form, alpha):
    first = training("first", output_model_format=form).run()
    second = training("second", lora_model_name=str(first.artifacts("model")[0]), lora_alpha=alpha)
    second.trainer.start()
    for before, after in zip(effects(first), effects(second), strict=True):
        assert torch.allclose(before, after, atol=1e-5)


def effects(run):
    """The change that each layer's LoRA makes to its weight."""
    strength = run.config.lora_alpha / run.config.lora_rank
    pairs = zip(run.trainer.session.parameters[::2], run.trainer.session.parameters[1::2], strict=True)
    return [strength * (up.flatten(1) @ down.flatten(1)).detach() for down, up in pairs]


def test_a_resumed_run_does_not_load_the_initial_lora_again(first, training, tmp_path):
    named = {"lora_model_name": str(tmp_path / "gone"), "ema": "CPU", "epochs": 3}
    again = training("again", resume_from=first.artifacts("backup")[0], **named).run()
    assert again.trainer.session.progress.epoch == 3


def test_a_lora_of_another_rank_or_of_no_layer_is_refused_by_its_field(first, training, tmp_path):
    path = str(first.artifacts("model")[0])
    with pytest.raises(BadConfig, match="lora_model_name: .* has rank 4, but lora_rank is 2"):
        training("rank", lora_model_name=path, lora_rank=2).trainer.start()
    (tmp_path / "nothing.safetensors").write_bytes(b"nothing")
    with pytest.raises(BadConfig, match="cannot be read as a LoRA"):
        training("nothing", lora_model_name=str(tmp_path / "nothing.safetensors")).trainer.start()


def test_weights_of_another_rank_are_refused_by_its_name(first, training):
    other = training("other", lora_rank=2)
    other.trainer.weights_from = first.artifacts("backup")[0]
    with pytest.raises(BadConfig, match="lora_rank: is 2, and the backup was made with 4"):
        other.trainer.start()


def test_the_tensors_of_a_saved_model_are_its_averages(first):
    saved = load_file(first.artifacts("model")[0])
    assert saved and all(tensor.isfinite().all() for tensor in saved.values())
