"""Reports on a source, and what tests look at in them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from drugmon.monitoring.checks.summary import Check
from drugmon.workflows.report.config import report_config
from drugmon.workflows.report.report import ReportResult, report

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
Make = Callable[..., pa.Table]
Run = Callable[..., ReportResult]


@pytest.fixture(name="run")
def _run(tmp_path: Path) -> Run:
    """Reports on a source, without evidently's pages: `run(path, reference=...)`."""

    def run(source: object, **options: Any) -> ReportResult:
        given = {"out": tmp_path / "reports", "now": NOW, "evidently": False, **options}
        return report(report_config(str(source), **given))

    return run


def write(path: Path, table: pa.Table) -> Path:
    """Write `table` as parquet or csv."""
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        pyarrow.csv.write_csv(table, path)
    return path


def check(result: ReportResult, name: str) -> Check:
    """The check called `name`."""
    return next(each for each in result.summary.checks if each.name == name)


@pytest.fixture(name="reference")
def _reference(tmp_path: Path, scored_reviews: Make) -> Path:
    return write(tmp_path / "reference.parquet", scored_reviews(800, seed=1))
