"""Reading ahead: the next window is read and parsed while this one is scored."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_END = object()


def prefetched(items: Iterator[T]) -> Iterator[T]:
    """Yield `items`, each taken on another thread while the one before is being used.

    Memory holds two items at most. What `items` raises is raised here, in its turn.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="drugmon-read") as reader:
        following = reader.submit(next, items, _END)
        while (item := following.result()) is not _END:
            following = reader.submit(next, items, _END)
            yield item  # type: ignore[misc]
