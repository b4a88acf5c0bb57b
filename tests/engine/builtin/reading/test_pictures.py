"""Fitting pictures to their sizes, and the index of pictures that were read."""

import os
from random import Random

import numpy
import pytest
from PIL import Image

from engine.builtin.data.pictures import (
    PictureFacts,
    PictureIndex,
    crop_for,
    pixels,
    read_facts,
    read_unchanged,
)
from engine.builtin.reading.formats import UnreadablePicture
from tests.waiting import wait_for


def facts(width: int, height: int) -> PictureFacts:
    return PictureFacts("digest", width, height)


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

    def test_a_picture_that_an_older_version_read_is_read_again(self, tmp_path, picture, decoded):
        index = PictureIndex(tmp_path)
        index.facts(picture)
        index.known[str(picture)]["reading"] -= 1
        index.save()
        assert PictureIndex(tmp_path).facts(picture).pixels
        assert len(decoded) == 2

    def test_equal_pixels_in_different_files_are_recognized(self, tmp_path, picture):
        Image.open(picture).save(tmp_path / "b.bmp")
        index = PictureIndex(tmp_path)
        one, other = index.facts(picture), index.facts(tmp_path / "b.bmp")
        assert one.pixels == other.pixels
        assert one.digest != other.digest

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
