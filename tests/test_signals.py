from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from drugmon.data.duckdb.database import in_memory
from drugmon.signals import Terminated, check, install, passed_on

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
        # With more threads another one may take all of the query, while the main thread sleeps
        # until it is done and looks for no signal.
        connection.execute("SET threads = 1")
        timer.start()
        connection.execute(LONG)


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
