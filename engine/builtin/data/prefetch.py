"""Work done ahead in other threads, so that the training does not wait for files. No torch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetched(load: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Generator[Result]:
    """The results of `load`, in the order of the items; while one is used, the next `threads` items are loaded.

    An exception of `load` is raised here, in its item's turn. Closing the iterator (`contextlib.closing`) cancels what
    has not begun, and waits for what has.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="loader") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(load, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
