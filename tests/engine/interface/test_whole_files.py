"""Files are whole or not there, even if the process that writes them is killed at any moment."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from engine.builtin.training.checkpoint import is_whole
from engine.interface.errors import NotWritten
from engine.interface.files import (
    facts_of,
    leftovers,
    refuse_broken,
    remove,
    sha256_of,
    size_of,
    verify,
    write_manifest,
    written_beside,
)
from engine.interface.free_space import Backups

ROOT = Path(__file__).resolve().parents[3]
STAGES = ["write", "write_manifest", "verify", "refuse_broken", "flush", "replace", "after"]
KILLED = """
import os, signal, sys
from pathlib import Path
from engine.builtin.training import checkpoint
from engine.interface import files
from engine.interface.progress import TrainProgress

folder, stage = Path(sys.argv[1]), sys.argv[2]
die = lambda *given: os.kill(os.getpid(), signal.SIGKILL)

def write(beside):
    (beside / "weights.json").write_text("[1, 2")
    if stage == "write":
        die()
    (beside / "weights.json").write_text("[1, 2, 3]")

for module in (files, checkpoint):
    if hasattr(module, stage):
        setattr(module, stage, die)
if stage == "replace":
    Path.replace = die
if stage == "after":
    replace = Path.replace
    Path.replace = lambda *given: die(replace(*given))
checkpoint.write_backup(folder, TrainProgress(), {"progress": 1}, write)
"""


@pytest.mark.parametrize("stage", STAGES)
def test_a_writer_that_is_killed_leaves_a_whole_backup_or_none(tmp_path, stage):
    ended = subprocess.run([sys.executable, "-c", KILLED, tmp_path, stage], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    found = Backups(tmp_path).newest_first()
    assert len(found) == (stage == "after")
    assert all(is_whole(backup) for backup in found)
    assert len(list(leftovers(tmp_path))) == (stage != "after")


def weights(path):
    save_file({"a": torch.ones(8)}, path)
    return path


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-1])
    return path


def picture(path):
    Image.new("RGB", (8, 8)).save(path)
    return path


def text(path):
    path.write_text("[1, 2]")
    return path


def state(path):
    torch.save({"a": torch.ones(8)}, path)
    return path


MAKERS = [("a.safetensors", weights), ("a.png", picture), ("a.jpg", picture), ("a.json", text), ("a.pt", state)]


@pytest.mark.parametrize(("name", "make"), MAKERS)
def test_a_file_that_is_cut_off_is_not_whole(tmp_path, name, make):
    path = make(tmp_path / name)
    refuse_broken(path, path.suffix)
    cut_off(path)
    with pytest.raises(NotWritten, match="was not written completely"):
        refuse_broken(path, path.suffix)


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\x02" + bytes(7) + b"[]", b"\x09" + bytes(7) + b'{"a": []}'])
def test_a_file_that_is_not_safetensors_is_not_whole(tmp_path, content):
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(NotWritten):
        refuse_broken(path, path.suffix)


def test_a_broken_file_does_not_replace_a_whole_file(tmp_path):
    final = weights(tmp_path / "model.safetensors")
    before = final.read_bytes()
    with pytest.raises(NotWritten), written_beside(final, tmp_path / "old.safetensors") as beside:
        cut_off(weights(beside))
    assert final.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_the_previous_file_is_kept_under_another_name(tmp_path):
    final = text(tmp_path / "a.json")
    with written_beside(final, tmp_path / "old.json") as beside:
        beside.write_text("[3]")
    assert (json.loads(final.read_text()), json.loads((tmp_path / "old.json").read_text())) == ([3], [1, 2])


def test_a_changed_bit_is_found_before_a_backup_is_used(tmp_path):
    text(tmp_path / "a.json")
    write_manifest(tmp_path)
    verify(tmp_path)
    (tmp_path / "a.json").write_text("[1, 3]")
    assert not is_whole(tmp_path)


def test_a_folder_is_known_by_the_hash_of_its_manifest(tmp_path):
    text(tmp_path / "a.json")
    write_manifest(tmp_path)
    assert facts_of(tmp_path) == {"size": size_of(tmp_path), "sha256": sha256_of(tmp_path / "manifest.json")}


def test_links_are_not_counted_and_not_followed_on_removal(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    text(outside / "precious.json")
    (folder / "link").symlink_to(outside)
    assert size_of(folder) == 0
    remove(folder / "link")
    (folder / "link").symlink_to(outside)
    remove(folder)
    assert (outside / "precious.json").exists() and not folder.exists()
