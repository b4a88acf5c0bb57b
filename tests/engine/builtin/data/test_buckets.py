"""The sizes at which pictures are trained."""

import pytest

from engine.builtin.config.resolutions import Resolution, parse_resolution
from engine.builtin.data.buckets import bucket_sizes, quantized


@pytest.mark.parametrize(
    ("text", "resolutions"),
    [
        ("512", [Resolution(512, 512)]),
        ("512, 768", [Resolution(512, 512), Resolution(768, 768)]),
        ("1024x768", [Resolution(1024, 768, exact=True)]),
    ],
)
def test_resolutions_are_read(text, resolutions):
    assert parse_resolution(text) == resolutions


@pytest.mark.parametrize("text", ["", "big", "0", "4", "512,", "512x", "-512", "99999", "512;768", "1e3"])
def test_a_text_that_is_no_resolution_is_refused(text):
    with pytest.raises(ValueError, match="resolution|range"):
        parse_resolution(text)


@pytest.mark.parametrize(
    ("picture", "size"),
    [((800, 800), (512, 512)), ((1600, 900), (704, 384)), ((900, 1600), (384, 704)), ((5000, 100), (1024, 256))],
)
def test_sides_follow_the_picture_and_keep_the_area(picture, size):
    assert bucket_sizes(picture, parse_resolution("512"), True, 64) == (size,)


def test_without_bucketing_all_pictures_are_square():
    assert bucket_sizes((1600, 900), parse_resolution("512"), False, 64) == ((512, 512),)


def test_an_exact_resolution_is_kept_for_every_picture():
    assert bucket_sizes((900, 1600), parse_resolution("1024x768"), True, 64) == ((1024, 768),)


def test_each_resolution_gives_a_size():
    assert bucket_sizes((100, 100), parse_resolution("512,768"), True, 64) == ((512, 512), (768, 768))


@pytest.mark.parametrize(("side", "multiple", "result"), [(511, 64, 512), (10, 64, 64), (100, 8, 96), (64, 16, 64)])
def test_sides_are_multiples_and_never_zero(side, multiple, result):
    assert quantized(side, multiple) == result
