"""Reading ahead and writing behind, each on a thread of its own, while a window is scored."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

_END = object()


def prefetched(items: Iterator[T]) -> Generator[T, None, None]:
    """Yield `items`, each taken on another thread while the one before is being used.

    Memory holds two items at most. What `items` raises is raised here, in its turn. Closing it
    waits for the item that is being taken.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="drugmon-read") as reader:
        following = reader.submit(next, items, _END)
        while (item := following.result()) is not _END:
            following = reader.submit(next, items, _END)
            yield item  # type: ignore[misc]


@contextmanager
def written_behind(write: Callable[P, None]) -> Iterator[Callable[P, None]]:
    """Give what calls `write` on another thread, one call after the other.

    A call waits until the one before is done, so that one is under way at most. What `write` raises
    is raised by the next call, or at the end of the block, which waits for the last one.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="drugmon-write") as writer:
        last: Future[None] = Future()
        last.set_result(None)

        def later(*args: P.args, **kwargs: P.kwargs) -> None:
            nonlocal last
            last.result()
            last = writer.submit(write, *args, **kwargs)

        yield later
        last.result()
