"""Parts of pictures around their masks, turned and framed at random."""

from random import Random

import numpy
import pytest
from PIL import Image

from engine.builtin.data.inputs import mask_pixels, picture_pixels
from engine.builtin.data.loader import BatchLoader
from engine.builtin.data.regions import draw_region, outline, outline_of_all
from tests.engine.data import FakeFamily, make_config

SIZE = (200, 120)  # width and height
WHITE = (60, 40, 100, 70)  # left, top, right and bottom
CUT = {"image": {"enable_random_mask_rotate_crop": True, "enable_crop_jitter": False}}


def mask_of(box=WHITE, size=SIZE):
    mask = numpy.zeros(size[::-1], dtype=numpy.float32)
    mask[box[1] : box[3], box[0] : box[2]] = 1
    return mask


def drawn(seed, smallest=8, mask=None):
    return draw_region(outline(mask_of() if mask is None else mask), *SIZE, smallest, Random(seed))


def test_an_outline_has_the_ends_of_each_row():
    mask = numpy.array([[0, 0, 0, 0], [0, 1, 1, 0], [1, 0, 0, 1]], dtype=float)
    assert sorted(map(tuple, outline(mask).tolist())) == [(0, 2), (1, 1), (2, 1), (3, 2)]
    assert outline(numpy.zeros((3, 4))).tolist() == outline_of_all(4, 3).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_a_part_holds_the_whole_mask_and_lies_within_the_picture(seed):
    region = drawn(seed)
    left, top, right, bottom = region.box
    assert 0 <= left < right <= SIZE[0] and 0 <= top < bottom <= SIZE[1]
    whole = numpy.asarray(
        Image.fromarray(mask_of()).rotate(region.angle, Image.Resampling.BILINEAR, center=region.centre)
    )
    part = numpy.asarray(region.cut_out(Image.fromarray(mask_of())))
    assert part.sum() == pytest.approx(whole.sum(), rel=0.001)


def test_the_frame_takes_ten_to_thirty_percent_and_the_angle_is_up_to_twenty_degrees():
    regions = [drawn(seed) for seed in range(500)]
    angles = [region.angle for region in regions]
    assert -20 <= min(angles) < -19.5 and 19.5 < max(angles) <= 20
    level = [region for region in regions if abs(region.angle) < 1]
    shares = [40 / region.size[0] for region in level]
    assert 0.66 < min(shares) < max(shares) < 0.95


def test_a_part_is_not_smaller_than_the_training_resolution():
    assert all(width * height >= 64**2 for width, height in (drawn(seed, 64).size for seed in range(50)))


def test_a_part_at_the_edge_is_moved_into_the_picture():
    corner = drawn(1, 64, mask_of((190, 110, 200, 120)))
    assert corner.box[2:] == SIZE


@pytest.fixture
def folder(tmp_path):
    """A red picture that is blue where its mask is white."""
    folder = tmp_path / "stars"
    folder.mkdir()
    for number in range(2):
        picture = Image.new("RGB", SIZE, (255, 0, 0))
        picture.paste((0, 0, 255), WHITE)
        picture.save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text("a star")
        Image.fromarray((mask_of() * 255).astype(numpy.uint8)).save(folder / f"{number}-masklabel.png")
    return folder


def loaded(folder, **changes):
    loader = BatchLoader(make_config(folder, CUT, masked_training=True, **changes), FakeFamily(), True)
    assert loader.prepare(lambda done, total: None)
    return loader


def test_picture_and_mask_are_cut_alike(folder):
    loader = loaded(folder, latent_caching=False, resolution="32")
    for epoch in range(4):
        for item in loader.batches(epoch)[0]:
            blue = picture_pixels(item)[2] / 2 + 0.5
            mask = mask_pixels(item)[0]
            assert (blue - mask).abs().mean() < 0.05
            assert mask.mean() > 0.3


def test_parts_differ_and_the_epochs_stay_equally_long(folder):
    loader = loaded(folder, latent_caching=False)
    regions = {item.region for epoch in range(10) for batch in loader.batches(epoch) for item in batch}
    assert len(regions) == 10  # the two pictures are the same
    assert {len(loader.batches(epoch)) for epoch in range(10)} == {1}


def test_a_mask_of_another_size_is_cut_where_its_picture_is(folder):
    for number in range(2):
        Image.fromarray((mask_of() * 255).astype(numpy.uint8)).resize((100, 60)).save(
            folder / f"{number}-masklabel.png"
        )
    loader = loaded(folder, latent_caching=False, resolution="32")
    for item in loader.batches(0)[0]:
        assert (picture_pixels(item)[2] / 2 + 0.5 - mask_pixels(item)[0]).abs().mean() < 0.06


def test_without_masks_pictures_are_not_cut(folder):
    loader = BatchLoader(make_config(folder, CUT), FakeFamily(), True)
    loader.prepare(lambda done, total: None)
    assert {item.region for item in loader.batches(0)[0]} == {None}
