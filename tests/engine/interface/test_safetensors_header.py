"""The header of a safetensors file is read without its tensors, and without the safetensors library."""

import json
import os

import pytest
import torch
from safetensors import SafetensorError, safe_open
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


def entry(begin, end, shape=(2,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    "tensors, what",
    [
        ({"a": entry(0, 8), "b": entry(4, 12)}, "shares bytes"),
        ({"a": entry(0, 8), "b": entry(16, 24)}, "does not follow"),
        ({"a": entry(8, 16)}, "does not follow"),
        ({"a": entry(0, 9)}, "does not fit its shape"),
        ({"a": entry(8, 0)}, "does not fit its shape"),
        ({"a": entry(0, 0, (2**40, 2**40))}, "does not fit its shape"),
        ({"a": entry(0, 8, dtype="Q4_K")}, "unknown number format 'Q4_K'"),
        ({"a": entry(0, 8, dtype=["F32"])}, "unknown number format"),
        ({"a": entry(0, 8, (-2,))}, "cannot be read"),
        ({"a": entry(0, 8, (2.0,))}, "cannot be read"),
        ({"a": entry("0", "8")}, "cannot be read"),
    ],
)
def test_places_of_tensors_that_the_library_refuses_are_refused(tmp_path, tensors, what):
    path = write(tmp_path / "x.safetensors", tensors)
    with path.open("ab") as file:
        file.write(bytes(64))
    with pytest.raises(SafetensorError):
        safe_open(path, "pt")
    with pytest.raises(BadHeader, match=what):
        read_header(path)


def test_endless_nesting_cannot_be_read(tmp_path):
    with pytest.raises(BadHeader, match="cannot be read"):
        read_header(write(tmp_path / "x", b'{"a":' + b"[" * 100_000))


def test_a_pipe_and_a_folder_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadHeader, match="regular file"):
        read_header(tmp_path / "pipe")
    with pytest.raises(BadHeader, match="folder"):
        read_header(tmp_path)
