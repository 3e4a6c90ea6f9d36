"""Whatever ends a run, the target is the old or the new one, and the next run goes on from there.

The runs are real command lines in processes of their own, forked from one that has imported and
tried everything already, as importing torch would take most of each run's time.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from drugmon.data.reviews import Texts
from drugmon.data.verdicts.fingerprint import Fingerprinter
from tests.workflows.waiting import wait_for

ROWS = 3000
KILLS = 10


class Runs:
    """Starts `drugmon score` with the tiny adapter, one run at a time."""

    def __init__(self, forker: Any, adapter: Path) -> None:
        self._forker, self._adapter = forker, adapter
        self.log, self.end, self.kill = forker.log, forker.end, forker.kill

    def start(self, *arguments: object) -> int:
        """Start a run and return its process id."""
        pid: int = self._forker.start("score", *arguments, "--adapter", self._adapter, "--json")
        return pid

    def summary(self, *arguments: object) -> dict[str, Any]:
        """Run to the end, which must be a good one."""
        self.start(*arguments)
        assert self.end() == 0, self.log.read_text()
        summary: dict[str, Any] = json.loads(self.log.read_text())
        return summary


@pytest.fixture(name="runs")
def _runs(forker: Any, adapter: Path) -> Runs:
    return Runs(forker, adapter)


class AFile:
    """A csv and its output. Each state of the reviews has its own `mark` in every text."""

    def __init__(self, folder: Path, reviews: Any, to_csv: Any, from_csv: Any) -> None:
        self.path, self.scored = folder / "reviews.csv", folder / "reviews.scored.csv"
        self._reviews, self._to_csv, self._from_csv = reviews, to_csv, from_csv
        self.arguments = [self.path]
        self.journal = folder / ".drugmon/reviews.scored.csv.journal"

    def change(self, mark: str) -> None:
        self._to_csv(self.path, self._reviews(ROWS, mark))

    def read(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._from_csv(self.scored)
        return rows


class ATable:
    """A DuckDB table and its companion."""

    def __init__(self, folder: Path, reviews: Any, to_csv: Any, _from_csv: Any) -> None:
        self.path, self._csv = folder / "reviews.duckdb", folder / "aside.csv"
        self._reviews, self._to_csv = reviews, to_csv
        self.arguments = [self.path, "--table", "reviews"]
        self.journal = folder / ".drugmon/reviews.duckdb.reviews.journal"

    def change(self, mark: str) -> None:
        self._to_csv(self._csv, self._reviews(ROWS, mark))
        with duckdb.connect(self.path) as connection:
            connection.execute(
                "CREATE OR REPLACE TABLE reviews AS FROM read_csv($path, all_varchar = true)",
                {"path": str(self._csv)},
            )

    def read(self) -> list[dict[str, Any]]:
        """The companion's verdicts, with the ids of the reviews that they belong to."""
        with duckdb.connect(self.path) as connection:
            rows: list[dict[str, Any]] = (
                connection.sql("SELECT drugmon_key AS id, * FROM reviews_sentiment ORDER BY 1")
                .to_arrow_table()
                .to_pylist()
            )
            return rows


@pytest.fixture(params=[AFile, ATable], name="target")
def _target(
    request: pytest.FixtureRequest, tmp_path: Path, reviews: Any, to_csv: Any, from_csv: Any
) -> Any:
    return request.param(tmp_path, reviews, to_csv, from_csv)


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def prints(reviews: Any, adapter: str, mark: str) -> list[tuple[str, str]]:
    """The ids and fingerprints that a whole output holds."""
    fingerprinter = Fingerprinter(adapter.rpartition("@")[2])
    return [
        (
            row["id"],
            fingerprinter.of(Texts(row["benefits"], row["side_effects"], row["comments"], None)),
        )
        for row in reviews(ROWS, mark)
    ]


def state(target: Any) -> list[tuple[str, str]]:
    return [(row["id"], row["drugmon_fingerprint"]) for row in target.read()]


def test_a_kill_at_any_moment_loses_nothing(runs: Runs, target: Any, reviews: Any) -> None:
    target.change("0")
    began = time.monotonic()
    adapter = runs.summary(*target.arguments)["adapter"]
    whole_run = time.monotonic() - began
    moments = random.Random(7)
    killed = reused = 0
    for night in range(1, KILLS + 1):
        target.change(str(night))
        process = runs.start(*target.arguments)
        if night % 2:
            time.sleep(moments.uniform(0, whole_run))
        else:  # while it scores, however fast the machine is just now
            wait_for(lambda: size(target.journal) > 100_000)
        killed += runs.kill(process)
        old, new = (prints(reviews, adapter, str(mark)) for mark in (night - 1, night))
        assert state(target) in (old, new)
        summary = runs.summary(*target.arguments)
        assert summary["scored"] + summary["reused"] == summary["total"] == ROWS
        assert state(target) == new
        assert all(row["overall_sentiment"] for row in target.read())
        reused += summary["reused"] > 0
    assert killed >= KILLS // 2
    assert reused >= 2
    left = {path.name for path in target.path.parent.glob(".drugmon/*")}
    assert left <= {"history.duckdb"}
    assert not list(target.path.parent.glob(".*.tmp"))


@pytest.mark.parametrize(
    ("sent", "code", "says"),
    [
        (signal.SIGINT, 130, "drugmon: interrupted; the same command goes on where this one was"),
        (signal.SIGTERM, 143, "drugmon: terminated; the same command goes on where this one was"),
    ],
)
def test_an_interrupt_is_one_line_and_the_next_run_goes_on(
    runs: Runs, target: Any, sent: signal.Signals, code: int, says: str
) -> None:
    target.change("0")
    process = runs.start(*target.arguments)
    wait_for(lambda: size(target.journal) > 100_000)
    os.kill(process, sent)
    assert runs.end() == code
    assert runs.log.read_text().lstrip("\n") == f"{says}\n"  # a terminal shows ^C before it
    assert {path.suffix for path in target.path.parent.glob(".drugmon/*")} == {".journal"}
    summary = runs.summary(*target.arguments)
    assert summary["reused"] >= 512
    assert summary["scored"] + summary["reused"] == ROWS


def test_a_second_run_is_told_at_once(runs: Runs, target: Any, drugmon: Any, adapter: Path) -> None:
    target.change("0")
    process = runs.start(*target.arguments)
    wait_for(lambda: size(target.journal) > 0)
    os.kill(process, signal.SIGSTOP)
    try:
        second = drugmon("score", *target.arguments, "--adapter", adapter)
    finally:
        os.kill(process, signal.SIGKILL)
        runs.end()
    assert (second.code, second.out) == (1, "")
    assert second.err.startswith(f"drugmon: error: another drugmon run (pid {process}) is scoring")
    assert second.err.endswith("wait for it or stop it\n")
