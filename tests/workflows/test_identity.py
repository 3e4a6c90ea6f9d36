"""What is called alike is told apart everywhere: tables of two schemas, files of two folders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from drugmon.data.history.files import read_history
from drugmon.data.history.output import Output
from drugmon.options import build
from drugmon.workflows.configs import HistoryConfig
from drugmon.workflows.history import history
from drugmon.workflows.report.config import ScoredSource, report_config
from drugmon.workflows.report.report import ReportResult, report
from drugmon.workflows.report.sides import open_source

NIGHTS = {"a": (40, 50), "b": (70, 90)}
"""Rows of each of the two after each of two nights."""


class Alike:
    """Two tables or two files that are called alike, in one database or one history."""

    def __init__(self, folder: Path, kind: str, score: Any, reviews: Any, to_csv: Any) -> None:
        self.folder, self.kind, self.out = folder, kind, folder / "reports"
        self._score, self._reviews, self._to_csv = score, reviews, to_csv
        self.database = folder / ("r.duckdb" if kind == "tables" else "history.duckdb")

    def deliver(self, name: str, night: int) -> None:
        """Bring the rows of a night, and score them."""
        rows = self._reviews(NIGHTS[name][night], name)
        (self.folder / name).mkdir(exist_ok=True)
        path = self._to_csv(self.folder / name / "reviews.csv", rows)
        if self.kind == "files":
            self._score(path, history=self.database)
            return
        with duckdb.connect(self.database) as connection:
            connection.execute(
                f"CREATE SCHEMA IF NOT EXISTS {name};"
                f"CREATE OR REPLACE TABLE {name}.reviews AS FROM '{path}'"
            )
        self._score(self.database, table=f"{name}.reviews")

    def report(self, name: str, **options: Any) -> ReportResult:
        common: dict[str, Any] = {"out": self.out, "evidently": False, "keep": 2}
        if self.kind == "files":
            source = str(self.folder / name / "reviews.scored.csv")
            return report(report_config(source, history=self.database, **common, **options))
        return report(
            report_config(str(self.database), table=f"{name}.reviews", **common, **options)
        )

    def output(self, name: str) -> Output:
        if self.kind == "files":
            return Output.of_file(self.folder / name / "reviews.scored.csv")
        return Output.of_table(self.database, name, "reviews")


@pytest.fixture(params=["tables", "files"], name="alike")
def _alike(
    request: pytest.FixtureRequest, tmp_path: Path, score: Any, reviews: Any, to_csv: Any
) -> Alike:
    alike = Alike(tmp_path, request.param, score, reviews, to_csv)
    for night in (0, 1):
        for name in ("a", "b"):
            alike.deliver(name, night)
    return alike


def test_what_is_called_alike_never_mixes(alike: Alike, adapter: Path) -> None:
    results = {}
    for name, (first, second) in NIGHTS.items():
        summary = alike.report(name, reference="previous:7", adapter=str(adapter)).summary
        assert summary.reference is not None
        assert (summary.current.n, summary.reference.n) == (second - first, first)
        runs = [
            run.run_id
            for run in read_history(alike.database).runs
            if run.output == alike.output(name)
        ]
        assert (summary.scored_runs, list(summary.reference.runs)) == ((runs[1],), [runs[0]])
        assert summary.volume.scored == second - first
        results[name] = [alike.report(name, adapter=str(adapter)) for _ in range(3)]
    recorded = read_history(alike.database)
    for name, (first, second) in NIGHTS.items():
        nights = [night for night in recorded.reports if night.output == alike.output(name)]
        assert [night.rows for night in nights] == [second - first, second, second, second]
        runs_of = [run.total for run in recorded.runs if run.output == alike.output(name)]
        assert runs_of == [first, second]
        # Two pages each are kept, of each its own.
        assert [result.page.exists() for result in results[name]] == [False, True, True]
    index = (alike.out / "index.html").read_text()
    assert index.count('<h2 id="source-') == 2


def test_freshness_and_expected_volume_are_of_the_one_that_is_judged(alike: Alike) -> None:
    for _ in range(7):
        alike.report("a")
    volume = alike.report("b").summary.volume
    assert volume.expected is None, "the reports of the other are no past"
    expected = alike.report("a").summary.volume.expected
    assert expected is not None and expected.value == pytest.approx(50)
    later = datetime.now(UTC) + timedelta(days=5)
    alike.deliver("b", 1)  # only b is fresh
    checks = alike.report("a", now=later).summary.checks
    (fresh,) = (check for check in checks if check.name == "freshness.newest")
    assert fresh.status == "fail"


def test_each_has_its_own_history(alike: Alike) -> None:
    alike.report("a")
    if alike.kind == "tables":
        config = build(HistoryConfig, path=alike.database, table="A.REVIEWS")
    else:
        place = alike.folder / "a" / ".drugmon"
        place.mkdir()
        (place / "history.duckdb").symlink_to(alike.database)
        config = build(HistoryConfig, path=alike.folder / "a" / "reviews.csv")
    found = history(config)
    assert [run.total for run in found.runs] == list(NIGHTS["a"])
    assert len(found.nights) == 1


def test_files_of_several_folders_have_the_runs_of_all(
    tmp_path: Path, score: Any, reviews: Any, to_csv: Any
) -> None:
    for name in NIGHTS:
        (tmp_path / name).mkdir()
        score(to_csv(tmp_path / name / "reviews.csv", reviews(3, name)))
    with open_source(ScoredSource(f"{tmp_path}/*/reviews.scored.csv")) as source:
        past = source.past
    assert [database.parent.parent.name for database in past.databases] == ["a", "b"]
    assert sorted(run.output.path.parent.name for run in past.runs) == ["a", "b"]
