"""Samples before the first step, which later samples are compared with."""

import pytest

from tests.engine.tiny import Training, make_model, make_pictures


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base_line")
    model, pictures = make_model(folder / "base", levels=1), make_pictures(folder / "pictures")

    def train(name, resume_from=None, **changes):
        return Training(model, pictures, folder / name, resume_from, **changes)

    return train


def steps_of_samples(training):
    return [output.progress["global_step"] for (output,) in training.recorder.of("on_sample_default")]


def test_samples_before_the_first_step_show_the_base_model_and_a_resume_does_not_draw_them_again(train):
    """kohya-ss/sd-scripts#907 and bmaltais/kohya_ss#2725: an initial sample, to compare later samples with."""
    first = train("first", sample_after=1, sample_after_unit="EPOCH")
    first.at_step(2, lambda: first.commands.stop(final_model=False))
    assert steps_of_samples(first.run()) == [0]
    second = train("second", first.artifacts("backup")[0], sample_after=1, sample_after_unit="EPOCH")
    assert steps_of_samples(second.run()) == [3, 6]


@pytest.mark.parametrize("changes", [{"sample_skip_first": 1}, {"sample_after_unit": "NEVER"}, {"sample_after": 0}])
def test_the_samples_before_the_first_step_can_be_left_out(train, changes):
    """Nerogar/OneTrainer#640: no samples when a training starts."""
    training = train("without", **{"epochs": 1, "sample_after": 1, "sample_after_unit": "EPOCH"} | changes)
    assert 0 not in steps_of_samples(training.run())


def test_a_training_without_a_regular_sample_still_has_the_samples_before_it(train):
    assert steps_of_samples(train("rare", epochs=1, sample_after=9, sample_after_unit="HOUR").run()) == [0]
