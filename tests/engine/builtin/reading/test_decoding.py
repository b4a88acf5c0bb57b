"""Decoding picture files of all kinds to the pixels that a person sees."""

import io
import struct

import numpy
import pytest
from PIL import Image, PngImagePlugin

from engine.builtin.reading.decoding import COLORS, DEPTH, FRAMES, PROFILE, TRANSPARENT, decode, decoded
from engine.builtin.reading.formats import UnreadablePicture
from engine.builtin.reading.headers import jpeg_xl_size
from tests.engine.picture_files import ORIENTATION, file_of, linear_grey, png, red_is_green, srgb

KINDS = ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JXL"]


def near(pixel, expected, by=8):
    return all(abs(a - b) <= by for a, b in zip(pixel, expected, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_each_format_has_its_colours(kind):
    picture = decode(file_of(Image.new("RGB", (33, 20), (200, 100, 50)), kind))
    assert (picture.mode, picture.size) == ("RGB", (33, 20))
    assert near(picture.getpixel((5, 5)), (200, 100, 50))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "YCbCr", "LAB"])
def test_other_modes_become_rgb(mode):
    kind = "TIFF" if mode in ("CMYK", "YCbCr", "LAB") else "PNG"
    assert decode(file_of(Image.new(mode, (3, 2)), kind)).mode == "RGB"


# -- transparency ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "HEIF", "JXL", "TIFF"])
def test_transparency_becomes_white(kind):
    picture = Image.new("RGBA", (16, 8), (255, 0, 0, 255))
    picture.paste((0, 0, 0, 0), (8, 0, 16, 8))
    result = decoded(file_of(picture, kind))
    assert near(result.picture.getpixel((2, 4)), (255, 0, 0), 12)
    assert near(result.picture.getpixel((14, 4)), (255, 255, 255))
    assert result.losses == {TRANSPARENT}


def test_half_transparent_pixels_are_half_white():
    assert decode(file_of(Image.new("RGBA", (1, 1), (255, 0, 0, 128)))).getpixel((0, 0)) == (255, 127, 127)


def test_an_alpha_channel_without_transparency_is_not_worth_a_word():
    assert decoded(file_of(Image.new("RGBA", (4, 4), (9, 9, 9, 255)))).losses == set()


def test_a_transparent_palette_becomes_white():
    picture = Image.new("P", (1, 1), 0)
    picture.putpalette([10, 20, 30])
    assert decode(file_of(picture)).getpixel((0, 0)) == (10, 20, 30)
    assert decode(file_of(picture, transparency=0)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("depth", "color_type", "row", "clear", "expected"),
    [
        (8, 2, bytes([1, 2, 3, 9, 9, 9]), struct.pack(">3H", 1, 2, 3), (9, 9, 9)),
        (16, 2, struct.pack(">6H", 0, 32768, 65535, 65535, 0, 0), struct.pack(">3H", 0, 32768, 65535), (255, 0, 0)),
        (16, 0, struct.pack(">2H", 500, 65535), struct.pack(">H", 500), (255, 255, 255)),
        (8, 0, bytes([7, 70]), struct.pack(">H", 7), (70, 70, 70)),
    ],
)
def test_a_colour_that_stands_for_transparency_becomes_white(depth, color_type, row, clear, expected):
    result = decoded(png(2, 1, depth, color_type, [row], (b"tRNS", clear)))
    assert TRANSPARENT in result.losses
    assert [result.picture.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), expected]


# -- depth -------------------------------------------------------------------------------------------------------------


def test_sixteen_bit_grey_keeps_its_tones():
    values = numpy.array([[0, 257 * 100, 65535]], dtype=numpy.uint16)
    for kind in ("PNG", "TIFF"):
        result = decoded(file_of(Image.fromarray(values), kind))
        assert [result.picture.getpixel((x, 0))[0] for x in range(3)] == [0, 100, 255]
        assert result.losses == {DEPTH}


def test_sixteen_bit_grey_with_a_white_zero_is_turned_around():
    tags = {262: 0}
    data = file_of(Image.fromarray(numpy.array([[0, 65535]], dtype=numpy.uint16)), "TIFF", tiffinfo=tags)
    assert [decode(data).getpixel((x, 0))[0] for x in (0, 1)] == [255, 0]


def test_sixteen_bit_colours_keep_their_tones():
    data = png(2, 1, 16, 2, [struct.pack(">6H", 0, 257 * 100, 65535, 257, 0, 0)])
    result = decoded(data)
    assert [result.picture.getpixel((x, 0)) for x in (0, 1)] == [(0, 100, 255), (1, 0, 0)]
    assert result.losses == {DEPTH}


def test_floating_point_values_from_0_to_1_are_scaled():
    result = decoded(file_of(Image.fromarray(numpy.array([[0, 0.4, 1]], dtype=numpy.float32)), "TIFF"))
    assert [result.picture.getpixel((x, 0))[0] for x in range(3)] == [0, 102, 255]
    assert result.losses == {DEPTH}


