"""Trainings whose settings leave no gradient, although each setting alone can be used."""

import pytest
from PIL import Image

from engine.interface.errors import BadData
from tests.engine.tiny import Training, make_model, make_pictures


def test_masks_that_hide_every_picture_do_not_end_in_a_finished_run(tmp_path):
    model, pictures = make_model(tmp_path / "model", levels=1), make_pictures(tmp_path / "pictures", 2)
    for number in range(2):
        Image.new("L", (32, 32), 0).save(pictures / f"{number}-masklabel.png")
    run = Training(model, pictures, tmp_path, masked_training=True, unmasked_weight=0, unmasked_probability=0)
    with pytest.raises(BadData, match="exactly 0 in every step"):
        run.run()
    assert run.artifacts("model") == []
