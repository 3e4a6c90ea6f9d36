"""What the tests share: invented reviews, how verdicts are looked at, and processes to kill."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ASPECTS = ("benefits", "side_effects", "comments")
FORKER = """
import collections, contextlib, functools, importlib, json, os, re, signal, sys, threading
from drugmon.cli import main as cli
from drugmon.cli import errors as cli_errors
from drugmon.cli.output import nightly as cli_nightly_output
from drugmon.cli.output import verdicts as cli_output
from drugmon.cli import progress as cli_progress
from drugmon.config import EngineConfig
from drugmon.data.reviews import Texts
from drugmon.models.adapters.adapter import open_adapter
from drugmon.scoring.engine import Engine
from drugmon.workflows.nightly import nightly
from drugmon.workflows.report import report
from drugmon.workflows.score import score

Engine(open_adapter(sys.argv[1]), EngineConfig(), print).score([Texts("warm", "up", None, None)])
report.AnalystProcess = contextlib.nullcontext  # they take seconds, and are tested elsewhere
report.write_analyst_pages = lambda *_given: ()
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a shell
print("ready", flush=True)


def die_at(point):
    # Kill this process when it comes to `module:name[.name]:before` or `:after` the call.
    module, name, when = point.split(":")
    owner = importlib.import_module(module)
    *owners, name = name.split(".")
    for each in owners:
        owner = getattr(owner, each)
    real = getattr(owner, name)

    @functools.wraps(real)
    def dying(*given, **named):
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = real(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, dying)


def trace(point):
    # Count the lines of drugmon's modules that handle files (`lines>FILE`, a regular expression),
    # or kill this process when it comes to one for the n-th time (`line>FILE>NUMBER>N`).
    kind, wanted, *rest = point.split(">")
    package = os.path.dirname(sys.modules["drugmon"].__file__) + os.sep
    pattern, seen = re.compile(wanted), collections.Counter()
    number, times = map(int, rest) if rest else (0, 0)

    def line(frame, event, _argument):
        if event == "line":
            at = (frame.f_code.co_filename[len(package):], frame.f_lineno)
            seen[at] += 1
            if kind == "line" and at[1] == number and seen[at] == times:
                os.kill(os.getpid(), signal.SIGKILL)
        return line

    def call(frame, _event, _argument):
        name = frame.f_code.co_filename
        own = name.startswith(package) and pattern.fullmatch(name[len(package):])
        return line if own else None

    threading.settrace(call)
    sys.settrace(call)
    return seen


for line in sys.stdin:
    arguments, log, point = json.loads(line)
    child = os.fork()
    if not child:
        for stream in (1, 2):
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        seen = None
        if point and ">" in point:
            seen = trace(point)
        elif point:
            die_at(point)
        sys.argv = ["drugmon", *arguments]
        code = cli_errors.run(cli.cli)
        sys.settrace(None)
        if seen:
            with open(log + ".lines", "w") as file:
                json.dump([[*at, times] for at, times in seen.items()], file)
        os._exit(code)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Forker:
    """Starts command lines in processes of their own, one at a time.

    They are forked from a process that has imported and tried everything already, as importing
    torch would take most of each run's time.
    """

    def __init__(self, adapter: Path, folder: Path) -> None:
        self.log, self.aside = folder / "log", folder / "tmp"
        self.aside.mkdir()
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORKER, str(adapter)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
            | {"TMPDIR": str(self.aside)},
        )
        assert self._line() == "ready"

    def start(self, *arguments: object, die_at: str | None = None) -> int:
        """Start a command line and return its process id; what it prints is in `log`.

        `die_at` is where it kills itself: `module:name:before` or `:after` a call of that name, or
        `line>FILE>NUMBER>N`: a line when it is come to for the n-th time. With `lines>PATTERN` it
        ends well, and what there is to choose from is in `log` with `.lines` behind its name.
        """
        self.log.write_text("")
        assert self._process.stdin is not None
        line = json.dumps([list(map(str, arguments)), str(self.log), die_at])
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return int(self._line())

    def kill(self, pid: int) -> bool:
        """Kill it, and say whether that ended it; it may have come to its end before."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return self.end() == -signal.SIGKILL

    def end(self) -> int:
        """Wait for its end; the exit code, or the signal below zero."""
        return int(self._line())

    def close(self) -> None:
        self._process.communicate(timeout=60)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture(scope="module", name="forker")
def _forker(adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forker]:
    forker = Forker(adapter, tmp_path_factory.mktemp("runs"))
    yield forker
    forker.close()


def make_reviews(count: int, mark: str = "") -> list[dict[str, str]]:
    """Reviews with an id, three texts and a rating; `mark` makes the texts other ones."""
    words = ("useless", "so so", "wonderful")
    return [
        {
            "id": f"{number:05}",
            **{aspect: f"{words[number % 3]} {aspect} {number} {mark}" for aspect in ASPECTS},
            "rating": str(1 + number % 10),
        }
        for number in range(count)
    ]


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write `rows` as CSV."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read CSV as text."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def files_of(folder: Path) -> set[str]:
    """Every file and folder below `folder`."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture(scope="session", name="reviews")
def _reviews() -> Callable[..., list[dict[str, str]]]:
    return make_reviews


@pytest.fixture(scope="session", name="to_csv")
def _to_csv() -> Callable[..., Path]:
    return write_csv


@pytest.fixture(scope="session", name="from_csv")
def _from_csv() -> Callable[..., list[dict[str, str]]]:
    return read_csv


@pytest.fixture(scope="session", name="files")
def _files() -> Callable[[Path], set[str]]:
    return files_of


@pytest.fixture(name="score")
def _score(adapter: Path) -> Callable[..., Any]:
    """Scores a source with the tiny adapter: `score(path, out=...)`."""
    from drugmon.options import build
    from drugmon.workflows.score.config import ScoreConfig
    from drugmon.workflows.score.score import score

    def run(source: object, **options: Any) -> Any:
        told = {key: options.pop(key) for key in ("on_progress", "warn") if key in options}
        config = build(ScoreConfig, source=str(source), **{"adapter": str(adapter), **options})
        return score(config, **told)

    return run
