"""Settings whose meaning is OneTrainer's, in whole trainings; `tests/meaning` compares numbers."""

from __future__ import annotations

import json

import pytest
import torch

from engine.builtin.families.layers import earlier_lora_layers, lora_layers
from engine.builtin.families.lora import adapted_layers
from engine.builtin.training import initial_weights
from engine.interface.errors import BadConfig
from engine.interface.files import write_manifest
from tests.engine.tiny import Training, make_model, make_pictures


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def training(model, tmp_path):
    pictures = make_pictures(tmp_path / "pictures", 4)

    def make(name="run", **changes):
        return Training(model, pictures, tmp_path / name, **changes)

    return make


def layers_of(run):
    return {name: adapted_layers(part) for name, part in run.trainer.session.family.parts.items()}


def test_averaged_weights_are_sampled_with_and_without_the_averages(training):
    run = training(ema="CPU", ema_update_step_interval=1, epochs=1, sample_after=1, sample_after_unit="EPOCH").run()
    made = [output for (output,) in run.recorder.of("on_sample_default")]
    assert [(output.is_ema, " - no-ema/" in output.path) for output in made[-2:]] == [(True, False), (False, True)]


def test_averaged_weights_alone_are_sampled_if_the_setting_is_off(training):
    changes = {"epochs": 1, "sample_after": 1, "sample_after_unit": "EPOCH", "non_ema_sampling": False}
    run = training(ema="CPU", **changes).run()
    assert {output.is_ema for (output,) in run.recorder.of("on_sample_default")} == {True}


def test_a_full_lora_is_on_every_linear_and_convolution(training):
    run = training()
    run.trainer.start()
    found = layers_of(run)["unet"]
    assert {"conv_in", "conv_out", "time_embedding.linear_1", "down_blocks.0.downsamplers.0.conv"} <= set(found)


def test_a_name_that_matches_no_layer_is_refused(training):
    with pytest.raises(BadConfig, match="'nothing' matches no layer of unet"):
        training(layer_filter="attn, nothing").trainer.start()


def test_a_fine_tune_trains_the_weights_that_the_filter_matches(training):
    changes = {"training_method": "FINE_TUNE", "output_model_format": "SAFETENSORS", "text_encoder": {"train": False}}
    run = training(layer_filter="attn", epochs=1, **changes)
    run.trainer.start()
    unet = run.trainer.session.family.parts["unet"]
    before = {name: weight.detach().clone() for name, weight in unet.named_parameters()}
    run.trainer.train()
    changed = {name for name, weight in unet.named_parameters() if not weight.equal(before[name])}
    assert changed and all("attn" in name for name in changed)


def test_a_backup_without_a_list_of_layers_resumes_with_the_layers_that_it_has(training, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setattr(initial_weights, "lora_layers", earlier_lora_layers)
        first = training("first", epochs=1, backup_before_save=True).run()
    (backup,) = first.artifacts("backup")
    meta = json.loads((backup / "meta.json").read_text())
    del meta["lora_layers"]
    (backup / "meta.json").write_text(json.dumps(meta))
    write_manifest(backup)
    second = training("second", resume_from=backup, backup_before_save=True).run()
    assert layers_of(second) == layers_of(first)
    assert len(layers_of(first)["unet"]) < len(lora_layers(second.config, second.trainer.session.family, "unet"))
    third = training("third", resume_from=second.artifacts("backup")[0], epochs=3).run()
    assert layers_of(third) == layers_of(first)


def test_a_run_whose_parts_are_all_stopped_ends_early_and_writes_its_model(training):
    stop = {"stop_training_after": 2, "stop_training_after_unit": "STEP"}
    run = training(unet=stop, text_encoder=stop, epochs=4).run()
    assert run.trainer.session.progress.global_step == 3
    assert "stop_training_after ended the training of every part" in run.recorder.of("on_warning")[-1][0]
    assert run.artifacts("model")


def test_a_part_that_is_stopped_keeps_its_weights_after_a_resume(training):
    stop = {"stop_training_after": 1, "stop_training_after_unit": "EPOCH"}
    first = training("first", text_encoder=stop, epochs=2, backup_before_save=True).run()
    kept = [weight.detach().clone() for weight in first.trainer.session.trained["text_encoder"]]
    second = training("second", text_encoder=stop, epochs=3, resume_from=first.artifacts("backup")[0]).run()
    trained = second.trainer.session.trained
    assert all(one.equal(other) for one, other in zip(trained["text_encoder"], kept, strict=True))
    assert not any(weight.requires_grad for weight in trained["text_encoder"])


def test_dropout_of_a_lora_is_between_its_two_matrices(training):
    run = training(dropout_probability=0.5)
    run.trainer.start()
    layer = dict(run.trainer.session.family.parts["unet"].named_modules())["time_embedding.linear_1"]
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    torch.nn.init.normal_(up)
    given = torch.ones(1, down.shape[1])
    torch.manual_seed(1)
    added = layer(given) - layer.base_layer(given)
    torch.manual_seed(1)
    dropped = torch.nn.functional.dropout(given @ down.T, 0.5)
    strength = run.config.lora_alpha / run.config.lora_rank
    assert torch.allclose(added, dropped @ up.T * strength, atol=1e-5)


def test_zero_terminal_snr_trains_and_saves_a_schedule_that_ends_in_noise(training):
    changes = {"training_method": "FINE_TUNE", "output_model_format": "DIFFUSERS", "epochs": 1}
    run = training(rescale_noise_scheduler_to_zero_terminal_snr=True, sample_after_unit="EPOCH", **changes).run()
    family = run.trainer.session.family
    assert family.noise.kept[-1] == 0 and family.is_velocity
    saved = json.loads((run.artifacts("model")[0] / "scheduler/scheduler_config.json").read_text())
    assert (saved["rescale_betas_zero_snr"], saved["prediction_type"]) == (True, "v_prediction")


def test_a_changed_learning_rate_acts_when_a_run_resumes(training):
    first = training("first", epochs=1, backup_before_save=True).run()
    second = training("second", resume_from=first.artifacts("backup")[0], learning_rate=0.002)
    second.trainer.start()
    assert [group["lr"] for group in second.trainer.session.optimizer.param_groups] == [0.002, 0.002]


@pytest.mark.parametrize(
    "arguments",
    [{"step_size": "1", "gamma": "0.5"}, {"step_size": "0"}],
    ids=["right", "wrong"],
)
def test_a_custom_scheduler_trains_and_resumes_or_is_refused_by_its_arguments(training, arguments):
    pairs = [{"key": key, "value": value} for key, value in arguments.items()]
    names = {"learning_rate_scheduler": "CUSTOM", "custom_learning_rate_scheduler": "torch.optim.lr_scheduler.StepLR"}
    changes = names | {"scheduler_params": pairs, "learning_rate_warmup_steps": 0.4}
    if arguments["step_size"] == "0":
        with pytest.raises(BadConfig, match="scheduler_params: StepLR does not take these arguments"):
            training("first", **changes).trainer.start()
        return
    first = training("first", epochs=2, backup_before_save=True, **changes).run()
    whole = training("whole", epochs=2, **changes).run()
    again = training("again", epochs=2, resume_from=first.artifacts("backup")[0], **changes)
    again.trainer.start()
    rates = [group["lr"] for group in again.trainer.session.optimizer.param_groups]
    assert rates == [group["lr"] for group in whole.trainer.session.optimizer.param_groups]
