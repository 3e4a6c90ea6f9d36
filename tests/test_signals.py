from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import click
import pytest

from drugmon.cli import errors
from drugmon.data.duckdb.database import in_memory
from drugmon.signals import Terminated, check, install, interruptible, passed_on, spawning

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


ENDINGS = [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)]


@pytest.mark.parametrize(("sent", "raised"), ENDINGS)
def test_a_signal_that_was_swallowed_is_raised_again(
    sent: signal.Signals, raised: type[BaseException]
) -> None:
    check()
    with contextlib.suppress(raised):
        os.kill(os.getpid(), sent)
    with pytest.raises(raised):
        check()
    install()
    check()


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_that_a_library_makes_an_error_of_is_no_bug(
    sent: signal.Signals, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """As torch does with what is raised in Python beneath C++."""

    @click.command()
    def command() -> None:
        try:
            os.kill(os.getpid(), sent)
        except (Terminated, KeyboardInterrupt) as error:
            raise RuntimeError(f"{type(error).__name__}: <EMPTY MESSAGE>") from None

    with mock.patch("sys.argv", ["drugmon"]):
        assert errors.run(command) == code
    assert "bug" not in capsys.readouterr().err


def test_an_interrupt_that_is_ignored_stays_ignored() -> None:
    """A shell has ^C ignored by what it runs behind &."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    install()
    os.kill(os.getpid(), signal.SIGINT)
    check()


@pytest.mark.parametrize(("sent", "raised"), ENDINGS)
def test_signals_wait_until_a_process_is_started(
    sent: signal.Signals, raised: type[BaseException]
) -> None:
    """Also where the system gives them to another thread than the one that starts it."""
    resting = threading.Event()
    other = threading.Thread(target=resting.wait)
    other.start()
    told: list[str] = []
    with pytest.raises(raised), spawning():
        os.kill(os.getpid(), sent)
        told.append("on")
        child = subprocess.run(
            [sys.executable, "-c", "import signal; print(signal.pthread_sigmask(0, []))"],
            capture_output=True,
            text=True,
            check=True,
        )
        told.append(child.stdout)
    resting.set()
    other.join()
    assert told == ["on", "{<Signals.SIGINT: 2>}\n"]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with pytest.raises(raised):
        os.kill(os.getpid(), sent)


def test_who_is_asked_to_end_does_not_wait_for_what_threads_compute() -> None:
    lines = (
        "import threading, time",
        "from drugmon.signals import leave",
        "threading.Thread(target=time.sleep, args=(60,)).start()",
        "print('ended')",
        "leave()",
    )
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")


@pytest.mark.parametrize("sent", ["SIGTERM", "SIGINT"])
def test_a_signal_while_the_process_ends_changes_nothing(sent: str) -> None:
    program = (
        "import atexit, os, signal, sys; from drugmon import signals; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); signals.install(); "
        f"atexit.register(lambda: os.kill(os.getpid(), signal.{sent})); "
        "signals.settle(2); sys.exit(2)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (2, b"")
