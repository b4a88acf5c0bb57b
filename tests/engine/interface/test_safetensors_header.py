"""The header of a safetensors file is read without its tensors, and without the safetensors library."""

import json

import pytest
import torch
from safetensors.torch import save_file

from engine.interface.safetensors_header import BadHeader, read_header


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.zeros(2, 3), "b": torch.zeros((), dtype=torch.float16)}, path, {"steps": "6"})
    return path


def write(path, content, length=None):
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text)
    return path


def test_the_header_holds_the_shapes_that_the_library_wrote(weights):
    header = read_header(weights)
    assert header.shapes == {"a": (2, 3), "b": ()}
    assert header.metadata == {"steps": "6"}
    assert header.file_size == weights.stat().st_size


def test_a_file_whose_tensors_are_cut_off_has_a_header_that_says_so(weights):
    whole = weights.stat().st_size
    weights.write_bytes(weights.read_bytes()[:-5])
    assert read_header(weights).file_size == whole


def test_a_file_without_tensors_ends_after_its_header(tmp_path):
    assert read_header(write(tmp_path / "x", {})).file_size == 10


@pytest.mark.parametrize("length", [3, 2**63])
def test_a_header_longer_than_the_file_is_cut_off(tmp_path, length):
    with pytest.raises(BadHeader, match="cut off"):
        read_header(write(tmp_path / "x", b"{}", length))


def test_an_empty_file_is_cut_off(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(BadHeader, match="cut off"):
        read_header(tmp_path / "x")


@pytest.mark.parametrize("content", [b"\xff\xff", [1], {"a": 1}, {"a": {"shape": [1]}}, {"__metadata__": 1}])
def test_a_header_of_another_form_cannot_be_read(tmp_path, content):
    with pytest.raises(BadHeader, match="cannot be read"):
        read_header(write(tmp_path / "x", content))
