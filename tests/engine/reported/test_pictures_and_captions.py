"""Pictures and captions that other trainers were reported to leave out, or to train wrongly, without a word."""

import pytest
from PIL import Image, PngImagePlugin

from engine.builtin.data.concepts import check_data, survey
from engine.builtin.data.pictures import PictureIndex
from engine.builtin.data.token_counts import token_problems
from engine.builtin.reading.decoding import decode
from engine.builtin.reading.scan import ONETRAINER
from tests.engine.data import make_config, make_pictures
from tests.engine.picture_files import ORIENTATION, file_of, red_is_green


@pytest.fixture
def folder(tmp_path):
    return make_pictures(tmp_path / "stars", [(64, 64)] * 2)


def trained(folder, **concept):
    """The captions of the pictures that are trained, by their names."""
    found = survey(make_config(folder, concept), PictureIndex(folder))
    return {str(one.path.relative_to(folder)): one.captions for one in found.pictures}


def messages(folder, **concept):
    return " | ".join(problem.message for problem in check_data(make_config(folder, concept), size_multiple=8))


def test_the_orientation_of_a_photo_is_applied():
    """kohya-ss/sd-scripts#1316, huggingface/diffusers#3465"""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    photo = Image.new("RGB", (64, 32), "red")
    photo.paste("blue", (32, 0, 64, 32))
    upright = decode(file_of(photo, exif=exif))
    assert upright.size == (32, 64)
    assert [upright.getpixel((16, y)) for y in (4, 60)] == [(255, 0, 0), (0, 0, 255)]


def test_colours_are_those_of_the_embedded_profile():
    """kohya-ss/sd-scripts#2179"""
    assert decode(file_of(Image.new("RGB", (1, 1), (255, 0, 0)), icc_profile=red_is_green())).getpixel((0, 0))[1] > 250


def test_hidden_colours_of_transparent_areas_are_not_trained():
    """kohya-ss/sd-scripts#1269"""
    picture = Image.new("RGBA", (2, 1), (255, 0, 255, 0))
    picture.putpixel((1, 0), (0, 0, 255, 255))
    assert [decode(file_of(picture)).getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 255)]


def test_a_picture_with_a_large_text_is_read():
    """python-pillow/Pillow#8363"""
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", "x" * 2_000_000, zip=True)
    assert decode(file_of(Image.new("RGB", (1, 1), "red"), pnginfo=info)).getpixel((0, 0)) == (255, 0, 0)


def test_a_picture_that_is_cut_off_is_named_before_the_start(folder):
    """bmaltais/kohya_ss#3021"""
    whole = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes(whole[: len(whole) // 2])
    assert "1 file cannot be read as a picture: 1.png (the end of the file is missing)" in messages(folder)


def test_endings_in_capital_letters_are_trained(folder):
    """bmaltais/kohya_ss#217, replicate/cog-sdxl#7"""
    (folder / "0.png").rename(folder / "0.PNG")
    assert trained(folder)["0.PNG"] == ("picture 0",)


def test_checkpoints_of_notebooks_are_not_trained(folder):
    """bghira/SimpleTuner#94"""
    make_pictures(folder / ".ipynb_checkpoints", [(64, 64)])
    assert set(trained(folder, include_subdirectories=True)) == {"0.png", "1.png"}
    assert ".ipynb_checkpoints" in messages(folder, include_subdirectories=True)


def test_captions_with_the_ending_of_another_trainer_are_read(folder):
    """bmaltais/kohya_ss#927"""
    (folder / "0.txt").rename(folder / "0.caption")
    assert trained(folder)["0.png"] == ("picture 0",)


def test_a_picture_without_a_caption_is_named(folder):
    """bmaltais/kohya_ss#988"""
    (folder / "1.txt").unlink()
    assert "1 picture has no caption and is trained with an empty caption: 1.png" in messages(folder)


def test_a_quotation_mark_of_windows_is_read(folder):
    """ostris/ai-toolkit#113"""
    (folder / "0.txt").write_bytes(b"the star\x92s light")
    assert trained(folder)["0.png"] == ("the star\u2019s light",)


def test_onetrainer_is_not_started_on_a_caption_at_which_it_stops(folder):
    """MNeMoNiCuZ/joy-caption-batch#1"""
    (folder / "0.txt").write_bytes(b"the star\x92s light")
    found = survey(make_config(folder), PictureIndex(folder), reader=ONETRAINER).problems
    assert [problem.severity for problem in found if "0.txt" in problem.message] == ["error"]


def test_a_caption_in_utf_16_is_read(folder):
    """AUTOMATIC1111/stable-diffusion-webui#3657"""
    (folder / "0.txt").write_text("a star", encoding="utf-16")
    assert trained(folder)["0.png"] == ("a star",)


def test_lines_after_the_first_are_trained_and_a_broken_text_is_named(folder):
    """kohya-ss/sd-scripts#870"""
    (folder / "0.txt").write_text("a star\nstars\n")
    assert trained(folder)["0.png"] == ("a star", "stars")
    (folder / "1.txt").write_text("A red star stands above a green square in the middle of a very dark\nnight sky.\n")
    assert "1 caption file seems to be one text in several lines" in messages(folder)


def test_a_caption_that_is_cut_off_is_named_with_its_rest(folder):
    """Nerogar/OneTrainer#62"""
    (folder / "0.txt").write_text("a star " * 40 + "with a golden frame")
    config = make_config(folder, base_model_name="engine/demo/model")
    (problem,) = token_problems(config, survey(config, PictureIndex(folder)).pictures)
    assert "0.png (" in problem.message and "without “" in problem.message


def test_pictures_whose_shape_fills_no_batch_are_named(folder):
    """Nerogar/OneTrainer#573, kohya-ss/sd-scripts#2141"""
    make_pictures(folder / "wide", [(128, 64)])
    found = messages(folder, include_subdirectories=True)
    assert "1 picture is not trained, because too few of its shape exist to fill a batch: 0.png (88x48)" in found
