"""Batches of encoded pictures and captions."""

import os
import threading

import pytest
import torch
from PIL import Image

from engine.builtin.data.loader import BatchLoader
from engine.interface.errors import BadData
from tests.engine.data import FakeFamily, make_config, make_pictures


def ignore(done, total):
    pass


@pytest.fixture
def folder(tmp_path):
    return make_pictures(tmp_path / "stars", [(80, 80)] * 4 + [(160, 80)] * 2)


def loader_of(config, family=None, cache_text=True):
    loader = BatchLoader(config, family or FakeFamily(), cache_text)
    assert loader.prepare(ignore)
    return loader


def described(batch):
    return (batch.names, batch.captions, batch.latents["mean"].tolist(), batch.text["hidden"].tolist())


def encoded_by(config, identity="fake", cache_text=True):
    """How many pictures a new run has to encode."""
    family = FakeFamily(identity)
    loader_of(config, family, cache_text)
    return len(family.encoded)


def test_a_batch_stacks_what_the_family_encodes(folder):
    loader = loader_of(make_config(folder))
    batches = list(loader.epoch(0))
    assert len(batches) == len(loader) == 3
    for batch in batches:
        assert batch.latents["mean"].shape == (2, 3)
        assert batch.text["hidden"].shape == (2, 20)
        assert batch.loss_weight.tolist() == [1, 1]
        assert [f"picture {name[-5]}" for name in batch.names] == batch.captions


def test_latents_are_those_of_their_picture(folder):
    for batch in loader_of(make_config(folder)).epoch(0):
        for name, mean in zip(batch.names, batch.latents["mean"], strict=True):
            expected = torch.tensor([int(name[-5]) * 20, int(name[-5]), 200]) / 127.5 - 1
            assert torch.allclose(mean, expected, atol=1e-5)


def test_an_epoch_can_start_in_its_middle_without_reading_earlier_batches(folder):
    config = make_config(folder, latent_caching=False)
    whole = [described(batch) for batch in loader_of(config).epoch(5)]
    family = FakeFamily()
    rest = [described(batch) for batch in loader_of(config, family).epoch(5, start=2)]
    assert rest == whole[2:]
    assert [shape[0] for shape in family.encoded] == [2]


def test_the_cache_gives_the_same_batches_as_no_cache(folder):
    cached = [described(batch) for batch in loader_of(make_config(folder)).epoch(0)]
    fresh = [described(batch) for batch in loader_of(make_config(folder, latent_caching=False)).epoch(0)]
    assert cached == fresh


def test_the_trainer_encodes_the_text_if_the_text_encoder_is_trained(folder):
    family = FakeFamily()
    loader = loader_of(make_config(folder), family, cache_text=False)
    assert {batch.text for batch in loader.epoch(0)} == {None}
    assert family.captions == []


def test_a_concepts_weight_goes_with_its_pictures(folder):
    batch = next(loader_of(make_config(folder, {"loss_weight": 0.5})).epoch(0))
    assert batch.loss_weight.tolist() == [0.5, 0.5]


def test_everything_is_encoded_before_the_first_step(folder):
    family = FakeFamily()
    loader = loader_of(make_config(folder, {"image": {"enable_random_flip": True}}), family)
    prepared = len(family.encoded)
    for epoch in range(5):
        list(loader.epoch(epoch))
    assert prepared == len(family.encoded) == 12


def test_a_second_run_encodes_nothing(folder):
    config = make_config(folder)
    assert (encoded_by(config), encoded_by(config)) == (6, 0)


def test_a_changed_picture_is_encoded_again(folder):
    config = make_config(folder)
    encoded_by(config)
    Image.new("RGB", (80, 80), (255, 255, 255)).save(folder / "0.png")
    os.utime(folder / "0.png", ns=(1, 1))
    assert encoded_by(config) == 1
    means = [mean for batch in loader_of(config).epoch(0) for mean in batch.latents["mean"].tolist()]
    assert [1, 1, 1] in means


@pytest.mark.parametrize(
    ("concept", "changes", "encoded"),
    [
        ({}, {"resolution": "128"}, 6),
        ({"image": {"enable_fixed_flip": True}}, {}, 6),
        ({"image": {"enable_random_flip": True}}, {}, 6),
        ({"image": {"enable_crop_jitter": False}}, {}, 2),
        ({}, {"aspect_ratio_bucketing": False}, 2),
        ({"loss_weight": 2.0}, {"learning_rate": 1e-4, "batch_size": 1}, 0),
    ],
)
def test_a_changed_setting_never_hits_an_old_entry(folder, concept, changes, encoded):
    encoded_by(make_config(folder))
    assert encoded_by(make_config(folder, concept, **changes)) == encoded


