"""Colours described by numbers: a file with them looks as the same colours saved in sRGB."""

import struct

import numpy
import pytest
from PIL import Image

from engine.builtin.reading.color_tags import SRGB, color_tags
from engine.builtin.reading.decoding import COLORS, LIGHT, decoded
from tests.engine.picture_files import file_of, png, red_is_green

P3, REC_2020 = (12, 13), (9, 13)
BT_709 = (1, 1)
# sRGB's (200, 100, 50) in other spaces, computed from the standards' matrices with 64-bit numbers and rounded.
ORANGE = (200, 100, 50)
ORANGE_IN_P3 = (187, 105, 62)
ORANGE_IN_2020 = (171, 111, 63)
GREY_IN_PQ = 140  # 203 nits * 0.7305, the light of 222 in sRGB
WHITE_IN_HLG = 191  # 75 %, which BT.2408 gives to paper


def tagged_png(color, *chunks, grey=False):
    rows = [bytes(color) * 4] * 4
    return png(4, 4, 8, 0 if grey else 2, rows, *chunks)


def cicp(primaries, transfer):
    return b"cICP", bytes([primaries, transfer, 0, 1])


def gama(value):
    return b"gAMA", struct.pack(">I", round(value * 100_000))


def chrm(points):
    return b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in points))


def shown(data):
    return decoded(data).picture.getpixel((1, 1))


def near(color, expected, by=2):
    return all(abs(one - other) <= by for one, other in zip(color, expected, strict=True))


def nclx_of(kind, numbers, color):
    names = {"color_primaries": numbers[0], "transfer_characteristics": numbers[1]}
    picture = Image.new("RGB", (64, 64), color)
    if kind == "HEIF":
        return file_of(picture, kind, quality=100, chroma=444, **names)
    return with_nclx(file_of(picture, kind, quality=100, subsampling="4:4:4"), *numbers)


def with_nclx(data, primaries, transfer):
    """An AVIF file with other numbers in its nclx: Pillow writes only those of sRGB."""
    place = data.index(b"colrnclx") + 8
    return data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :]


@pytest.mark.parametrize("numbers, color", [(P3, ORANGE_IN_P3), (REC_2020, ORANGE_IN_2020)])
@pytest.mark.parametrize("kind", ["PNG", "HEIF", "AVIF"])
def test_colors_of_other_primaries_look_as_in_srgb(kind, numbers, color):
    data = tagged_png(color, cicp(*numbers)) if kind == "PNG" else nclx_of(kind, numbers, color)
    assert near(shown(data), ORANGE, by=4)
    assert COLORS in decoded(data).losses


@pytest.mark.parametrize("numbers", [(1, 13), BT_709, (2, 2), (1, 6)])
def test_srgb_by_another_name_changes_nothing(numbers):
    data, heic = tagged_png(ORANGE, cicp(*numbers)), nclx_of("HEIF", numbers, ORANGE)
    assert shown(data) == ORANGE and not decoded(data).losses
    assert near(shown(heic), ORANGE) and not decoded(heic).losses


@pytest.mark.parametrize("numbers", [(200, 13), (12, 99), (0, 0)])
def test_unknown_numbers_change_nothing(numbers):
    assert shown(tagged_png(ORANGE, cicp(*numbers))) == ORANGE


@pytest.mark.parametrize(
    "chunks, color, expected",
    [
        ([gama(1.0)], (55, 55, 55), (128, 128, 128)),
        ([gama(1 / 1.8)], (128, 128, 128), (146, 146, 146)),
        ([gama(0.45455)], ORANGE, ORANGE),
        ([gama(0.45455), chrm(SRGB)], ORANGE, ORANGE),
        ([chrm((0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06))], ORANGE_IN_P3, ORANGE),
        ([gama(1.0), (b"sRGB", b"\0")], ORANGE, ORANGE),
        ([gama(1.0), cicp(1, 13)], ORANGE, ORANGE),
        ([gama(0)], ORANGE, ORANGE),
        ([gama(1.0), chrm((0,) * 8)], ORANGE, ORANGE),
    ],
)
def test_gamma_and_chromaticity_of_a_png_are_applied(chunks, color, expected):
    assert near(shown(tagged_png(color, *chunks)), expected)


def test_the_gamma_of_a_grey_png_is_applied():
    assert near(shown(tagged_png([55], gama(1.0), grey=True)), (128, 128, 128))


def test_cicp_counts_before_a_profile_and_a_profile_before_gamma():
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    data = file_of(red, icc_profile=red_is_green())
    place = data.index(b"iCCP") - 4
    with_cicp = tagged_png((255, 0, 0), cicp(1, 13))
    chunk = with_cicp[with_cicp.index(b"cICP") - 4 : with_cicp.index(b"IDAT") - 4]
    gamma = tagged_png((255, 0, 0), gama(1.0))
    gamma_chunk = gamma[gamma.index(b"gAMA") - 4 : gamma.index(b"IDAT") - 4]
    assert near(shown(data[:place] + gamma_chunk + data[place:]), (0, 255, 0), by=12)
    assert near(shown(data[:place] + chunk + data[place:]), (255, 0, 0))


@pytest.mark.parametrize("transfer, value, expected", [(16, GREY_IN_PQ, 222), (18, WHITE_IN_HLG, 255)])
def test_hdr_is_shown_with_the_white_of_paper_and_told(transfer, value, expected):
    data = tagged_png((value,) * 3, cicp(9, transfer))
    assert near(shown(data), (expected,) * 3, by=4)
    assert LIGHT in decoded(data).losses


def test_transparency_of_described_colors_stays():
    rows = [bytes([*ORANGE_IN_P3, 0]) * 4] * 4
    assert shown(png(4, 4, 8, 6, rows, cicp(*P3))) == (255, 255, 255)


def test_a_cut_off_description_is_none():
    heic, picture = nclx_of("HEIF", P3, ORANGE), tagged_png(ORANGE, cicp(*P3))
    for data, end in ((heic, heic.index(b"nclx") + 8), (picture, picture.index(b"cICP") + 6)):
        assert {color_tags(data[:cut]) for cut in range(end)} == {(None, False)}


def test_damaged_boxes_end_the_search():
    data = bytearray(nclx_of("HEIF", P3, ORANGE)[:400])
    for seed in range(20):
        noise = numpy.random.default_rng(seed)
        changed = bytearray(data)
        for place in noise.integers(8, len(changed), 20):
            changed[place] = noise.integers(256)
        color_tags(bytes(changed))
