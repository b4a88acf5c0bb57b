"""The journal: written by the engine process, read by the worker."""

import errno
import json

import pytest

from engine.interface.journal import JournalWriter, read_journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def test_appended_events_are_read_in_order_with_sequence_numbers_without_gaps(path):
    writer = JournalWriter(path)
    for step in range(3):
        writer.append("progress", {"global_step": step})
    events, offset = read_journal(path)
    assert [(event.sequence, event.data["global_step"]) for event in events] == [(1, 0), (2, 1), (3, 2)]
    assert offset == path.stat().st_size


def test_reading_continues_at_the_offset(path):
    writer = JournalWriter(path)
    writer.append("status", {"text": "a"})
    _, offset = read_journal(path)
    writer.append("status", {"text": "b"})
    events, _ = read_journal(path, offset)
    assert [event.data["text"] for event in events] == ["b"]


def test_a_torn_last_line_is_left_until_it_is_whole(path):
    JournalWriter(path).append("status", {"text": "a"})
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(b'{"sequence": 2, "time": 1.0, "kind": "sta')
    assert read_journal(path, whole) == ([], whole)
    with path.open("ab") as file:
        file.write(b'tus", "data": {"text": "b"}}\n')
    events, _ = read_journal(path, whole)
    assert [event.sequence for event in events] == [2]


def test_a_line_that_is_no_event_does_not_block_later_events(path):
    line = json.dumps({"sequence": 2, "time": 1, "kind": "k", "data": {}}).encode()
    path.write_bytes(b"\x00\x00\x00\n" + line + b"\n")
    events, _ = read_journal(path)
    assert [event.kind for event in events] == ["damaged", "k"]


class FullDisk:
    """A file on a disk with space for this many bytes."""

    def __init__(self, file, space):
        self.file, self.space = file, space

    def write(self, data):
        if not self.space:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = data[: self.space]
        self.space -= len(taken)
        return self.file.write(taken)


def test_events_that_a_full_disk_did_not_take_are_written_whole_once_there_is_space(path):
    writer = JournalWriter(path)
    writer._file = disk = FullDisk(writer._file, space=100)
    for step in range(3):
        writer.append("progress", {"global_step": step})
    assert [event.sequence for event in read_journal(path)[0]] == [1]
    assert not writer.drain(0)
    disk.space = 10_000
    writer.append("progress", {"global_step": 3})
    assert [event.sequence for event in read_journal(path)[0]] == [1, 2, 3, 4]
    assert writer.drain(0)


def test_not_a_number_becomes_null(path):
    JournalWriter(path).append("metrics", {"values": {"loss": float("nan")}})
    assert read_journal(path)[0][0].data == {"values": {"loss": None}}


def test_a_missing_journal_has_no_events(path):
    assert read_journal(path) == ([], 0)


def test_a_long_journal_is_read_in_blocks_without_loss(path):
    writer = JournalWriter(path)
    for _ in range(50):
        writer.append("status", {"text": "x" * 150})
    seen, offset = [], 0
    while events := (block := read_journal(path, offset, read_bytes=100))[0]:
        seen += [event.sequence for event in events]
        offset = block[1]
    assert seen == list(range(1, 51))
