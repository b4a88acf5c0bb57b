"""Reading picture files of all kinds."""

import io
import os
from pathlib import Path
from random import Random

import numpy
import pytest
from PIL import Image

from engine.builtin.data.pictures import (
    PictureFacts,
    PictureIndex,
    UnreadablePicture,
    crop_for,
    decode,
    is_picture,
    pixels,
    read_facts,
    read_unchanged,
)
from tests.waiting import wait_for

ORIENTATION = 0x0112


def file_of(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def facts(width: int, height: int) -> PictureFacts:
    return PictureFacts("digest", width, height)


def test_transparency_becomes_white():
    picture = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    picture.putpixel((1, 0), (0, 0, 0, 0))
    assert decode(file_of(picture)).tobytes() == bytes([255, 0, 0, 255, 255, 255])


def test_a_transparent_palette_becomes_white():
    picture = Image.new("P", (1, 1), 0)
    picture.putpalette([10, 20, 30])
    assert decode(file_of(picture)).getpixel((0, 0)) == (10, 20, 30)
    assert decode(file_of(picture, transparency=0)).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bit_grey_keeps_its_tones():
    values = numpy.array([[0, 257 * 100, 65535]], dtype=numpy.uint16)
    picture = decode(file_of(Image.fromarray(values)))
    assert [picture.getpixel((x, 0))[0] for x in range(3)] == [0, 100, 255]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "CMYK", "YCbCr"])
def test_other_modes_become_rgb(mode):
    kind = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    assert decode(file_of(Image.new(mode, (3, 2)), kind)).mode == "RGB"


def test_a_picture_is_turned_upright():
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    assert decode(file_of(Image.new("RGB", (30, 20)), "JPEG", exif=exif)).size == (20, 30)


@pytest.mark.parametrize("data", [b"", b"no picture", file_of(Image.effect_noise((64, 64), 50))[:-100]])
def test_a_broken_file_is_unreadable(data):
    with pytest.raises(UnreadablePicture):
        decode(data)


def test_the_message_about_a_file_of_another_kind_has_no_internal_details():
    with pytest.raises(UnreadablePicture, match="^it is not a picture in a known format$"):
        decode(b"no picture")


def test_a_picture_with_too_many_pixels_is_unreadable(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(UnreadablePicture, match="too many pixels"):
        decode(file_of(Image.new("RGB", (50, 50))))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.png", True), ("A.JPG", True), ("a.txt", False), ("a-masklabel.png", False), ("._a.png", False)],
)
def test_pictures_are_recognized_by_their_names(name, expected):
    assert is_picture(Path(name)) is expected


def test_the_centre_is_cropped_without_jitter():
    crop = crop_for(facts(200, 100), (64, 64), flip=False, jitter=None)
    assert (crop.scaled, crop.left, crop.top) == ((128, 64), 32, 0)


def test_jitter_crops_within_the_picture():
    crops = [crop_for(facts(200, 100), (64, 64), False, Random(seed)) for seed in range(50)]
    assert {crop.top for crop in crops} == {0}
    assert len({crop.left for crop in crops}) > 10
    assert all(0 <= crop.left <= 64 for crop in crops)


@pytest.mark.parametrize("size", [(333, 77), (10, 10), (64, 65), (4000, 3000)])
def test_a_scaled_picture_always_covers_its_crop(size):
    crop = crop_for(facts(*size), (64, 64), False, Random(1))
    assert crop.left + 64 <= crop.scaled[0]
    assert crop.top + 64 <= crop.scaled[1]


def test_pixels_go_from_minus_one_to_one():
    picture = Image.new("RGB", (64, 64), (0, 255, 0))
    values = pixels(picture, crop_for(facts(64, 64), (64, 64), False, None))
    assert values.shape == (3, 64, 64)
    assert values.dtype == numpy.float32
    assert (values[0].max(), values[1].min()) == (-1, 1)


def test_a_flip_mirrors_left_and_right():
    picture = Image.new("RGB", (64, 64))
    picture.putpixel((0, 5), (255, 255, 255))
    values = pixels(picture, crop_for(facts(64, 64), (64, 64), True, None))
    assert values[0, 5, 63] == 1
    assert values[0, 5, 0] == -1


class TestIndex:
    @pytest.fixture
    def picture(self, tmp_path):
        path = tmp_path / "a.png"
        Image.new("RGB", (30, 20)).save(path)
        return path

    @pytest.fixture
    def decoded(self, monkeypatch):
        """The paths that are decoded."""
        seen = []
        monkeypatch.setattr(
            "engine.builtin.data.pictures.read_facts", lambda path: seen.append(path) or read_facts(path)
        )
        return seen

    def test_an_unchanged_picture_is_read_once(self, tmp_path, picture, decoded):
        for _ in range(2):
            index = PictureIndex(tmp_path / "cache")
            assert (index.facts(picture).width, index.facts(picture).height) == (30, 20)
            index.save()
        assert decoded == [picture]

    def test_a_changed_picture_is_read_again(self, tmp_path, picture, decoded):
        index = PictureIndex(tmp_path)
        before = index.facts(picture)
        Image.new("RGB", (30, 20), (1, 1, 1)).save(picture)
        os.utime(picture, ns=(1, 1))
        assert index.facts(picture).digest != before.digest
        assert len(decoded) == 2

    def test_a_changed_picture_of_the_same_size_and_time_is_read_again(self, tmp_path):
        picture, index = tmp_path / "p.bmp", PictureIndex(tmp_path)
        digests = []
        for shade in (1, 2):
            Image.new("RGB", (30, 20), (shade, 0, 0)).save(picture)
            os.utime(picture, ns=(1, 1))
            digests.append(index.facts(picture).digest)
            wait_for(lambda: time_of_a_new_file(tmp_path) > picture.stat().st_ctime_ns)
        assert digests[0] != digests[1]

    def test_an_index_that_cannot_be_written_ends_nothing(self, tmp_path, picture, caplog):
        (tmp_path / "cache").write_text("a file where the folder should be")
        index = PictureIndex(tmp_path / "other")
        index.path = tmp_path / "cache" / PictureIndex.FILE_NAME
        index.facts(picture)
        index.save()
        assert "could not be written" in caplog.text

    def test_a_broken_index_is_made_again(self, tmp_path, picture, caplog):
        (tmp_path / PictureIndex.FILE_NAME).write_text("{")
        index = PictureIndex(tmp_path)
        index.facts(picture)
        index.save()
        assert "is broken" in caplog.text
        assert str(picture) in PictureIndex(tmp_path).known

    def test_nothing_new_writes_nothing(self, tmp_path):
        PictureIndex(tmp_path / "cache").save()
        assert not (tmp_path / "cache").exists()

    def test_a_picture_that_changed_is_not_mistaken_for_the_old_one(self, tmp_path, picture):
        before = PictureIndex(tmp_path).facts(picture)
        Image.new("RGB", (30, 20), (9, 9, 9)).save(picture)
        with pytest.raises(UnreadablePicture, match="changed"):
            read_unchanged(picture, before)


def time_of_a_new_file(folder):
    """In nanoseconds, as coarse as the file system counts."""
    (folder / "clock").unlink(missing_ok=True)
    (folder / "clock").touch()
    return (folder / "clock").stat().st_ctime_ns
