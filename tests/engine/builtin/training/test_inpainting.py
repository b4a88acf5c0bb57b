"""Inpainting models: what their UNet sees, how they train, sample and are saved."""

import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline
from PIL import Image

from engine.builtin.config.train_config import SampleConfig
from engine.builtin.families.inpainting import eroded
from engine.builtin.families.loading import load_family
from engine.interface.errors import MissingModel
from tests.engine.tiny import Training, make_model, make_pictures, sample

CPU = torch.device("cpu")
MASKED = {"masked_training": True, "unmasked_probability": 0.0}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    return make_model(folder, levels=1, kind=StableDiffusionInpaintPipeline, inputs=9)


@pytest.fixture
def pictures(tmp_path):
    """Gray pictures with masks whose left half is white."""
    folder = make_pictures(tmp_path / "pictures")
    for number in range(6):
        mask = Image.new("L", (32, 32), 0)
        mask.paste(255, (0, 0, 16, 32))
        mask.save(folder / f"{number}-masklabel.png")
    return folder


@pytest.fixture
def training(model, pictures, tmp_path):
    def make(name="run", base=model, **changes):
        changes = {"model_type": "STABLE_DIFFUSION_15_INPAINTING", "epochs": 1} | changes
        return Training(base, pictures, tmp_path / name, **changes)

    return make


def seen(training, **changes):
    """The UNet's inputs in each step, and its session."""
    run = training(**changes)
    run.trainer.start()
    unet, inputs = run.trainer.session.family.pipeline.unet, []
    unet.register_forward_pre_hook(lambda module, args: inputs.append(args[0].detach()))
    run.trainer.train()
    return inputs, run.trainer.session


@pytest.mark.parametrize("caching", [True, False])
def test_the_unet_sees_the_mask_and_the_picture_without_the_masked_part(training, caching):
    inputs, session = seen(training, **MASKED, latent_caching=caching)
    family = session.family
    for item, values in zip(
        [item for batch in session.loader.batches(0) for item in batch], torch.cat(inputs), strict=True
    ):
        gray = int(item.picture.path.stem) * 40 / 127.5 - 1
        pixels = torch.full((1, 3, 32, 32), gray)
        pixels[:, :, :, :16] = 0
        conditioning = family.encode_images(pixels)["mean"][0] * family.pipeline.vae.config.scaling_factor
        assert torch.allclose(values[5:], conditioning, atol=1e-4)
        assert torch.allclose(values[4, :, :3], torch.ones(8, 3), atol=1e-4)
        assert torch.allclose(values[4, :, 5:], torch.zeros(8, 3), atol=1e-4)


@pytest.mark.parametrize(
    "changes", [{"masked_training": True, "unmasked_probability": 1.0}, {"masked_training": False}]
)
def test_without_its_mask_a_picture_is_repainted_whole(training, changes):
    inputs, session = seen(training, **changes)
    blank = session.family.encode_images(torch.zeros(1, 3, 32, 32))["mean"][0]
    for values in torch.cat(inputs):
        assert torch.equal(values[4], torch.ones(8, 8))
        assert torch.allclose(values[5:], blank * session.family.pipeline.vae.config.scaling_factor, atol=1e-5)


def test_masks_are_left_out_with_the_given_probability(training):
    run = training(masked_training=True, unmasked_probability=0.25)
    run.trainer.start()
    loader = run.trainer.session.loader
    left_out = [item.ignores_mask for epoch in range(200) for batch in loader.batches(epoch) for item in batch]
    assert 0.21 < sum(left_out) / len(left_out) < 0.29


def test_the_loss_of_the_whole_picture_counts(training):
    def first_loss(name, **changes):
        return next(iter(training(name, **MASKED, **changes).run().recorder.losses.values()))

    plain = first_loss("plain", unmasked_weight=1.0)
    assert first_loss("weighted", unmasked_weight=0.1) == plain
    normalized = first_loss("normalized", unmasked_weight=0.0, normalize_masked_area_loss=True)
    assert normalized == pytest.approx(plain * 2, rel=1e-3)


@pytest.mark.parametrize("method", ["LORA", "FINE_TUNE"])
def test_it_trains_samples_and_saves_what_diffusers_loads(training, tmp_path, method):
    changes = {} if method == "LORA" else {"training_method": method, "output_model_format": "DIFFUSERS"}
    run = training(**MASKED, **changes, sample_after=1, sample_after_unit="EPOCH").run()
    assert len(run.recorder.losses) == 3
    assert list((tmp_path / "run" / "workspace" / "samples").rglob("*.png"))
    if method == "FINE_TUNE":
        saved = StableDiffusionInpaintPipeline.from_pretrained(run.config.output_model_destination)
        assert saved.unet.config.in_channels == 9


def test_a_single_file_loads_again_as_an_inpainting_model(training, tmp_path):
    run = training(training_method="FINE_TUNE", output_model_format="SAFETENSORS").run()
    again = training("again", base=tmp_path / "run" / "model.safetensors")
    family = load_family(again.config, CPU)
    weights = run.trainer.session.family.pipeline.unet.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in family.pipeline.unet.state_dict().items())


def drawn(training, tmp_path, **changes):
    family = load_family(training().config, CPU)
    return family.sample(SampleConfig.from_dict(sample("a red circle", **changes)), 1, lambda *_: None)


def test_a_sample_may_fill_in_a_part_of_a_picture(training, tmp_path):
    Image.new("RGB", (32, 32), (200, 0, 0)).save(tmp_path / "base.png")
    Image.new("L", (32, 32), 0).save(tmp_path / "mask.png")
    paths = {"base_image_path": str(tmp_path / "base.png"), "mask_image_path": str(tmp_path / "mask.png")}
    whole = drawn(training, tmp_path)
    part = drawn(training, tmp_path, sample_inpainting=True, **paths)
    assert whole.size == part.size == (32, 32)
    assert whole.tobytes() != part.tobytes()


def test_an_ordinary_model_is_refused_as_an_inpainting_model(training, tmp_path):
    plain = make_model(tmp_path / "plain", levels=1)
    with pytest.raises(MissingModel, match="its UNet has 4 input channels instead of 9"):
        load_family(training(base=plain).config, CPU)


def test_a_mask_is_eroded_by_half_of_its_surroundings():
    mask = torch.zeros(1, 9, 9)
    mask[:, :, :4] = 1
    assert eroded(mask)[0, 4].tolist() == [1, 1, 1, 1, 0, 0, 0, 0, 0]
    mask = torch.zeros(1, 9, 9)
    mask[:, 4, 4] = 1
    assert not eroded(mask).any()
