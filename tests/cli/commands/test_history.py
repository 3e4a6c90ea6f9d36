"""What `drugmon history` prints and how it ends."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drugmon.cli.output.history import sparkline
from drugmon.data.history.files import record_report, record_run
from drugmon.data.history.output import Output
from drugmon.data.history.places import history_of
from drugmon.data.history.records import RunRecord
from drugmon.monitoring.checks.record import report_record
from drugmon.monitoring.checks.summary import (
    Check,
    ClassBalance,
    LabelShare,
    Side,
    Status,
    Summary,
    Volume,
)
from drugmon.statistics.figures import Interval

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NOT = Interval(None, None, None)
Drugmon = Callable[..., Any]


def summary(number: int) -> Summary:
    counts = {"negative": 10 + number, "neutral": 10, "positive": 80 - number, "none": 3}
    shares = tuple(LabelShare(name, None, n, None, NOT, None) for name, n in counts.items())
    status = Status.FAIL if number == 2 else Status.PASS
    return Summary(
        run_id=f"report{number}",
        created_at=AT + timedelta(days=number),
        source="r.scored.csv",
        adapter="tiny@1",
        status=status,
        watched=("drift",),
        alpha=0.05,
        min_reviews=30,
        current=Side("all", 103, "tiny@1"),
        reference=None,
        volume=Volume(rows=100 + number, empty=0),
        checks=(
            Check(
                "drift",
                "drift.texts",
                "Texts",
                status,
                "The words changed.",
                "AUC",
                Interval(0.5 + number, 0, 1),
            ),
            Check("drift", "drift.drugs", "Drugs", status, "So did the drugs."),
        ),
        balance=(ClassBalance("overall", shares, None, None, None, 0.8),),
    )


@pytest.fixture(name="output")
def _output(tmp_path: Path) -> Path:
    output = tmp_path / "r.scored.csv"
    for number in range(3):
        of = Output.of_file(output)
        run = RunRecord(f"run{number}", "score", AT, AT, "r.csv", of, "a@1", 3, 2, 0, 1, 0.5, "1")
        record_run(replace(run, total=1000 + number), history_of(output))
        record_report(report_record(summary(number), f"page{number}", of), history_of(output))
    return output


def test_nights_trends_and_runs_are_shown(drugmon: Drugmon, output: Path) -> None:
    done = drugmon("history", output)
    assert (done.code, done.err) == (0, "")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "2026-01-04 03:04 FAIL 102 The words changed. (and 1 more)" in lines
    assert "reviews ▁▅█ 102 100 102" in lines
    assert "overall negative ▁▅█ 0.120 0.100 0.120" in lines
    assert "overall mean confidence ▄▄▄ 0.800 0.800 0.800" in lines
    assert "drift.texts ▁▅█ 2.500 0.500 2.500" in lines
    assert "run2 2026-01-02 03:04 1,002 2 0 1 0.5 - a@1" in lines


def test_runs_of_two_adapters_tell_what_was_sent_on(drugmon: Drugmon, output: Path) -> None:
    assert "sent on" not in drugmon("history", output, "--runs").out
    of = Output.of_file(output)
    run = RunRecord("both", "score", AT, AT, "r.csv", of, "a@1+b@2", 3, 2, 0, 1, 0.5, "1")
    record_run(replace(run, sent_on=1), history_of(output))
    done = drugmon("history", output, "--runs")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "both 2026-01-02 03:04 3 2 1 0 1 0.5 - a@1+b@2" in lines
    assert "run2 2026-01-02 03:04 1,002 2 - 0 1 0.5 - a@1" in lines
    found = json.loads(drugmon("history", output, "--json").out)
    assert [run["sent_on"] for run in found["runs"]] == [1, None, None, None]


def test_of_several_sources_each_line_says_which(drugmon: Drugmon, output: Path) -> None:
    other = Output.of_file(output.with_name("s.scored.csv"))
    run = RunRecord("other", "score", AT, AT, "s.csv", other, "a@1", 3, 2, 0, 1, 0.5, "1")
    record_run(run, history_of(output))
    night = replace(summary(3), source="s.scored.csv")
    record_report(report_record(night, "page3", other), history_of(output))
    whole, alone = (drugmon("history", path).out for path in (output.parent, output))
    lines = [" ".join(line.split()) for line in whole.splitlines()]
    assert "2026-01-05 03:04 PASS 103 s.scored.csv" in lines
    assert "2026-01-04 03:04 FAIL 102 The words changed. (and 1 more) r.scored.csv" in lines
    assert "other 2026-01-02 03:04 3 2 0 1 0.5 - a@1 s.scored.csv" in lines
    assert "run2 2026-01-02 03:04 1,002 2 0 1 0.5 - a@1 r.scored.csv" in lines
    assert "s.scored.csv" not in alone


def test_the_limit_keeps_the_newest(drugmon: Drugmon, output: Path) -> None:
    out = drugmon("history", output, "--limit", "1").out
    assert "2026-01-04" in out
    assert "2026-01-03" not in out
    assert "run1" not in out


def test_runs_only(drugmon: Drugmon, output: Path) -> None:
    out = drugmon("history", output, "--runs").out
    assert "run0" in out
    assert "drift.texts" not in out


def test_json_holds_every_number(drugmon: Drugmon, output: Path) -> None:
    found = json.loads(drugmon("history", output, "--json").out)
    assert found["history"] == str(history_of(output))
    assert [run["total"] for run in found["runs"]] == [1000, 1001, 1002]
    place = {"path": str(output), "schema": None, "table": None, "prefix": ""}
    assert found["runs"][0]["output"] == place
    last = found["nights"][-1]
    assert last["created_at"] == "2026-01-04T03:04:05+00:00"
    assert last["reasons"] == ["The words changed.", "So did the drugs."]
    assert last["targets"]["overall"]["negative"] == 12
    assert last["checks"][0]["effect"] == 2.5
    assert "nights" not in json.loads(drugmon("history", output, "--json", "--runs").out)


def test_csv_has_a_line_a_night_or_a_run(drugmon: Drugmon, output: Path) -> None:
    nights = list(csv.DictReader(io.StringIO(drugmon("history", output, "--csv").out)))
    assert [night["report_id"] for night in nights] == ["report0", "report1", "report2"]
    assert nights[2]["reasons"] == "The words changed.; So did the drugs."
    assert nights[2]["overall.negative"] == "12"
    assert (nights[2]["drift.texts"], nights[2]["drift.texts.status"]) == ("2.5", "fail")
    runs = list(csv.DictReader(io.StringIO(drugmon("history", output, "--csv", "--runs").out)))
    assert [run["run_id"] for run in runs] == ["run0", "run1", "run2"]


def test_without_reports_csv_has_the_runs(drugmon: Drugmon, tmp_path: Path) -> None:
    output = tmp_path / "s.scored.csv"
    of = Output.of_file(output)
    run = RunRecord("r", "score", AT, AT, "s.csv", of, "a", 3, 2, 0, 1, 0.5, "1")
    record_run(run, history_of(output))
    (line,) = csv.DictReader(io.StringIO(drugmon("history", tmp_path, "--csv").out))
    assert (line["run_id"], line["total"], line["output.path"]) == ("r", "3", str(output))


def test_wrong_calls_are_named(drugmon: Drugmon, output: Path, tmp_path: Path) -> None:
    both = drugmon("history", output, "--csv", "--json")
    assert (both.code, both.err) == (
        2,
        "drugmon: error: --json and --csv exclude each other; leave out one of them\n",
    )
    none = drugmon("history", tmp_path / "absent.csv")
    assert none.code == 1
    assert "no run or report of absent.csv is recorded there" in none.err


def test_a_sparkline_shows_gaps_and_fits() -> None:
    assert sparkline([0, 1, None, 0.5]) == "▁█·▅"
    assert sparkline([2, 2]) == "▄▄"
    assert sparkline([None]) == "·"
    assert sparkline([]) == ""
    assert len(sparkline([float(n) for n in range(400)])) <= 60
