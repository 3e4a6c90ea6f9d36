from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from drugmon.data.duckdb.database import in_memory
from drugmon.signals import Terminated, check, install, interruptible, passed_on

LONG = "SELECT count(*) FROM range(100000000000) AS t(a) WHERE hash(a) = 3"


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = [signal.getsignal(which) for which in (signal.SIGTERM, signal.SIGINT)]
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where pytest runs behind &
    install()
    yield
    install()  # forgets what came
    for which, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
        signal.signal(which, handler)


@pytest.mark.parametrize(
    ("sent", "raised"), [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)]
)
def test_a_signal_during_a_query_is_what_it_was(
    tmp_path: Path, sent: signal.Signals, raised: type[BaseException]
) -> None:
    timer = threading.Timer(0.3, os.kill, (os.getpid(), sent))
    with pytest.raises(raised), in_memory(tmp_path) as connection:
        timer.start()
        connection.execute(LONG)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_interrupts_what_does_not_look_for_it(sent: signal.Signals) -> None:
    """As a query, where the main thread sleeps until other threads are done."""
    interrupted = threading.Event()

    class Sleeping:
        def interrupt(self) -> None:
            interrupted.set()

    with pytest.raises((Terminated, KeyboardInterrupt)), interruptible(Sleeping()):
        os.kill(os.getpid(), sent)
    assert interrupted.wait(5)
    assert signal.set_wakeup_fd(-1) == -1


def test_an_event_loops_pipe_is_left_alone() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    try:
        with in_memory(None) as connection:
            assert connection.execute("SELECT 1").fetchall() == [(1,)]
            assert signal.set_wakeup_fd(writer) == writer
    finally:
        signal.set_wakeup_fd(-1)
        os.close(reader)
        os.close(writer)


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="of another kind"), passed_on():
        raise RuntimeError("of another kind")


def test_a_signal_that_was_swallowed_is_raised_again() -> None:
    check()
    with contextlib.suppress(Terminated):
        os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Terminated):
        check()
    install()
    check()
