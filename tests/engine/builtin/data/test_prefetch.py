"""Work that other threads do ahead."""

import threading

import pytest

from engine.builtin.data.prefetch import prefetched
from tests.waiting import wait_for


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("loader")]


def test_results_come_in_the_order_of_the_items_whichever_is_ready_first():
    later = threading.Event()

    def load(item):
        assert item or later.wait(10)
        if item == 2:
            later.set()
        return item

    assert list(prefetched(load, range(5), 2)) == [0, 1, 2, 3, 4]


def test_only_the_next_items_are_loaded():
    loaded = []
    results = prefetched(loaded.append, range(100), 3)
    next(results)
    wait_for(lambda: len(loaded) == 4)
    results.close()
    assert len(loaded) == 4
    assert not threads()


def test_an_error_comes_in_its_turn_and_ends_the_threads():
    def load(item):
        if item == 2:
            raise ValueError("the file is gone")
        return item

    results = prefetched(load, range(9), 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="the file is gone"):
        next(results)
    assert not threads()
