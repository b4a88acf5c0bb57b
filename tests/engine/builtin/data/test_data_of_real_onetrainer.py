"""Captions, pictures, masks and clip skip, compared with OneTrainer's own modules on the same inputs."""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from random import Random

import numpy
import pytest
import torch
from django.conf import settings
from PIL import Image
from transformers import CLIPTextConfig, CLIPTextModel

from engine.builtin.config.concept import ConceptImageConfig, ConceptTextConfig
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.data.augment import NO_CHANGES, Changes, draw_changes
from engine.builtin.data.pictures import Crop
from engine.builtin.data.regions import draw_region, outline
from engine.builtin.data.retouch import cut_mask, resized, retouched
from engine.builtin.data.tags import TagEditor
from engine.builtin.families.base import Prediction
from engine.builtin.training.masking import Masking

pytestmark = pytest.mark.real_onetrainer

SCRIPT = Path(__file__).with_name("onetrainers_data.py")
COUNT = 4000
CAPTION, SHORT = "star, red, big, (shiny)", "red star, sky"
DROPS = {"tag_dropout_enable": True, "tag_dropout_probability": 0.4}
SPECIAL = {"tag_dropout_special_tags_mode": "WHITELIST", "tag_dropout_special_tags": "s.*y, big"}
TEXTS = [
    {},
    {"enable_tag_shuffling": True, "keep_tags_count": 1},
    DROPS,
    DROPS | {"tag_dropout_mode": "RANDOM"},
    DROPS | {"tag_dropout_mode": "RANDOM WEIGHTED", "keep_tags_count": 0},
    DROPS | SPECIAL | {"tag_dropout_mode": "RANDOM"},
    DROPS | SPECIAL | {"tag_dropout_special_tags_regex": True},
    DROPS | SPECIAL | {"tag_dropout_special_tags_mode": "BLACKLIST", "tag_dropout_special_tags_regex": True},
    {"caps_randomize_enable": True, "caps_randomize_probability": 0.5, "caps_randomize_mode": "capslock, title, first"},
    {"caps_randomize_lowercase": True, "enable_tag_shuffling": True, "keep_tags_count": 3},
]
FIXED = {"rotate": 12.0, "brightness": 0.2, "contrast": -0.3, "saturation": 0.4, "hue": 0.15}
SCALED, CROP = (64, 96), (64, 80)  # height and width
PLACE = Crop((96, 64), 8, 0, (80, 64), flip=False)


def caption_of(changes):
    """Letters in another case are too many different captions for a long one."""
    return SHORT if "caps_randomize_enable" in changes else CAPTION


def text_settings(changes):
    return ConceptTextConfig.from_dict(changes).to_dict()


@pytest.fixture(scope="module")
def given():
    torch.manual_seed(0)
    mask = torch.zeros(1, 100, 150)
    mask[:, 20:80, 30:100] = 1
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
    layers = sizes | {"vocab_size": 50, "max_position_embeddings": 9}
    encoder = CLIPTextModel(CLIPTextConfig(**layers))
    tasks = {"texts": [text_settings(changes) for changes in TEXTS], "captions": list(map(caption_of, TEXTS))}
    return {
        "pixels": torch.rand(3, 24, 40),
        "mask": mask,
        "scene": mask * 0.7 + 0.2,
        "losses": torch.rand(2, 4, 8, 8),
        "prior": torch.rand(2, 4, 8, 8),
        "small": torch.rand(2, 1, 8, 8),
        "tokens": torch.randint(0, 50, (2, 9)),
        "tasks": json.dumps(tasks | {"count": COUNT, "fixed": FIXED, "scaled": SCALED, "crop": CROP}),
        "encoder": encoder.state_dict(),
        "layers": layers,
    }