@pytest.mark.parametrize(
    "values",
    [
        numpy.array([[0, 2.5]], dtype=numpy.float32),
        numpy.array([[0, -0.5]], dtype=numpy.float32),
        numpy.array([[0, numpy.nan]], dtype=numpy.float32),
        numpy.array([[0, 70_000]], dtype=numpy.int32),
    ],
)
def test_values_of_an_unknown_range_are_refused_and_not_clipped(values):
    with pytest.raises(UnreadablePicture, match="save it with 8 or 16 bits"):
        decode(file_of(Image.fromarray(values), "TIFF"))


# -- colours and orientation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_colours_are_converted_from_the_profile_of_the_file(kind):
    data = file_of(Image.new("RGB", (16, 16), (255, 0, 0)), kind, icc_profile=red_is_green())
    result = decoded(data)
    assert near(result.picture.getpixel((8, 8)), (0, 255, 0))
    assert result.losses == {COLORS}


def test_a_transparent_picture_is_converted_before_it_is_put_on_white():
    data = file_of(Image.new("RGBA", (1, 1), (255, 0, 0, 128)), icc_profile=red_is_green())
    assert near(decode(data).getpixel((0, 0)), (127, 255, 127))


def test_a_palette_is_converted_from_its_profile():
    picture = Image.new("P", (1, 1), 0)
    picture.putpalette([255, 0, 0])
    assert near(decode(file_of(picture, icc_profile=red_is_green())).getpixel((0, 0)), (0, 255, 0))


def test_the_profile_of_srgb_changes_no_pixel():
    picture = Image.effect_noise((64, 64), 90).convert("RGB")
    result = decoded(file_of(picture, icc_profile=srgb()))
    assert (result.picture.tobytes(), result.losses) == (picture.tobytes(), set())


def test_grey_is_converted_from_its_profile():
    values = Image.frombytes("L", (3, 1), bytes([0, 128, 255]))
    result = decoded(file_of(values, icc_profile=linear_grey()))
    assert [result.picture.getpixel((x, 0))[0] for x in range(3)] == [0, 188, 255]  # 0.502 linear is 0.735 in sRGB
    assert result.losses == {COLORS}


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_profile_that_does_not_fit_is_told_and_taken_as_srgb(mode):
    profile = srgb() if mode == "L" else b"no profile"
    result = decoded(file_of(Image.new(mode, (2, 2), 10), icc_profile=profile))
    assert result.losses == {PROFILE}
    assert result.picture.getpixel((0, 0))[0] == 10


def test_a_large_profile_is_read():
    profile = red_is_green() + bytes(3_000_000)
    profile = len(profile).to_bytes(4, "big") + profile[4:]
    assert near(
        decode(file_of(Image.new("RGB", (1, 1), (255, 0, 0)), icc_profile=profile)).getpixel((0, 0)), (0, 255, 0)
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_picture_is_turned_upright(kind):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    assert decode(file_of(Image.new("RGB", (30, 20)), kind, exif=exif)).size == (20, 30)


def test_the_decoder_of_jpeg_xl_turns_a_picture_upright_and_nothing_turns_it_again():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    data = file_of(Image.new("RGB", (30, 20)), "JXL", exif=exif.tobytes())
    assert decode(data).size == (30, 20)  # by the standard the EXIF orientation has no effect


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_the_first_of_several_frames_is_read(kind):
    red, blue = (Image.new("RGB", (16, 16), color) for color in ("red", "blue"))
    result = decoded(file_of(red, kind, save_all=True, append_images=[blue]))
    assert near(result.picture.getpixel((8, 8)), (255, 0, 0))
    assert result.losses == {FRAMES}


# -- what surrounds the pixels -----------------------------------------------------------------------------------------


def test_texts_of_any_size_are_read_past():
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", "x" * 3_000_000, zip=True)
    info.add_itxt("prompt", "y" * 90_000_000, zip=True)
    info.add_text("parameters", "z" * 2_000_000)
    assert decode(file_of(Image.new("RGB", (4, 4), "red"), pnginfo=info)).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_off_is_refused_with_a_sentence(kind):
    whole = file_of(Image.effect_noise((64, 64), 50).convert("RGB"), kind)
    for share in (0.9, 0.5, 0.02):
        with pytest.raises(UnreadablePicture, match=r"end of the file is missing|damaged|known format"):
            decode(whole[: int(len(whole) * share)])


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "the file is empty"), (b"no picture", "it is not a picture in a known format")]
)
def test_the_reason_has_no_internal_details(data, reason):
    with pytest.raises(UnreadablePicture, match=f"^{reason}$"):
        decode(data)


def test_no_other_program_is_started_for_a_file_of_another_kind():
    with pytest.raises(UnreadablePicture, match="known format"):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")


@pytest.mark.parametrize("kind", ["PNG", "JXL", "HEIF", "GIF"])
def test_a_picture_with_too_many_pixels_is_unreadable(monkeypatch, kind):
    data = file_of(Image.new("RGB", (150, 50)), kind)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UnreadablePicture, match="too many pixels.* at most 200 are read"):
        decode(data)


@pytest.mark.parametrize("size", [(33, 20), (256, 128), (1000, 1000), (7, 3000), (640, 480), (8, 8)])
def test_the_size_of_a_jpeg_xl_is_in_its_header(size):
    assert jpeg_xl_size(io.BytesIO(file_of(Image.new("L", size), "JXL"))) == size
    assert jpeg_xl_size(io.BytesIO(file_of(Image.new("L", size), "JXL", use_container=True))) == size
