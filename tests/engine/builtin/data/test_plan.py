"""The pictures of an epoch, and their batches."""

from collections import Counter

import pytest

from engine.builtin.data.batches import EpochPlan
from engine.builtin.data.concepts import survey
from engine.builtin.data.pictures import PictureIndex
from tests.engine.data import make_config, make_pictures

SQUARE, WIDE, TALL = (80, 80), (160, 80), (80, 160)


@pytest.fixture
def plan_of(tmp_path):
    def make(sizes, concept=None, **changes):
        config = make_config(make_pictures(tmp_path / "stars", sizes), concept, **changes)
        return EpochPlan(config, survey(config, PictureIndex(tmp_path)).pictures, size_multiple=8)

    return make


def described(batches):
    return [[(item.picture.path.name, item.crop, item.caption) for item in batch] for batch in batches]


def counted(batches):
    return Counter(item.picture.path.name for batch in batches for item in batch)


def test_an_epoch_has_each_picture_once(plan_of):
    assert counted(plan_of([SQUARE] * 6).batches(0)) == {f"{number}.png": 1 for number in range(6)}


def test_the_same_seed_and_epoch_give_the_same_batches(plan_of):
    sizes = [SQUARE, WIDE, TALL] * 4
    flips = {"image": {"enable_random_flip": True}}
    assert described(plan_of(sizes, flips).batches(3)) == described(plan_of(sizes, flips).batches(3))


def test_another_epoch_or_seed_gives_other_batches(plan_of):
    first = described(plan_of([SQUARE] * 12).batches(0))
    assert described(plan_of([SQUARE] * 12).batches(1)) != first
    assert described(plan_of([SQUARE] * 12, seed=7).batches(0)) != first


def test_a_batch_has_pictures_of_one_size(plan_of):
    batches = plan_of([SQUARE, WIDE, TALL] * 4).batches(0)
    assert {len({item.crop.size for item in batch}) for batch in batches} == {1}
    assert {item.crop.size for batch in batches for item in batch} == {(64, 64), (88, 48), (48, 88)}


def test_the_pictures_left_out_of_incomplete_batches_change_from_epoch_to_epoch(plan_of):
    plan = plan_of([SQUARE] * 5)
    assert {len(plan.batches(epoch)) for epoch in range(9)} == {2}
    assert len(sum((counted(plan.batches(epoch)) for epoch in range(9)), Counter())) == 5


def test_repeats_use_pictures_again(plan_of):
    assert set(counted(plan_of([SQUARE] * 4, {"balancing": 3.0}).batches(0)).values()) == {3}


def test_half_a_repeat_uses_half_of_the_pictures_and_then_the_other_half(plan_of):
    plan = plan_of([SQUARE] * 4, {"balancing": 1.5})
    assert sorted(counted(plan.batches(0)).values()) == [1, 1, 2, 2]
    assert set((counted(plan.batches(0)) + counted(plan.batches(1))).values()) == {3}


def test_each_repeat_within_an_epoch_has_a_variation_of_its_own(plan_of):
    concept = {"balancing": 2.0, "image_variations": 2}
    plan = plan_of([WIDE], concept, batch_size=1, aspect_ratio_bucketing=False)
    assert len({item.crop for batch in plan.batches(0) for item in batch}) == 2


def test_balancing_by_samples_uses_that_number_of_pictures(plan_of):
    plan = plan_of([SQUARE] * 4, {"balancing": 6.0, "balancing_strategy": "SAMPLES"})
    assert sum(counted(plan.batches(0)).values()) == 6


def test_a_fraction_of_a_repeat_is_divided_among_the_shapes(plan_of):
    plan = plan_of([SQUARE, WIDE, TALL, WIDE, TALL, SQUARE], {"balancing": 0.5}, batch_size=1)
    assert len(plan.batches(0)) == 3


