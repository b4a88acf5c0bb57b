"""What a OneTrainer config trains on, as far as its files show it, held against a backup's."""

import json

import pytest

from engine.interface.data_facts import FILE_NAME, changes, data_facts
from engine.preflight import main
from tests.engine.tiny import make_pictures


@pytest.fixture
def concept(tmp_path):
    return {"path": str(make_pictures(tmp_path / "pictures", 4)), "balancing": 1.0}


@pytest.fixture
def config(concept):
    return {"batch_size": 2, "resolution": "64", "epochs": 4, "concepts": [concept]}


def facts(config):
    """As a backup keeps them."""
    return json.loads(json.dumps(data_facts(config, config["concepts"])))


CHANGED = {
    "a picture less": ("3 pictures instead of 4", lambda config, folder: (folder / "0.png").unlink()),
    "a renamed picture": ("other pictures", lambda config, folder: (folder / "0.png").rename(folder / "9.png")),
    "another batch size": ("batch_size 4 instead of 2", lambda config, folder: config.update(batch_size=4)),
    "another resolution": ("resolution 96 instead of 64", lambda config, folder: config.update(resolution="96")),
    "repeats": ("sizes or repeats", lambda config, folder: config["concepts"][0].update(balancing=2.0)),
    "a concept less": ("0 pictures instead of 4", lambda config, folder: config["concepts"][0].update(enabled=False)),
}


@pytest.mark.parametrize(("sentence", "change"), CHANGED.values(), ids=CHANGED)
def test_a_change_is_named(config, tmp_path, sentence, change):
    saved = facts(config)
    change(config, tmp_path / "pictures")
    assert sentence in changes(saved, facts(config))


def test_captions_masks_and_settings_with_their_defaults_are_no_change(config, tmp_path):
    saved = facts(config)
    (tmp_path / "pictures" / "0.txt").write_text("another caption")
    (tmp_path / "pictures" / "0-masklabel.png").write_bytes(b"mask")
    config["aspect_ratio_bucketing"] = config["concepts"][0]["include_subdirectories"] = False
    config["concepts"][0]["balancing"] = 1
    assert changes(saved, facts(config)) == ""


def test_the_check_before_a_run_continues_with_onetrainer_says_where(config, tmp_path, capsys):
    backup = tmp_path / "backup"
    backup.mkdir()
    (backup / FILE_NAME).write_text(json.dumps(facts(config)))
    place = {"epoch": 1, "epoch_step": 1, "epoch_sample": 2, "global_step": 3}
    (backup / "meta.json").write_text(json.dumps({"train_progress": place}))
    (tmp_path / "pictures" / "0.png").unlink()
    spec = {"engine": "onetrainer", "config": config, "resume_from": str(backup)}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    main(tmp_path / "spec.json")
    (problem,) = json.loads(capsys.readouterr().out.splitlines()[-1])["problems"]
    assert problem["severity"] == "warning"
    assert "the rest of epoch 2 is left out, and training continues with epoch 3" in problem["message"]