@pytest.fixture(scope="module")
def theirs(given, tmp_path_factory):
    folder = tmp_path_factory.mktemp("theirs")
    torch.save(given, folder / "given.pt")
    command = [str(settings.ONETRAINER_PYTHON), str(SCRIPT), str(folder / "given.pt"), str(folder / "found.pt")]
    environment = {**os.environ, "PYTHONPATH": str(settings.ONETRAINER_HOME), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return torch.load(folder / "found.pt")


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_captions_come_out_as_often(theirs, number):
    editor = TagEditor(ConceptTextConfig.from_dict(TEXTS[number]))
    ours = Counter(editor.edit(caption_of(TEXTS[number]), Random(f"caption/{seed}")) for seed in range(COUNT))
    expected = Counter(theirs["captions"][number])
    assert set(ours) == set(expected)
    assert sum(abs(ours[text] - expected[text]) for text in ours) / 2 / COUNT < 0.04


def test_a_picture_is_rotated_and_recoloured_alike(given, theirs):
    changes = draw_changes(
        ConceptImageConfig.from_dict(
            {f"enable_fixed_{name}": True for name in FIXED}
            | {f"random_{name}_max_strength": value for name, value in FIXED.items() if name != "rotate"}
            | {"random_rotate_max_angle": FIXED["rotate"]}
        ),
        Random(0),
    )
    ours = retouched(given["pixels"].flip(-1) * 2 - 1, changes) / 2 + 0.5
    assert torch.allclose(ours, theirs["picture"], atol=1e-5)


def test_random_strengths_are_spread_alike(theirs):
    image = ConceptImageConfig.from_dict({"enable_random_brightness": True, "random_brightness_max_strength": 0.3})
    ours = torch.tensor([draw_changes(image, Random(f"changes/{seed}")).brightness for seed in range(COUNT)])
    quantiles = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0])
    expected = torch.tensor(theirs["brightnesses"]).quantile(quantiles)
    assert torch.allclose(ours.quantile(quantiles), expected, atol=0.03)


def test_a_mask_is_cut_and_scaled_down_alike(given, theirs):
    ours = resized(cut_mask(given["mask"], PLACE, NO_CHANGES), (8, 10))
    assert torch.allclose(ours, theirs["mask"], atol=1e-5)


def test_masks_shrink_as_much(given, theirs):
    image = ConceptImageConfig.from_dict({"enable_random_circular_mask_shrink": True})
    drawn = [draw_changes(image, Random(f"changes/{seed}")) for seed in range(800)]
    whole = Crop((150, 100), 0, 0, (150, 100), flip=False)
    only_shrunk = [Changes(shrink=changes.shrink, shrink_seed=changes.shrink_seed) for changes in drawn]
    ours = torch.tensor([cut_mask(given["mask"], whole, changes).sum().item() for changes in only_shrunk])
    expected = torch.tensor(theirs["areas"])
    assert ours.mean() == pytest.approx(expected.mean().item(), rel=0.08)
    assert ours.median() == pytest.approx(expected.median().item(), rel=0.12)


def test_parts_around_a_mask_are_the_same_for_the_same_random_numbers(given, theirs):
    """The places of a turned mask's edge differ by a pixel at most, because ours are computed from its outline."""
    points = outline(given["mask"][0].numpy())
    for seed, expected in enumerate(theirs["parts"]):
        region = draw_region(points, 150, 100, 48, Random(seed))
        height, width = expected["mask"].shape[-2:]
        assert abs(region.size[0] - width) <= 3 and abs(region.size[1] - height) <= 3
        ours = torch.from_numpy(numpy.asarray(region.cut_out(Image.fromarray(given["scene"][0].numpy()))).copy())
        theirs_resized = resized(expected["image"], tuple(ours.shape))[0]
        assert (ours - theirs_resized).abs().mean() < 0.03


@pytest.mark.parametrize("normalizes", [False, True])
def test_a_masked_loss_is_the_same(given, theirs, normalizes):
    changes = {
        "unmasked_weight": 0.1,
        "normalize_masked_area_loss": normalizes,
        "masked_prior_preservation_weight": 0.5,
    }
    masking = Masking(TrainConfig.from_dict(changes), given["small"], given["prior"])
    prediction = Prediction(torch.zeros(1), given["losses"], torch.ones(1), is_velocity=False)
    ours = masking.weighted(lambda predicted, errors: errors, prediction)
    assert torch.allclose(ours, theirs["losses"][normalizes], atol=1e-6)


@pytest.mark.parametrize("skip", [0, 1, 2])
def test_clip_skip_gives_the_same_state(given, theirs, skip):
    encoder = CLIPTextModel(CLIPTextConfig(**given["layers"])).eval()
    encoder.load_state_dict(given["encoder"])
    with torch.no_grad():
        states = encoder(given["tokens"], output_hidden_states=True).hidden_states
        ours = encoder.final_layer_norm(states[-1 - skip])
    assert torch.allclose(ours, theirs["hidden"][skip], atol=1e-5)