def test_another_model_never_hits_an_old_entry(folder):
    encoded_by(make_config(folder))
    assert encoded_by(make_config(folder), identity="another") == 6


def test_training_the_text_encoder_or_not_keeps_the_pictures_that_are_encoded(folder):
    """Only captions depend on the text encoder: whether it is trained, its weights, and the layers left out."""
    encoded_by(make_config(folder))
    assert encoded_by(make_config(folder), cache_text=False) == 0
    family = FakeFamily(caption_identity="another text encoder")
    loader_of(make_config(folder), family)
    assert (len(family.encoded), len(family.captions)) == (0, 6)


def test_without_a_cache_a_batch_is_encoded_at_once(folder):
    family = FakeFamily()
    loader = loader_of(make_config(folder, latent_caching=False), family)
    list(loader.epoch(0))
    assert [shape[0] for shape in family.encoded] == [2, 2, 2]


@pytest.mark.parametrize("caching", [True, False])
def test_any_number_of_threads_gives_the_same_batches(folder, caching):
    config = {"image": {"enable_random_flip": True, "enable_random_hue": True, "random_hue_max_strength": 0.5}}
    batches = [
        [described(batch) for batch in loader_of(make_config(folder, config, **changes)).epoch(1)]
        for changes in ({"latent_caching": caching, "dataloader_threads": threads} for threads in (1, 2, 5))
    ]
    assert batches[0] == batches[1] == batches[2]


def test_a_picture_that_vanishes_ends_the_epoch_in_its_batch_and_leaves_no_thread(folder):
    loader = loader_of(make_config(folder, latent_caching=False))
    last = loader.batches(0)[-1][0].picture.path
    last.unlink()
    batches = loader.epoch(0)
    assert len([next(batches), next(batches)]) == 2
    with pytest.raises(BadData, match=f"{last.name} can no longer be read"):
        next(batches)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("loader")]


def test_a_changed_caption_is_encoded_again(folder):
    loader_of(make_config(folder))
    (folder / "3.txt").write_text("another")
    family = FakeFamily()
    loader_of(make_config(folder), family)
    assert family.captions == ["another"]


def test_a_cache_that_was_emptied_during_the_run_is_filled_again(folder, tmp_path):
    loader = loader_of(make_config(folder))
    before = [described(batch) for batch in loader.epoch(0)]
    for file in (tmp_path / "cache").rglob("*.safetensors"):
        file.unlink()
    assert [described(batch) for batch in loader.epoch(0)] == before


def test_a_picture_that_changes_during_the_run_ends_it(folder):
    loader = loader_of(make_config(folder, latent_caching=False))
    for file in folder.glob("*.png"):
        Image.new("RGB", (80, 80), (1, 2, 3)).save(file)
    with pytest.raises(BadData, match="start the run again"):
        next(loader.epoch(0))


def test_bad_data_is_refused_before_anything_is_encoded(folder):
    (folder / "0.png").write_bytes(b"")
    (folder / "1.txt").write_bytes(b"\xff\xfe\xfa")
    family = FakeFamily()
    with pytest.raises(BadData) as caught:
        BatchLoader(make_config(folder), family, True).prepare(ignore)
    assert len(caught.value.problems) == 2
    assert family.encoded == []


def test_too_few_pictures_for_a_batch_are_refused(folder):
    with pytest.raises(BadData, match="do not fill a batch of 7"):
        loader_of(make_config(folder, batch_size=7))


def test_pictures_that_are_never_trained_are_a_warning(folder):
    loader = loader_of(make_config(folder, batch_size=3))
    assert [problem.field for problem in loader.warnings] == ["batch_size"]


def test_a_stop_while_caching_ends_it_soon(folder):
    family = FakeFamily()
    loader = BatchLoader(make_config(folder), family, True)
    assert loader.prepare(ignore, should_stop=lambda: len(family.encoded) == 2) is False
    assert len(family.encoded) == 2


def test_progress_is_reported_up_to_its_end(folder):
    reports = []
    BatchLoader(make_config(folder), FakeFamily(), True).prepare(lambda done, total: reports.append((done, total)))
    assert reports == [(done, 6) for done in range(1, 7)] * 2


def test_tensors_need_no_gradient(folder):
    class Trained(FakeFamily):
        def encode_captions(self, captions):
            hidden = super().encode_captions(captions)["hidden"]
            return {"hidden": hidden * torch.ones(1, requires_grad=True)}

    batch = next(loader_of(make_config(folder, latent_caching=False), Trained()).epoch(0))
    assert not batch.text["hidden"].requires_grad
