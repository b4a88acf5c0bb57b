"""Fine-tuning of the VAE: its decoder learns to restore the pictures, and nothing else changes."""

import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline, StableDiffusionPipeline
from PIL import Image

from engine.builtin.config.check import check
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.estimates.memory import estimate_memory
from engine.builtin.families.loading import load_family
from tests.engine.tiny import Training, config_for, make_model, make_pictures

OF_NOISE = [
    ("layer_filter", "attn"),
    ("layer_filter_preset", "attn-only"),
    ("train_dtype", "BFLOAT_16"),
    ("rescale_noise_scheduler_to_zero_terminal_snr", True),
    ("force_v_prediction", True),
    ("force_epsilon_prediction", True),
]
METHOD = {"training_method": "FINE_TUNE_VAE", "output_model_format": "DIFFUSERS", "epochs": 2}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"), levels=1)


@pytest.fixture
def pictures(tmp_path):
    return make_pictures(tmp_path / "pictures")


@pytest.fixture
def training(model, pictures, tmp_path):
    def make(name="run", base=model, resume_from=None, **changes):
        return Training(base, pictures, tmp_path / name, resume_from, **METHOD | changes)

    return make


def weights_of(folder, part):
    return getattr(StableDiffusionPipeline.from_pretrained(folder, safety_checker=None), part).state_dict()


def test_only_the_decoder_changes_in_the_saved_model(training, model):
    run = training(epochs=8, learning_rate=0.001).run()
    losses = list(run.recorder.losses.values())
    assert losses[-1] < losses[0]
    before, after = (weights_of(folder, "vae") for folder in (model, run.config.output_model_destination))
    changed = {name.split(".")[0] for name, weight in after.items() if not torch.equal(weight, before[name])}
    assert changed == {"decoder"}
    for part in ("unet", "text_encoder"):
        before, after = (weights_of(folder, part) for folder in (model, run.config.output_model_destination))
        assert all(torch.equal(weight, before[name]) for name, weight in after.items())


@pytest.mark.parametrize("caching", [True, False])
def test_the_loss_is_the_error_of_the_decoded_picture(training, caching):
    run = training(latent_caching=caching, mae_strength=0.5)
    run.trainer.start()
    session = run.trainer.session
    vae = session.family.pipeline.vae
    items = session.loader.batches(0)[0]
    gray = torch.tensor([int(item.picture.path.stem) * 40 / 127.5 - 1 for item in items])
    pixels = gray[:, None, None, None].expand(-1, 3, 32, 32)
    with torch.no_grad():
        difference = vae.decode(vae.encode(pixels).latent_dist.mode()).sample - pixels
    run.trainer.train()
    expected = (difference**2).mean() + 0.5 * difference.abs().mean()
    assert run.recorder.losses[0] == pytest.approx(expected.item(), rel=1e-4)


def test_a_mask_has_the_size_of_the_picture(training, pictures):
    for number in range(6):
        mask = Image.new("L", (32, 32), 0)
        mask.paste(255, (0, 0, 16, 32))
        mask.save(pictures / f"{number}-masklabel.png")
    run = training(masked_training=True, unmasked_weight=0.0)
    run.trainer.start()
    batch = next(run.trainer.session.loader.epoch(0))
    assert batch.mask.shape == batch.latents["pixels"][:, :1].shape == (2, 1, 32, 32)
    assert batch.mask.mean() == 0.5


def test_the_vae_is_trained_to_the_end_whatever_its_own_limit_says(training):
    run = training(vae={"stop_training_after": 1, "stop_training_after_unit": "STEP"}).run()
    assert len(run.recorder.losses) == 6


@pytest.mark.parametrize("field, value", OF_NOISE)
def test_what_a_decoder_s_training_does_not_have_is_said(field, value):
    found = check(METHOD | {"output_model_destination": "model", "concepts": [{"path": "/"}], field: value})
    (problem,) = [one for one in found if one.field == field]
    assert problem.message.startswith("has no effect")


def test_captions_are_not_encoded(training, monkeypatch):
    run = training()
    run.trainer.start()
    monkeypatch.setattr(run.trainer.session.family.pipeline.text_encoder, "forward", None)
    run.trainer.train()
    assert len(run.recorder.losses) == 6


def test_a_resumed_run_has_the_same_losses(training):
    whole = training("whole", epochs=3).run()
    first = training("first", epochs=3)
    first.at_step(4, lambda: first.commands.stop(final_model=False))
    first.run()
    backup = first.artifacts("backup")[-1]
    rest = training("first", epochs=3, resume_from=backup).run()
    assert {**first.recorder.losses, **rest.recorder.losses} == whole.recorder.losses


def test_the_vae_of_an_inpainting_model_is_trained_alike(tmp_path, training):
    base = make_model(tmp_path / "base", levels=1, kind=StableDiffusionInpaintPipeline, inputs=9)
    changes = {"sample_after": 1, "sample_after_unit": "EPOCH"}
    run = training(base=base, model_type="STABLE_DIFFUSION_15_INPAINTING", **changes).run()
    assert len(run.recorder.losses) == 6
    assert list((tmp_path / "run" / "workspace" / "samples").rglob("*.png"))
    saved = StableDiffusionInpaintPipeline.from_pretrained(run.config.output_model_destination)
    assert saved.unet.config.in_channels == 9


def test_training_the_decoder_keeps_the_pictures_that_are_encoded(training):
    def family_of(**changes):
        return load_family(training(**changes).config, torch.device("cpu"))

    decoder = family_of()
    before = decoder.picture_identity()
    with torch.no_grad():
        next(decoder.pipeline.vae.decoder.parameters()).add_(1)
    assert decoder.picture_identity() == before == family_of(training_method="FINE_TUNE").picture_identity()


def found(config, severity):
    return [problem.field for problem in check(config) if problem.severity == severity]


def test_settings_of_noise_and_captions_have_no_effect(model, pictures, tmp_path):
    config = config_for(model, pictures, tmp_path) | METHOD | {"output_model_destination": str(tmp_path / "out")}
    plain = found(config, "warning")
    changes = {"offset_noise_weight": 0.1, "text_encoder": {"dropout_probability": 0.1}, "unet": {"train": False}}
    assert sorted(set(found(config | changes, "warning")) - set(plain)) == [
        "offset_noise_weight",
        "text_encoder.dropout_probability",
        "unet.train",
    ]
    assert found(config | {"loss_weight_fn": "MIN_SNR_GAMMA"}, "error") == ["loss_weight_fn"]
    assert found(config | {"vae": {"weight_dtype": "FLOAT_16"}}, "error") == ["vae.weight_dtype"]


def test_the_memory_estimate_knows_the_decoder():
    settings = {"training_method": "FINE_TUNE_VAE", "concepts": [{"path": "/p"}], "train_device": "cuda"}
    parts = estimate_memory(TrainConfig.from_dict(settings), None, on_gpu=True).parts
    assert parts["gradients"] == 4 * 49_490_179
    assert parts["activations"] == 512 * 512 * 5700 * 4
