"""Faults of random changes, masks and caches that users of such trainers reported."""

import pytest
from PIL import Image

from engine.builtin.data.loader import BatchLoader
from tests.engine.data import FakeFamily, make_config, make_pictures
from tests.engine.tiny import Training, make_model
from tests.engine.tiny import make_pictures as make_grays


def loaded(config, family=None):
    loader = BatchLoader(config, family or FakeFamily(), True)
    assert loader.prepare(lambda done, total: None)
    return loader


def items_of(loader, epochs):
    return [item for epoch in range(epochs) for batch in loader.batches(epoch) for item in batch]


def test_a_cache_does_not_fix_on_which_side_a_picture_is_mirrored(tmp_path):
    """WalkingMeatAxolotl/AnimaLoraStudio#176: the random flip was drawn once, while the cache was filled."""
    folder = make_pictures(tmp_path / "stars", [(80, 80)] * 2)
    loader = loaded(make_config(folder, {"image": {"enable_random_flip": True}}))
    sides = {(item.picture.path.name, item.crop.flip) for item in items_of(loader, 20)}
    assert sides == {(f"{number}.png", flip) for number in range(2) for flip in (False, True)}


def test_cached_tags_are_shuffled_more_than_once(tmp_path):
    """tdrussell/diffusion-pipe#92: tags were shuffled once at the start, so each epoch had the same caption."""
    folder = make_pictures(tmp_path / "stars", [(80, 80)] * 2)
    (folder / "0.txt").write_text("star, a, b, c, d, e")
    concept = {"text": {"enable_tag_shuffling": True}, "text_variations": 10}
    loader = loaded(make_config(folder, concept, text_encoder={"train": False}))
    captions = {item.caption for item in items_of(loader, 10) if item.picture.path.name == "0.png"}
    assert len(captions) > 5


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"), levels=1)


@pytest.fixture
def training(model, tmp_path):
    """Trainings that share one cache."""
    pictures = make_grays(tmp_path / "pictures")
    for number in range(6):
        mask = Image.new("L", (32, 32), 0)
        mask.paste(255, (0, 0, 16, 32))
        mask.save(pictures / f"{number}-masklabel.png")

    def losses(name, **changes):
        changes = {"text_encoder": {"train": False}, "cache_dir": str(tmp_path / "cache"), "epochs": 1} | changes
        return list(Training(model, pictures, tmp_path / name, **changes).run().recorder.losses.values())

    return losses


def test_caption_dropout_is_not_baked_into_the_cache(training):
    """wochenlong/lora-scripts-next#333: a cache that was filled without dropout kept dropout off."""
    plain = training("plain")
    dropped = {"train": False, "dropout_probability": 0.999}
    assert training("dropped", text_encoder=dropped) != plain
    assert training("again") == plain


def test_masks_can_be_turned_on_after_a_training_without_them(training):
    """Nerogar/OneTrainer#322: with a cache from a training without masks, masked training failed."""
    plain = training("plain")
    assert training("masked", masked_training=True)[0] < plain[0]


def test_a_setting_of_masks_does_not_end_a_training_without_masks(training):
    """Nerogar/OneTrainer#61: normalize_masked_area_loss without masked_training raised a KeyError."""
    assert training("normalized", normalize_masked_area_loss=True) == training("plain")
