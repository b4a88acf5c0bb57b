"""Masked training: masks beside pictures, and what they do to the loss, against values computed by hand."""

import numpy
import pytest
import torch
from PIL import Image

from engine.builtin.config.check import check
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.concepts import survey
from engine.builtin.data.loader import BatchLoader
from engine.builtin.data.pictures import PictureIndex
from engine.builtin.families.base import Prediction
from engine.builtin.families.lora import lora_parameters, without_lora
from engine.builtin.training.losses import batch_loss
from engine.builtin.training.masking import Masking
from engine.interface.errors import BadData
from tests.engine.data import FakeFamily, make_config, make_pictures
from tests.engine.tiny import Training, make_model
from tests.engine.tiny import make_pictures as make_grays

ON = {"masked_training": True}


def save_mask(path, size=(80, 80), white=(0, 0, 40, 80)):
    """A mask that is white in a box and black elsewhere."""
    mask = Image.new("L", size, 0)
    mask.paste(255, white)
    mask.save(path)


@pytest.fixture
def folder(tmp_path):
    folder = make_pictures(tmp_path / "stars", [(80, 80)] * 2)
    for number in range(2):
        save_mask(folder / f"{number}-masklabel.png")
    return folder


def loaded(config, family=None):
    loader = BatchLoader(config, family or FakeFamily(), True)
    assert loader.prepare(lambda done, total: None)
    return loader


@pytest.mark.parametrize("caching", [True, False])
def test_a_mask_has_the_size_of_the_prediction_and_is_cut_like_its_picture(folder, caching):
    batch = next(loaded(make_config(folder, **ON, latent_caching=caching)).epoch(0))
    assert batch.mask.shape == (2, 1, 16, 16)
    assert torch.allclose(batch.mask[:, :, :, :7], torch.ones(2, 1, 16, 7), atol=1e-6)
    assert torch.allclose(batch.mask[:, :, :, 9:], torch.zeros(2, 1, 16, 7), atol=1e-6)


def test_a_mirrored_picture_has_a_mirrored_mask(folder):
    flipped = next(loaded(make_config(folder, {"image": {"enable_fixed_flip": True}}, **ON)).epoch(0)).mask
    plain = next(loaded(make_config(folder, **ON)).epoch(0)).mask
    assert torch.allclose(flipped, plain.flip(-1), atol=1e-6)


def test_without_masked_training_masks_are_not_read(folder):
    (folder / "0-masklabel.png").write_bytes(b"no picture")
    assert next(loaded(make_config(folder)).epoch(0)).mask is None


def test_turning_masks_on_keeps_the_pictures_that_are_encoded(folder):
    loaded(make_config(folder))
    family = FakeFamily()
    loaded(make_config(folder, **ON), family)
    assert family.encoded == []


def test_a_mask_that_changes_is_used_as_it_is_now(folder):
    config = make_config(folder, **ON)
    next(loaded(config).epoch(0))
    for number in range(2):
        save_mask(folder / f"{number}-masklabel.png", white=(0, 0, 80, 80))
    assert next(loaded(config).epoch(0)).mask.min() > 0.999


def test_a_mask_that_changes_during_the_run_ends_it(folder):
    loader = loaded(make_config(folder, **ON, latent_caching=False))
    for number in range(2):
        save_mask(folder / f"{number}-masklabel.png", white=(0, 0, 80, 80))
    with pytest.raises(BadData, match="masklabel.png can no longer be read"):
        next(loader.epoch(0))


def test_shrunk_masks_are_smaller_and_differ(folder):
    concept = {"image": {"enable_random_circular_mask_shrink": True}}
    loader = loaded(make_config(folder, concept, **ON, latent_caching=False))
    whole = next(loaded(make_config(folder, **ON)).epoch(0)).mask.sum(dim=(1, 2, 3))
    sums = torch.cat([batch.mask.sum(dim=(1, 2, 3)) for epoch in range(10) for batch in loader.epoch(epoch)])
    assert (sums <= whole[0]).all()
    assert len(sums.unique()) > 15


def problems(folder):
    config = make_config(folder, **ON)
    return [(problem.severity, problem.message) for problem in survey(config, PictureIndex(folder)).problems]


def test_a_picture_without_a_mask_is_trained_whole_with_a_warning(folder):
    (folder / "1-masklabel.png").unlink()
    ((severity, message),) = problems(folder)
    assert severity == "warning"
    assert message.startswith("1 picture has no mask and is trained whole; add ")
    batch = next(loaded(make_config(folder, **ON)).epoch(0))
    assert sorted(batch.mask.mean(dim=(1, 2, 3)).tolist()) == pytest.approx([0.5, 1.0], abs=0.02)


def test_a_mask_of_another_shape_is_a_warning_and_a_broken_one_an_error(folder):
    save_mask(folder / "0-masklabel.png", size=(160, 80))
    ((severity, message),) = problems(folder)
    assert severity == "warning" and "0-masklabel.png (160x80 for 80x80)" in message
    (folder / "0-masklabel.png").write_bytes(b"no picture")
    ((severity, message),) = problems(folder)
    assert severity == "error" and "cannot be read as a mask: 0-masklabel.png (" in message


