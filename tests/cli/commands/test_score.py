"""What `drugmon score` prints and how it ends."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drugmon.cli.progress import rows_progress
from drugmon.models.device import choose_compute
from drugmon.workflows.score.run import ScoreProgress

Any_ = Callable[..., Any]
OK = re.compile(
    r"drugmon score: ok run=[0-9a-f]{12} adapter=tiny@[0-9a-f]{12} total=2 scored=(\d) reused=(\d) "
    r"empty=0 seconds=\d+\.\d( on cpu \w+)?"
)


@pytest.fixture(name="source")
def _source(tmp_path: Path) -> Path:
    path = tmp_path / "r.csv"
    path.write_text("id,benefits\n1,good\n2,bad\n")
    return path


@pytest.fixture(name="run")
def _run(drugmon: Any_, source: Path, adapter: Path) -> Any_:
    return lambda *options: drugmon("score", source, "--adapter", adapter, *options)


def test_the_summary_is_plain_and_its_last_line_can_be_found(run: Any_, source: Path) -> None:
    first, second = run(), run()
    assert (first.code, first.err, second.err) == (0, "", "")
    *wrote, last = first.out.splitlines()
    assert wrote == [f"wrote {source.with_name('r.scored.csv')}"]
    found = OK.fullmatch(last)
    assert found
    assert found.groups() == ("2", "0", f" on {choose_compute('cpu', quantises=True)}")
    again = OK.fullmatch(second.out.splitlines()[-1])
    assert again
    assert again.groups() == ("0", "2", None)


def test_a_process_says_nothing_behind_its_last_line(source: Path, adapter: Path) -> None:
    """Nor does a library, when the interpreter takes it down."""
    command = [
        sys.executable,
        "-m",
        "drugmon.cli.main",
        "score",
        str(source),
        "--adapter",
        str(adapter),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert OK.fullmatch(done.stdout.splitlines()[-1])


def test_dry_run_says_how_many_would_be_scored(run: Any_, source: Path) -> None:
    done = run("--dry-run")
    wrote, last = done.out.splitlines()
    assert wrote == f"would write {source.with_name('r.scored.csv')}"
    assert " total=2 to_score=2 reused=0 " in last


def test_json_is_one_line(run: Any_) -> None:
    done = run("--json")
    assert (done.err, done.out.count("\n")) == ("", 1)
    summary = json.loads(done.out)
    assert (summary["total"], summary["scored"], summary["dry_run"]) == (2, 2, False)
    assert set(summary) >= {"run_id", "adapter", "outputs", "reused", "empty", "seconds", "compute"}


def test_quiet_prints_nothing(run: Any_) -> None:
    assert run("--quiet") == (0, "", "")


def test_json_of_a_stream_goes_beside_its_rows(drugmon: Any_, adapter: Path) -> None:
    done = drugmon("score", "-", "--adapter", adapter, "--json", stdin=b'{"review": "good"}\n')
    assert (done.code, json.loads(done.err)["total"]) == (0, 1)
    assert json.loads(done.out)["review"] == "good"


def test_a_log_gets_a_plain_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A whole number: a sum of 30 seconds stays exact, whatever the machine's clock says.
    start = float(math.ceil(time.monotonic()) + 1)
    now = [start]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with rows_progress(False, "scoring") as progress:
        for second in range(0, 95, 5):
            now[0] = start + second
            progress(ScoreProgress("r.csv", 10 * second, 5000, 10 * second))
    assert capsys.readouterr().err.splitlines() == [
        "drugmon: scoring: 300 of 5,000, 300 scored, 10 reviews/s",
        "drugmon: scoring: 600 of 5,000, 600 scored, 10 reviews/s",
        "drugmon: scoring: 900 of 5,000, 900 scored, 10 reviews/s",
    ]


def test_a_bug_is_one_line_and_its_traceback_only_this_users(
    run: Any_, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drugmon.scoring.engine import Engine

    def broken(*_given: object) -> None:
        raise ZeroDivisionError("a secret review")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Engine, "scores", broken)
    done = run()
    assert (done.code, done.out) == (3, "")
    (log,) = tmp_path.glob("drugmon-bug-*.log")
    assert done.err == (
        f"drugmon: error: a bug in drugmon (ZeroDivisionError); the details are in {log}\n"
    )
    assert log.stat().st_mode & 0o777 == 0o600
    assert "ZeroDivisionError: a secret review" in log.read_text()
    assert not (tmp_path / "r.scored.csv").exists()


def test_a_reader_that_leaves_is_no_bug(run: Any_, monkeypatch: pytest.MonkeyPatch) -> None:
    from drugmon.cli.output import verdicts as cli_output

    def gone(*_given: object, **_options: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(cli_output, "print_score", gone)
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score"], "Missing argument 'SOURCE'. See drugmon score --help."),
        (["score", "r.csv", "--nope"], "No such option '--nope'"),
        (["nope"], "No such command 'nope'"),
    ],
)
def test_a_usage_error_is_one_line(drugmon: Any_, arguments: list[str], message: str) -> None:
    done = drugmon(*arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith(f"drugmon: error: {message}")
    assert done.err.endswith("--help.\n")
