"""The cache of encoded pictures and captions."""

import errno
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from engine.builtin.data.cache import TensorCache, cache_key
from engine.interface.errors import DiskFull

KEY = cache_key(picture="abc", cut=[1, 2])


def entry():
    return {"mean": torch.arange(6.0).reshape(2, 3), "half": torch.ones(4, dtype=torch.bfloat16)}


@pytest.fixture
def cache(tmp_path):
    return TensorCache(tmp_path / "cache")


def test_an_entry_is_read_as_it_was_stored(cache):
    cache.put(KEY, entry())
    tensors = cache.get(KEY)
    assert torch.equal(tensors["mean"], entry()["mean"])
    assert tensors["half"].dtype == torch.bfloat16


def test_a_missing_entry_is_none(cache):
    assert cache.get(KEY) is None
    assert not cache.has(KEY)


@pytest.mark.parametrize(
    "facts", [{"picture": "abd", "cut": [1, 2]}, {"picture": "abc", "cut": [2, 1]}, {"picture": "abc"}]
)
def test_any_other_fact_gives_another_entry(facts):
    assert cache_key(**facts) != KEY


def damage_head(data):
    return b"\x00" * 8 + data[8:]


def damage_value(data):
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-5], damage_head, damage_value])
def test_a_broken_entry_is_missing_with_a_warning(cache, caplog, damage):
    cache.put(KEY, entry())
    path = cache.path(KEY)
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.WARNING, "engine"):
        assert cache.get(KEY) is None
    assert "is broken" in caplog.text


def test_no_half_written_file_is_left(cache, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(DiskFull, match="is full"):
        cache.put(KEY, entry())
    assert list(cache.path(KEY).parent.iterdir()) == []


def test_threads_may_write_the_same_entry_at_the_same_time(cache):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: cache.put(KEY, entry()), range(64)))
    assert cache.get(KEY) is not None
    assert [path.name for path in cache.path(KEY).parent.iterdir()] == [f"{KEY}.safetensors"]


def test_two_runs_may_write_the_same_entry(tmp_path):
    first, second = TensorCache(tmp_path), TensorCache(tmp_path)
    first.put(KEY, entry())
    second.put(KEY, entry())
    assert first.get(KEY) is not None
    assert [path.name for path in first.path(KEY).parent.iterdir()] == [f"{KEY}.safetensors"]
