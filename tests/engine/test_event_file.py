"""The reader of event files, against files that TensorBoard's own code writes: whole, torn and damaged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_tensor_proto

from engine.onetrainer.event_file import FRAME, Damaged, Value, read_event, whole_records


def event(step=3, **values):
    content = [Summary.Value(tag=tag, **{kind: value}) for tag, (kind, value) in values.items()]
    return Event(wall_time=1.5, step=step, summary=Summary(value=content)).SerializeToString()


@pytest.fixture
def log(tmp_path):
    """A file of three records, by TensorBoard's writer, and the offset of each."""
    path = tmp_path / "events.out.tfevents.1.host.1.0"
    contents = [event(step, loss=("simple_value", step / 4)) for step in range(3)]
    with path.open("wb") as file:
        writer = RecordWriter(file)
        for content in contents:
            writer.write(content)
    return path, contents


def test_all_written_records_are_read(log):
    path, contents = log
    assert list(whole_records(path, 0)) == contents
    assert list(whole_records(path, len(contents[0]) + FRAME)) == contents[1:]


def test_a_torn_last_record_waits_at_each_byte(log):
    path, contents = log
    whole = path.read_bytes()
    for cut in range(1, len(contents[2]) + FRAME):
        path.write_bytes(whole[:-cut])
        assert list(whole_records(path, 0)) == contents[:2]


def test_a_wrong_bit_anywhere_in_a_record_ends_reading(log):
    path, contents = log
    whole = path.read_bytes()
    second = len(contents[0]) + FRAME
    for position in range(second, second + len(contents[1]) + FRAME):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        assert list(whole_records(path, 0)) == contents[:1]


def test_a_deleted_file_has_no_records(tmp_path):
    assert list(whole_records(tmp_path / "gone", 0)) == []


def test_each_number_is_read_with_its_tag_step_and_time():
    read = read_event(event(7, loss=("simple_value", 0.25), lr=("simple_value", 0.5)))
    assert (read.step, read.time, read.values) == (7, 1.5, [Value("loss", 0.25), Value("lr", 0.5)])
    assert read_event(event(-1)).step == -1


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("number", [0, 3, -5])
def test_a_number_in_a_tensor_is_read_in_both_of_its_forms(kind, number):
    tensor = make_tensor_proto(kind(number))
    as_content = type(tensor)(dtype=tensor.dtype, tensor_content=kind(number).tobytes())
    for form in (tensor, as_content):
        assert read_event(event(loss=("tensor", form))).values == [Value("loss", number)]


def test_a_picture_a_vector_and_a_text_are_no_numbers():
    values = {
        "picture": ("image", Summary.Image(width=8, height=8, encoded_image_string=b"png")),
        "vector": ("tensor", make_tensor_proto(np.ones(3, dtype=np.float32))),
        "text": ("tensor", make_tensor_proto("words")),
    }
    assert read_event(event(**values)).values == []
    assert read_event(Event(file_version="brain.Event:2").SerializeToString()).values == []


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_damaged(content):
    try:
        read_event(content)
    except Damaged:
        assert content


@given(st.integers(0, 60), st.integers(0, 255))
def test_an_event_with_a_wrong_byte_is_an_event_or_damaged(position, byte):
    content = bytearray(event(loss=("simple_value", 0.25), other=("tensor", make_tensor_proto(np.float32(2)))))
    content[position % len(content)] = byte
    try:
        read_event(bytes(content))
    except Damaged as error:
        assert str(error)