@pytest.mark.parametrize("balancing", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("resolution", ["64", "64,96,128"])
def test_every_epoch_is_equally_long(plan_of, balancing, resolution):
    plan = plan_of([SQUARE, WIDE, TALL, SQUARE, WIDE] * 3, {"balancing": balancing}, resolution=resolution)
    assert {len(plan.batches(epoch)) for epoch in range(12)} == {len(plan)}


def test_batches_alternate_between_several_resolutions(plan_of):
    plan = plan_of([SQUARE], resolution="64,96", batch_size=1)
    assert [plan.batches(epoch)[0][0].crop.size for epoch in range(4)] == [(64, 64), (96, 96)] * 2


def test_a_concept_may_have_a_resolution_of_its_own(plan_of):
    plan = plan_of([SQUARE] * 2, {"image": {"enable_resolution_override": True, "resolution_override": "128"}})
    assert plan.batches(0)[0][0].crop.size == (128, 128)


def test_random_flips_mirror_about_half(plan_of):
    plan = plan_of([SQUARE] * 2, {"image": {"enable_random_flip": True}})
    flips = [item.crop.flip for epoch in range(50) for batch in plan.batches(epoch) for item in batch]
    assert 30 < sum(flips) < 70


def test_a_fixed_flip_mirrors_all(plan_of):
    plan = plan_of([SQUARE] * 2, {"image": {"enable_fixed_flip": True}})
    assert all(item.crop.flip for batch in plan.batches(0) for item in batch)


def test_a_random_flip_wins_over_a_fixed_one(plan_of):
    plan = plan_of([SQUARE] * 2, {"image": {"enable_fixed_flip": True, "enable_random_flip": True}})
    assert {item.crop.flip for epoch in range(9) for batch in plan.batches(epoch) for item in batch} == {True, False}


def test_colours_differ_from_turn_to_turn_and_are_cached_as_often_as_there_are_variations(plan_of):
    concept = {"image": {"enable_random_hue": True, "random_hue_max_strength": 1.0}, "image_variations": 3}

    def changes(**settings):
        plan = plan_of([SQUARE], concept, batch_size=1, **settings)
        return {plan.batches(epoch)[0][0].changes for epoch in range(9)}

    assert (len(changes()), len(changes(latent_caching=False))) == (3, 9)


def test_tags_are_edited_in_as_many_ways_as_there_are_text_variations(plan_of, tmp_path):
    concept = {"text": {"enable_tag_shuffling": True}, "text_variations": 2}
    plan = plan_of([SQUARE], concept, batch_size=1, text_encoder={"train": False})
    (tmp_path / "stars" / "0.txt").write_text(",".join("abcdefgh"))
    plan = EpochPlan(plan.config, survey(plan.config, PictureIndex(tmp_path)).pictures, 8)
    captions = {plan.batches(epoch)[0][0].caption for epoch in range(9)}
    assert len(captions) == 2
    assert all(caption.startswith("a, ") for caption in captions)
    assert captions == {item.caption for item in plan.variants()}


def test_a_crop_stays_with_a_cache_and_moves_without_it(plan_of):
    def cuts(plan):
        return {item.crop for epoch in range(5) for batch in plan.batches(epoch) for item in batch}

    square = {"batch_size": 1, "aspect_ratio_bucketing": False}
    assert len(cuts(plan_of([WIDE], **square))) == 1
    assert len(cuts(plan_of([WIDE], **square, latent_caching=False))) == 5
    assert len(cuts(plan_of([WIDE], {"image_variations": 3}, **square))) == 3


def test_without_jitter_the_centre_is_cropped(plan_of):
    plan = plan_of([(96, 80)], {"image": {"enable_crop_jitter": False}}, batch_size=1, aspect_ratio_bucketing=False)
    assert plan.batches(0)[0][0].crop.left == 6


def test_captions_alternate_over_their_variations(plan_of, tmp_path):
    plan = plan_of([SQUARE], {"text_variations": 20}, batch_size=1, text_encoder={"train": False})
    (tmp_path / "stars" / "0.txt").write_text("one\ntwo\nthree")
    plan = EpochPlan(plan.config, survey(plan.config, PictureIndex(tmp_path)).pictures, 8)
    assert {plan.batches(epoch)[0][0].caption for epoch in range(20)} == {"one", "two", "three"}


def test_captions_that_are_not_cached_change_from_epoch_to_epoch(plan_of, tmp_path):
    def captions(**changes):
        plan = plan_of([SQUARE], batch_size=1, **changes)
        (tmp_path / "stars" / "0.txt").write_text("one\ntwo\nthree")
        plan = EpochPlan(plan.config, survey(plan.config, PictureIndex(tmp_path)).pictures, 8)
        return {plan.batches(epoch)[0][0].caption for epoch in range(20)}

    frozen = {"text_encoder": {"train": False}}
    assert captions(text_encoder={"train": True}) == {"one", "two", "three"}
    assert captions(**frozen, latent_caching=False) == {"one", "two", "three"}
    assert len(captions(**frozen)) == 1


def test_the_variants_are_all_that_epochs_use(plan_of):
    concept = {"image": {"enable_random_flip": True}, "image_variations": 3}
    plan = plan_of([SQUARE, WIDE, (100, 80)] * 2, concept, resolution="64,96")
    variants = {(item.picture, item.crop) for item in plan.variants()}
    asked = {(item.picture, item.crop) for epoch in range(90) for batch in plan.batches(epoch) for item in batch}
    assert asked == variants
