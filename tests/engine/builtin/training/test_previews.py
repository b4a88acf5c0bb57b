"""Previews of unfinished samples."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from engine.builtin.training.previews import SamplePreview
from engine.interface.files import PREVIEW
from tests.engine import tiny


@pytest.fixture
def reports(tmp_path):
    """The reports of a training that generates one sample of four steps: (step, steps, the preview's path)."""
    model = tiny.make_model(tmp_path / "model")
    settings = {"epochs": 1, "sample_after": 1, "sample_after_unit": "EPOCH"}
    samples = [tiny.sample("a red circle", diffusion_steps=4)]
    training = tiny.Training(model, tiny.make_pictures(tmp_path / "pictures"), tmp_path, samples=samples, **settings)
    return training.run().recorder.of("on_update_sample_default_progress"), tmp_path / "workspace" / PREVIEW


def test_a_sample_has_previews_while_it_is_denoised(reports):
    steps, path = reports
    assert [step[:2] for step in steps[:4]] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert steps[0][2:] == (str(path),)
    with Image.open(path) as picture:
        assert picture.size == (32, 32)


def test_previews_take_at_most_a_tenth_of_the_time(tmp_path):
    preview, drawn = SamplePreview(tmp_path), []
    for _ in range(5):
        preview.offer(lambda: drawn.append(1) or Image.new("RGB", (8, 8)))
    assert len(drawn) == 1


def test_a_failed_preview_is_given_up_and_the_sample_is_finished(tmp_path):
    preview = SamplePreview(tmp_path)
    assert [preview.offer(lambda: 1 / 0) for _ in range(3)] == ["", "", ""]
    assert not Path(tmp_path / PREVIEW).exists()
