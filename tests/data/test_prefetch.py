from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from drugmon.data.prefetch import prefetched, written_behind


def test_the_next_item_is_taken_while_one_is_used() -> None:
    taken = [threading.Event() for _ in range(3)]

    def items() -> Iterator[int]:
        for number, event in enumerate(taken):
            event.set()
            yield number

    found = []
    for number in prefetched(items()):
        assert number == 2 or taken[number + 1].wait(10)
        assert number > 0 or not taken[2].is_set(), "one ahead, not two"
        found.append(number)
    assert found == [0, 1, 2]


def test_what_reading_raises_comes_in_its_turn() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    ahead = prefetched(items())
    assert next(ahead) == 1
    with pytest.raises(OSError, match="gone"):
        next(ahead)


def test_closing_waits_for_the_item_that_is_being_taken() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(9):
            taken.append(number)
            yield number

    with closing(prefetched(items())) as ahead:
        next(ahead)
    assert taken == [0, 1]
    assert not any(thread.name.startswith("drugmon-read") for thread in threading.enumerate())


def test_calls_are_made_behind_in_their_order() -> None:
    written: list[tuple[int, str]] = []
    go = threading.Event()

    def write(number: int) -> None:
        assert go.wait(10)
        written.append((number, threading.current_thread().name))

    with written_behind(write) as later:
        later(0)
        assert written == [], "not waited for"
        go.set()
        for number in range(1, 5):
            later(number)
            assert len(written) >= number, "one is under way at most"
    assert [number for number, _ in written] == list(range(5))
    assert all(name.startswith("drugmon-write") for _, name in written)


def test_what_writing_raises_comes_at_the_next_call() -> None:
    written: list[int] = []

    def write(number: int) -> None:
        if number == 1:
            raise OSError("disk full")
        written.append(number)

    def run() -> None:
        with written_behind(write) as later:
            for number in range(9):
                later(number)

    with pytest.raises(OSError, match="disk full"):
        run()
    assert written == [0]


def test_what_the_last_write_raises_comes_at_the_end() -> None:
    def write(_number: int) -> None:
        raise OSError("disk full")

    passed = False
    with pytest.raises(OSError, match="disk full"), written_behind(write) as later:
        later(1)
        passed = True
    assert passed


def test_a_block_that_fails_waits_for_the_write_and_raises_its_own() -> None:
    done: list[int] = []
    go = threading.Event()

    def write(number: int) -> None:
        assert go.wait(10)
        done.append(number)

    with pytest.raises(KeyboardInterrupt), written_behind(write) as later:
        later(1)
        threading.Timer(0.05, go.set).start()
        raise KeyboardInterrupt
    assert done == [1]