def masked_loss(masking_of, **changes):
    """The loss of a prediction whose error is 1 in the left half and 3 in the right, the mask being the left half."""
    predicted = torch.tensor([1.0, 1.0, 3.0, 3.0]).expand(1, 2, 2, 4)
    prediction = Prediction(predicted, torch.zeros(1, 2, 2, 4), torch.ones(1), is_velocity=False)
    mask = torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(1, 1, 2, 4)
    config = TrainConfig.from_dict(ON | changes)
    return batch_loss(config, prediction, torch.ones(1), masking_of(config, mask)).item()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"unmasked_weight": 0.0}, (1 + 0) / 2),
        ({"unmasked_weight": 0.1}, (1 + 0.1 * 9) / 2),
        ({"unmasked_weight": 1.0}, (1 + 9) / 2),
        ({"unmasked_weight": 0.0, "normalize_masked_area_loss": True}, 1.0),
        ({"unmasked_weight": 0.1, "normalize_masked_area_loss": True}, (1 + 0.1 * 9) / (1 + 0.1)),
        ({"unmasked_weight": 0.1, "mse_strength": 0.0, "mae_strength": 2.0}, 2 * (1 + 0.1 * 3) / 2),
    ],
)
def test_the_loss_counts_each_place_by_its_mask(changes, expected):
    assert masked_loss(Masking, **changes) == pytest.approx(expected)


@pytest.mark.parametrize(("normalizes", "expected"), [(False, (1 + 0.2 * 9 + 0.5 * 0.8 * 4) / 2), (True, None)])
def test_outside_the_mask_a_prediction_is_held_to_the_prior(normalizes, expected):
    """The prior is 1 everywhere, so the difference to it is 0 in the left half and 2 in the right."""
    if normalizes:
        expected = (1 + 0.2 * 9) / (1 + 0.2) + 0.5 * (0.8 * 4) / 0.8
    changes = {"unmasked_weight": 0.2, "masked_prior_preservation_weight": 0.5}
    prior = torch.ones(1, 2, 2, 4)
    found = masked_loss(
        lambda config, mask: Masking(config, mask, prior), **changes, normalize_masked_area_loss=normalizes
    )
    assert found == pytest.approx(expected)


def test_a_black_mask_makes_a_normalized_loss_zero_and_not_nan():
    def black(config, mask):
        return Masking(config, torch.zeros_like(mask))

    assert masked_loss(black, unmasked_weight=0.0, normalize_masked_area_loss=True) == 0


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"), levels=1)


@pytest.fixture
def training(model, tmp_path):
    pictures = make_grays(tmp_path / "pictures")
    for number in range(6):
        save_mask(pictures / f"{number}-masklabel.png", (32, 32), (0, 0, 16, 32))

    def make(name, **changes):
        return Training(model, pictures, tmp_path / name, epochs=1, **changes)

    return make


def test_masks_and_the_prior_change_the_training(training):
    losses = [
        list(training(str(number), **changes).run().recorder.losses.values())
        for number, changes in enumerate([{}, ON, ON | {"masked_prior_preservation_weight": 1.0}])
    ]
    assert losses[1][0] < losses[0][0]
    assert losses[2][0] == pytest.approx(losses[1][0], abs=1e-6)  # an untrained LoRA predicts what the prior does
    assert losses[2][-1] > losses[1][-1]


def test_leaving_out_the_lora_gives_the_base_model_and_changes_no_weight(training):
    run = training("run")
    run.trainer.start()
    family = run.trainer.session.family
    unet = family.parts["unet"]
    inputs = (torch.ones(1, 4, 8, 8), 5, torch.ones(1, 3, 16))
    base = unet(*inputs).sample
    with torch.no_grad():
        for weight in lora_parameters(unet):
            weight.copy_(torch.full_like(weight, 0.1))
    lora_parameters(unet)[0].requires_grad_(False)
    before = [(weight.clone(), weight.requires_grad) for weight in unet.parameters()]
    with without_lora(family.parts.values()):
        assert torch.equal(unet(*inputs).sample, base)
    assert not torch.equal(unet(*inputs).sample, base)
    after = [(weight, weight.requires_grad) for weight in unet.parameters()]
    assert all(torch.equal(old, new) and was == now for (old, was), (new, now) in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"unmasked_weight": 0.5}, "unmasked_weight"),
        ({"normalize_masked_area_loss": True}, "normalize_masked_area_loss"),
        (ON | {"unmasked_probability": 0.5}, "unmasked_probability"),
        (ON | {"masked_prior_preservation_weight": 1.0}, "masked_prior_preservation_weight"),
    ],
)
def test_a_setting_of_masks_without_effect_is_a_warning(config, field):
    found = check({"concepts": [{"path": "/p"}], **config})
    assert [(problem.field, problem.severity) for problem in found] == [(field, "warning")]


def test_a_mask_of_sixteen_bits_is_scaled_and_not_clipped(folder):
    for number in range(2):
        Image.fromarray(numpy.full((80, 80), 32896, numpy.uint16)).save(folder / f"{number}-masklabel.png")
    batch = next(loaded(make_config(folder, **ON)).epoch(0))
    assert batch.mask.mean().item() == pytest.approx(0.5, abs=0.01)
