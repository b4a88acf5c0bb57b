"""Weights are judged by what is in the file, whatever its name is."""

import io
import json
import pickle
import tarfile
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from engine.paths.weights import is_model, refusal


def as_safetensors(path):
    save_file({"weight": torch.zeros(2)}, path)


def as_pickle(path):
    path.write_bytes(pickle.dumps({"weight": 1}))


def as_torch(path):
    torch.save({"weight": torch.zeros(2)}, path)


def as_old_torch(path):
    torch.save({"weight": torch.zeros(2)}, path, _use_new_zipfile_serialization=False)


def as_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"x")


def as_tar(path):
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("pickle"), io.BytesIO(b""))


def as_plain_pickle(path):
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")


UNSAFE = [as_pickle, as_torch, as_old_torch, as_zip, as_tar, as_plain_pickle]


@pytest.mark.parametrize("name", ["a.safetensors", "a", "a.bin.safetensors", "a.gguf"])
@pytest.mark.parametrize("write", UNSAFE)
@pytest.mark.parametrize("deep", [True, False])
def test_what_torch_would_unpickle_is_refused_under_any_name(tmp_path, write, name, deep):
    write(tmp_path / name)
    assert "program" in refusal(tmp_path / name, deep) or "not a safetensors" in refusal(tmp_path / name, deep)


@pytest.mark.parametrize("name", ["a.ckpt", "a.pt", "a.bin", "a.pth", "A.CKPT"])
def test_safetensors_under_a_pickles_name_would_be_unpickled(tmp_path, name):
    as_safetensors(tmp_path / name)
    assert "pickle" in refusal(tmp_path / name)


def test_safetensors_and_gguf_are_loaded(tmp_path):
    as_safetensors(tmp_path / "a.safetensors")
    (tmp_path / "b.gguf").write_bytes(b"GGUF" + bytes(100))
    assert refusal(tmp_path / "a.safetensors") == refusal(tmp_path / "b.gguf") == ""


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    for part in ("unet", "vae", "safety_checker"):
        (folder / part).mkdir(parents=True)
        as_safetensors(folder / part / "model.safetensors")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "X", "unet": ["diffusers", "UNet"]}))
    as_torch(folder / "v1-5-pruned.ckpt")  # as published beside the folders, and not loaded
    return folder


def test_a_model_is_judged_by_the_files_that_are_loaded(model):
    assert refusal(model) == ""
    (model / "vae/model.safetensors").unlink()
    as_torch(model / "vae/diffusion_pytorch_model.bin")
    assert "diffusion_pytorch_model.bin" in refusal(model)


def test_one_part_that_is_a_pickle_under_another_name_is_found(model):
    as_pickle(model / "unet/model.safetensors")
    assert "unet/model.safetensors" in refusal(model)


def test_an_index_names_no_library_to_import(model):
    (model / "model_index.json").write_text(json.dumps({"unet": ["subprocess", "Popen"]}))
    assert "subprocess" in refusal(model)


def test_a_model_is_told_from_other_files(model, tmp_path):
    (tmp_path / "notes.safetensors").write_text("no weights")
    assert is_model(model) and is_model(model / "unet/model.safetensors")
    assert not is_model(tmp_path / "notes.safetensors") and not is_model(tmp_path / "none")
