"""Runs a command line in this process, and refuses what no input may cause.

That is exit code 3 or a traceback, more than half a minute, more than 2 GB, and a file that is
written anywhere but in the folder of the trial.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest import mock

import hypothesis
import pytest
import torch
from hypothesis import HealthCheck
from hypothesis import strategies as st

from drugmon.training.loop.peak_memory import PeakMemory

SLOWEST: Final = 30
MOST_BYTES: Final = 2**31
_EXPECTED: Final = (0, 1, 2, 4, 75)
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES: Final = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink")

_REPORT: Final = "drugmon.workflows.report.report"

QUICK: Final = 12
"""Inputs of each kind in CI; those that are read without a run may be more."""

_allowed: list[Path] = []
_strayed: list[str] = []

_ODD: Final = [
    *("", " ", "~", "~nobody/x", "/", "..", ".", "-", "--", "*", "?", "[a", "a[1].csv", "{0}"),
    *("\0", "\n", "\t", "\x1b[2J", "[/x]", "[bold]", "=1+1", "a:b", "a,b", '"', "'", "''"),
    *("previous:7", "previous:x", "previous:0", f"previous:{10**30}", "adapter", "7d", "true"),
    *("0d", "99999w", "1h", "-1d", "new", "all", "http://[::1", "http://ü", "1e9", "-5", "1;2"),
    *("\ufeff", "\u200b", "\u2028", "ä", "💊", "a" * 300, "x" * 5000, "1-5", "5-1", "1-1"),
    *("0-1e308", "nan", "inf", "1", "utf-16", "idna", "tab", "||", "C:\\x", "%s", "drug"),
    *("benefits", "reviews", "main.reviews", "review"),
]
odd_texts = st.sampled_from(_ODD) | st.text(max_size=12)
odd_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        odd_texts,
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.sampled_from([0, 1, -1, 2, 10**9, 10**400, 1e308, 5e-324, 2**31, 2**63, None]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(odd_texts, inner, max_size=3)
    ),
    max_leaves=4,
)


def many(examples: int) -> hypothesis.settings:
    """The settings of a test over so many inputs, which may be slow and are not kept."""
    return hypothesis.settings(
        max_examples=examples,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate, hypothesis.Phase.shrink],
    )


class Trial:
    """A folder of its own, and command lines that run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: object, stdin: bytes = b"") -> tuple[int, str]:
        """Run a command line, check what it may do, and return exit code and what it said."""
        from drugmon.cli import errors, main

        words = ["drugmon", *map(str, arguments)]
        said = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
        with (
            mock.patch.object(sys, "argv", words),
            mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
            mock.patch.object(sys, "stdout", said[0]),
            mock.patch.object(sys, "stderr", said[1]),
            limits(self.folder),
        ):
            code = errors.run(main.cli)
        out, err = (stream.buffer.getvalue().decode() for stream in said)
        bugs = "\n".join(path.read_text() for path in self.folder.glob("tmp/drugmon-bug-*.log"))
        told = f"{words[1:]} -> {code}\n{out[-500:]}\n{err[-2000:]}\n{bugs[-6000:]}"
        assert code in _EXPECTED, told
        assert not bugs, told
        assert "Traceback" not in err, told
        return code, out + err


@contextlib.contextmanager
def trial() -> Iterator[Trial]:
    """Give a folder that is the working and the temporary folder meanwhile."""
    with TemporaryDirectory() as folder:
        inner = Path(folder) / "trial"
        (inner / "tmp").mkdir(parents=True)
        with (
            contextlib.chdir(inner),
            mock.patch.object(tempfile, "tempdir", str(inner / "tmp")),
            # evidently's pages take seconds, and are tested elsewhere.
            mock.patch(f"{_REPORT}.AnalystProcess", contextlib.nullcontext),
            mock.patch(f"{_REPORT}.write_analyst_pages", lambda *_given: ()),
        ):
            yield Trial(inner)
        assert os.listdir(folder) == ["trial"]  # noqa: PTH208


@contextlib.contextmanager
def limits(folder: Path) -> Iterator[None]:
    """Refuse what takes too long or too much, or writes elsewhere."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    peak = PeakMemory(torch.device("cpu"))
    resident = peak.value

    def late(*_given: object) -> None:
        raise AssertionError(f"more than {SLOWEST} s")

    before_late = [signal.signal(each, late) for each in (signal.SIGPROF, signal.SIGALRM)]
    term = signal.getsignal(signal.SIGTERM)
    signal.setitimer(signal.ITIMER_PROF, SLOWEST)  # of the processor: others may be busy
    signal.alarm(10 * SLOWEST)
    resource.setrlimit(resource.RLIMIT_AS, (held + 3 * MOST_BYTES, before[1]))
    _allowed.append(folder)
    try:
        yield
    finally:
        _allowed.clear()
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for each, handler in zip((signal.SIGPROF, signal.SIGALRM), before_late, strict=True):
            signal.signal(each, handler)
        signal.signal(signal.SIGTERM, term)
        resource.setrlimit(resource.RLIMIT_AS, before)
    strayed = list(_strayed)
    _strayed.clear()
    assert not strayed, f"written outside: {strayed}"
    assert peak.value - resident < MOST_BYTES, "more than 2 GB"


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Note what is changed outside of the allowed folder, as far as Python does it."""
    if not _allowed:
        return
    if event == "open":
        path, mode, flags = arguments
        if not isinstance(path, str | bytes) or not (flags or 0) & _WRITES:
            return
        del mode
    elif event in _CHANGES:
        path = arguments[0]
    else:
        return
    if isinstance(path, str | bytes):
        place = os.path.realpath(os.fsdecode(path))
        inside = place == str(_allowed[0]) or place.startswith(f"{_allowed[0]}{os.sep}")
        if not inside and not place.startswith("/dev/") and "__pycache__" not in place:
            _strayed.append(f"{event} {place}")


sys.addaudithook(_watch)

fuzz = pytest.mark.fuzz
