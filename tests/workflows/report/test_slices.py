"""What is looked at by itself: columns that are asked for, and names however they are written."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from drugmon.monitoring.checks.summary import Status, Summary
from tests.workflows.report.conftest import Make, Run, check, write


def with_column(table: pa.Table, name: str, cells: pa.Array) -> pa.Table:
    """The table with a column in the place of its own one of that name, or behind the others."""
    kept = table.drop_columns(name) if name in table.column_names else table
    return kept.append_column(name, cells)


def of(summary: Summary, column: str) -> set[tuple[str, bool]]:
    """The values of a column that are sliced by, and whether they are compared."""
    sliced = [each for each in summary.slices if each.column == column]
    return {(each.value, each.reference is not None) for each in sliced}


def test_only_what_is_asked_for_is_sliced_by(
    tmp_path: Path, scored_reviews: Make, run: Run, reference: Path
) -> None:
    night = with_column(scored_reviews(200), "site", pa.array(["a", "b"] * 100))
    source = write(tmp_path / "n.parquet", night)
    for by in (("drug", "condition"), ("condition",), ("site",), ()):
        summary = run(source, by=by, reference=str(reference)).summary
        assert {each.column for each in summary.slices} == set(by)
        assert set(summary.slices_withheld) == set(by)
        told = [says for says in summary.left_out if says.startswith("Slices")]
        missing = ["Slices by site are not compared: the reference tells of none."]
        assert told == (missing if "site" in by else [])
        assert {"drift.drugs", "drift.conditions"} <= {each.name for each in summary.checks}


@pytest.mark.parametrize(
    ("now", "then", "names"),
    [
        (pa.array([1, 2] * 100), pa.array([1.0, 2.0] * 100), {"1", "2"}),
        (pa.array(["7.0", "8"] * 100), pa.array([7, 8] * 100), {"7", "8"}),
        (pa.array([True, False] * 100), pa.array(["True", "FALSE"] * 100), {"true", "false"}),
        (pa.array([0.5, float("nan")] * 100), pa.array([0.5, None] * 100), {"0.5"}),
    ],
)
def test_numbers_are_the_same_names_in_any_type(
    tmp_path: Path, scored_reviews: Make, run: Run, now: pa.Array, then: pa.Array, names: set[str]
) -> None:
    files = [
        write(tmp_path / name, with_column(scored_reviews(200, seed=seed), "site", cells))
        for seed, (name, cells) in enumerate((("n.parquet", now), ("then.parquet", then)))
    ]
    summary = run(files[0], by=("site",), reference=str(files[1])).summary
    assert of(summary, "site") == {(name, True) for name in names}


def test_a_name_is_one_in_any_normal_form(tmp_path: Path, scored_reviews: Make, run: Run) -> None:
    names = ["Sintr\u00f3m", "Caf\u00e9ine"] * 100

    def night(name: str, seed: int, drugs: Sequence[str]) -> Path:
        table = with_column(scored_reviews(200, seed=seed), "drug", pa.array(drugs))
        return write(tmp_path / name, table)

    apart = [unicodedata.normalize("NFD", name) for name in names]
    assert apart != names
    now, then = night("n.parquet", 1, apart), night("then.parquet", 2, names)
    result = run(now, reference=str(then))
    assert check(result, "drift.drugs").status is Status.PASS
    assert of(result.summary, "drug") == {(name.lower(), True) for name in names}
