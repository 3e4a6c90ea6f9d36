"""Nights that a report must take as they are, or refuse by name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from drugmon.data.history.files import read_history
from drugmon.data.history.places import history_of
from drugmon.errors import SourceError
from drugmon.labels import TARGETS
from drugmon.monitoring.checks.summary import Status
from tests.workflows.report.conftest import Make, Run, check, write


@pytest.mark.parametrize("rows", [0, 1, 29])
def test_few_rows_are_told_and_not_judged(
    tmp_path: Path, scored_reviews: Make, reference: Path, run: Run, rows: int
) -> None:
    source = write(tmp_path / "n.parquet", scored_reviews(29, seed=2).slice(0, rows))
    result = run(source, reference=str(reference))
    assert check(result, "volume.rows").status is (Status.FAIL if not rows else Status.UNJUDGED)
    assert all(
        each.status is Status.UNJUDGED
        for each in result.summary.checks
        if each.area not in ("volume", "freshness")
    )


def test_a_csv_with_a_header_alone_is_a_night_without_reviews(
    tmp_path: Path, scored_reviews: Make, reference: Path, run: Run
) -> None:
    source = write(tmp_path / "n.csv", scored_reviews(3).slice(0, 0))
    assert run(source, reference=str(reference)).summary.volume.rows == 0


def nulled(table: pa.Table, *names: str) -> pa.Table:
    """`table` with nothing in some columns."""
    for name in names:
        at = table.column_names.index(name)
        table = table.set_column(at, name, pa.nulls(len(table), table.schema.field(name).type))
    return table


VERDICTS = ("sentiment", "confidence", "p_negative", "p_neutral", "p_positive")


def odd_nights(make: Make) -> dict[str, pa.Table]:
    """Nights that a report must take as they are."""
    night = make(200, seed=2)
    everything = [f"{target}_{part}" for target in TARGETS for part in VERDICTS]
    return {
        "one class absent": night.filter(pc.not_equal(night["overall_sentiment"], "neutral")),
        "all texts empty": nulled(night, "benefits", "side_effects", "comments", *everything),
        "all ratings null": nulled(night, "rating"),
        "no texts": night.drop_columns(["benefits", "side_effects", "comments"]),
        "no drug": night.drop_columns(["drug"]),
        "one drug gone": night.filter(pc.not_equal(night["drug"], "drug 0")),
        "one review all over": pa.concat_tables([night.slice(0, 1)] * 100),
        "names that hurt": night.set_column(1, "drug", pa.array(["<script>'\"; DROP --"] * 200)),
    }


ODD = (
    "one class absent",
    "all texts empty",
    "all ratings null",
    "no texts",
    "no drug",
    "one drug gone",
    "one review all over",
    "names that hurt",
)


@pytest.mark.parametrize("kind", ODD)
def test_odd_nights_are_reported(
    tmp_path: Path, scored_reviews: Make, reference: Path, run: Run, kind: str
) -> None:
    source = write(tmp_path / "n.parquet", odd_nights(scored_reviews)[kind])
    result = run(source, reference=str(reference))
    json.dumps(result.summary.to_dict(), allow_nan=False)
    statuses = {each.name: each.status for each in result.summary.checks}
    told = " ".join(result.summary.left_out)
    if kind == "all texts empty":
        assert statuses["drift.empty"] is Status.FAIL
    if kind == "no drug":
        assert "Drugs are not compared: the source has no drug column." in told
    if kind == "no texts":
        assert "The source has no texts" in told
    if kind == "one drug gone":
        assert statuses["drift.drugs"] is Status.FAIL
    if kind == "all ratings null":
        assert all(each.measured is None and each.estimate for each in result.summary.quality)
    if kind == "one review all over":
        assert statuses["drift.repeats"] is Status.FAIL


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.5, None])
def test_probabilities_that_are_none_are_refused_by_name(
    tmp_path: Path, scored_reviews: Make, run: Run, value: float | None
) -> None:
    night = scored_reviews(40)
    at = night.column_names.index("comments_p_neutral")
    numbers = [value, *night["comments_p_neutral"].to_pylist()[1:]]
    night = night.set_column(at, "comments_p_neutral", pa.array(numbers, pa.float32()))
    source = write(tmp_path / "n.parquet", night)
    with pytest.raises(SourceError, match=r"n\.parquet: the confidence .* of 1 verdict on comm"):
        run(source)
    assert not (tmp_path / "reports").exists()


def test_what_was_not_scored_is_refused(tmp_path: Path, run: Run) -> None:
    source = write(tmp_path / "raw.csv", pa.table({"benefits": ["good"]}))
    with pytest.raises(SourceError, match=r"raw\.csv: holds no verdicts; name what"):
        run(source)
    with pytest.raises(SourceError, match="no such file"):
        run(tmp_path / "nowhere.parquet")


def test_a_hundred_thousand_drugs(
    tmp_path: Path, scored_reviews: Make, reference: Path, run: Run
) -> None:
    night = pa.concat_tables([scored_reviews(1000, seed=2)] * 100)
    night = night.set_column(1, "drug", pa.array([f"drug {k}" for k in range(100_000)]))
    result = run(write(tmp_path / "n.parquet", night), reference=str(reference))
    assert check(result, "drift.drugs").status is Status.FAIL
    assert result.summary.slices_withheld["drug"] == 100_000
    assert (result.page.parent / "summary.json").stat().st_size < 500_000


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_name_that_is_not_utf8_is_judged_and_told(
    tmp_path: Path, scored_reviews: Make, run: Run, kind: str
) -> None:
    plain = write(tmp_path / f"plain.{kind}", scored_reviews(40))
    source = plain.rename(tmp_path / os.fsdecode(b"caf\xe9." + kind.encode()))
    result = run(source)
    assert result.summary.volume.rows == 40
    assert result.summary.source == f"caf\ufffd.{kind}"
    assert len(read_history(history_of(source)).reports) == 1
    assert not list((tmp_path / "reports").glob("*/unrecorded"))


def test_rows_that_came_after_scoring_are_no_reviews_without_a_text(
    tmp_path: Path, scored_reviews: Make, run: Run, reference: Path
) -> None:
    night = scored_reviews(100)
    empty = {name: None for name in night.column_names if name.endswith("_sentiment")}
    rows = [*night.to_pylist()[:60], *[{**row, **empty} for row in night.to_pylist()[60:65]]]
    texts = ("id", "drug", "condition", "rating", "benefits", "side_effects", "comments")
    rows += [{name: row[name] for name in texts} for row in night.to_pylist()[65:]]
    source = write(tmp_path / "n.parquet", pa.Table.from_pylist(rows, schema=night.schema))
    result = run(source, reference=str(reference))
    assert (result.summary.volume.rows, result.summary.volume.empty) == (65, 5)
    told = "35 rows are not scored yet, and not judged: run drugmon score."
    assert told in result.summary.left_out
    assert check(result, "drift.empty").says.startswith("Without benefits: 0.0 % → 7.7 %")
