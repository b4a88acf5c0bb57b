"""Warnings about pictures that suit the training badly."""

import pytest

from engine.builtin.data.concepts import check_data
from engine.builtin.data.suitability import doubts
from tests.engine.data import make_config, make_pictures


def warnings_of(tmp_path, sizes, **changes):
    folder = make_pictures(tmp_path / "stars", sizes)
    found = check_data(make_config(folder, **({"batch_size": 1} | changes)), size_multiple=8)
    assert all(problem.severity == "warning" for problem in found)
    return {problem.field: problem.message for problem in found}


def test_pictures_near_the_training_size_are_no_doubt(tmp_path):
    assert warnings_of(tmp_path, [(64, 64), (40, 40), (96, 64), (400, 400)]) == {}


def test_a_picture_that_is_enlarged_more_than_twice_is_named_with_its_size(tmp_path):
    message = warnings_of(tmp_path, [(64, 64), (30, 30)])["resolution"]
    assert message.startswith("1 picture is enlarged more than twice, which trains blur: 1.png (30x30 to 64x64);")


def test_the_largest_of_several_resolutions_counts(tmp_path):
    message = warnings_of(tmp_path, [(64, 64)], resolution="64,192")["resolution"]
    assert "0.png (64x64 to 192x192)" in message


def test_a_picture_far_above_the_training_size_is_named(tmp_path):
    assert "0.png (800x800)" in warnings_of(tmp_path, [(800, 800)])["resolution"]


@pytest.mark.parametrize(("size", "bucketing"), [((128, 64), False), ((600, 64), True), ((64, 600), True)])
def test_a_picture_that_loses_much_of_its_area_is_named(tmp_path, size, bucketing):
    message = warnings_of(tmp_path, [size], aspect_ratio_bucketing=bucketing)["aspect_ratio_bucketing"]
    assert f"0.png ({size[0]}x{size[1]})" in message


@pytest.mark.parametrize("size", [(128, 64), (256, 64), (64, 160)])
def test_shapes_that_have_a_bucket_are_no_doubt(tmp_path, size):
    assert warnings_of(tmp_path, [size], aspect_ratio_bucketing=True) == {}


def test_pictures_of_a_rare_shape_are_named_in_one_sentence(tmp_path):
    message = warnings_of(tmp_path, [(64, 64)] * 2 + [(128, 64), (64, 128)], batch_size=2, aspect_ratio_bucketing=True)
    assert message["batch_size"].startswith("2 pictures are not trained, because too few of their shape exist")
    assert "2.png (88x48), 3.png (48x88)" in message["batch_size"]


def test_pictures_that_repeat_within_a_batch_are_named(tmp_path):
    folder = make_pictures(tmp_path / "stars", [(64, 64)] * 2)
    (problem,) = check_data(make_config(folder, {"balancing": 2.0}, batch_size=4), size_multiple=8)
    assert problem.message.startswith("2 pictures are several times in the same batch")


def test_an_epoch_that_leaves_out_many_pictures_is_a_warning(tmp_path):
    message = warnings_of(tmp_path, [(64, 64)] * 7, batch_size=4)["batch_size"]
    assert message.startswith("each epoch leaves out 3 of 7 pictures, which do not fill a batch of 4;")
    assert warnings_of(tmp_path, [(64, 64)] * 9, batch_size=4) == {}


def test_nothing_is_said_about_no_pictures():
    assert list(doubts({}, {}, 2)) == []
