"""Saved files load in plain diffusers, in the newest version and in an older one, and give the same pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from transformers import CLIPTokenizer

from engine.builtin.families.portable import make_portable
from tests.engine import plain_diffusers
from tests.engine.tiny import Training, make_model, make_pictures
from tests.needs import OLDER, needs_older

ROOT = Path(__file__).resolve().parents[4]
# diffusers 0.35 reads only the layers within blocks from a LoRA in the layout of kohya's trainer.
WITH_TEXT = {"text_encoder": {"train": True}, "learning_rate": 0.01, "lora_alpha": 4, "layer_filter": "block"}
WHOLE = {"training_method": "FINE_TUNE", "learning_rate": 1e-3, "text_encoder": {"train": True}}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    base = make_model(tmp_path_factory.mktemp("base"))
    make_portable(base)
    return base


@pytest.fixture(scope="module")
def saved(base, tmp_path_factory):
    """Trains once for each kind of file; returns the saved file or folder."""
    folder = tmp_path_factory.mktemp("saved")
    pictures = make_pictures(folder / "pictures")
    kinds = {
        "kohya": {"output_model_format": "KOHYA_LORA", **WITH_TEXT},
        "diffusers": {"output_model_format": "DIFFUSERS_LORA", **WITH_TEXT},
        "folder": {"output_model_format": "DIFFUSERS", **WHOLE},
        "half": {"output_model_format": "DIFFUSERS", "output_dtype": "FLOAT_16", **WHOLE},
        "file": {"output_model_format": "SAFETENSORS", **WHOLE},
    }
    return {
        kind: Training(base, pictures, folder / kind, **changes).run().artifacts("model")[0]
        for kind, changes in kinds.items()
    }


@pytest.fixture(scope="module")
def jobs(base, saved):
    """What to load: the arguments of `plain_diffusers.picture` by kind."""
    return {
        "base": {"base": str(base)},
        "kohya": {"base": str(base), "lora": str(saved["kohya"])},
        "diffusers": {"base": str(base), "lora": str(saved["diffusers"])},
        "folder": {"base": str(saved["folder"])},
        "half": {"base": str(saved["half"])},
        "file": {"base": str(saved["folder"]), "file": str(saved["file"])},
        "demo": {"base": str(ROOT / "engine/demo/model")},
    }


@pytest.fixture(scope="module")
def pictures(jobs):
    """The pictures that the installed diffusers generates."""
    return {kind: plain_diffusers.picture(**job) for kind, job in jobs.items()}


def test_every_kind_of_file_changes_the_picture_and_both_layouts_change_it_alike(pictures):
    for kind in ("kohya", "diffusers", "folder", "half", "file"):
        assert not np.allclose(pictures[kind], pictures["base"], atol=1e-3), kind
    assert np.allclose(pictures["kohya"], pictures["diffusers"], atol=1e-4)
    assert np.allclose(pictures["folder"], pictures["file"], atol=1e-4)


@needs_older
def test_an_older_diffusers_with_transformers_4_gives_the_same_pictures(jobs, pictures, tmp_path):
    target = tmp_path / "older.npz"
    command = [sys.executable, plain_diffusers.__file__, json.dumps(list(jobs.values())), str(target)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(OLDER)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(target) as older:
        for number, (kind, picture) in enumerate(pictures.items()):
            assert np.allclose(older[f"arr_{number}"], picture, atol=2e-3), kind


def test_a_lora_s_text_encoder_has_the_published_names(saved):
    with safe_open(saved["diffusers"], "pt") as file:
        named = [name for name in file.keys() if name.startswith("text_encoder")]  # noqa: SIM118  it is no dict
    assert named and all(name.startswith("text_encoder.text_model.encoder.layers.0.") for name in named)


def test_a_lora_with_a_trained_text_encoder_is_read_under_the_published_and_the_earlier_names(saved, base, tmp_path):
    from safetensors.torch import load_file, save_file

    weights = load_file(saved["diffusers"])
    earlier = tmp_path / "earlier.safetensors"
    save_file({name.replace(".text_model.", "."): weight for name, weight in weights.items()}, earlier)
    for path in (saved["diffusers"], earlier):
        run = Training(
            base, make_pictures(tmp_path / "some"), tmp_path / path.stem, lora_model_name=str(path), **WITH_TEXT
        )
        run.trainer.start()
        assert not run.recorder.of("on_warning")
        found = dict(run.trainer.session.family.parts["text_encoder"].named_parameters())
        layer = "encoder.layers.0.mlp.fc1"
        assert found[f"{layer}.lora_A.default.weight"].equal(weights[f"text_encoder.text_model.{layer}.lora_A.weight"])


@pytest.mark.parametrize("kind", ["folder", "half"])
def test_a_saved_folder_has_the_tokenizer_in_both_forms(saved, kind):
    folder = saved[kind] / "tokenizer"
    whole = CLIPTokenizer.from_pretrained(folder)
    assert json.loads((folder / "vocab.json").read_text()) == whole.get_vocab()
    merges = (folder / "merges.txt").read_text().splitlines()
    assert merges[0].startswith("#version")
    assert len(merges) - 1 == len(json.loads((folder / "tokenizer.json").read_text())["model"]["merges"])
