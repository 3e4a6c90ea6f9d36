"""Verdicts under a prefix, beside columns of the user's own that are called like verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from drugmon.data.columns import resolve_columns
from drugmon.data.formats import open_reader
from drugmon.data.history.files import read_history
from drugmon.data.history.places import history_of
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.columns import PLAIN, VERDICT_COLUMNS, VerdictColumns
from drugmon.errors import SinkError, SourceError, UsageError
from drugmon.options import build
from drugmon.workflows.compare.config import EvaluateConfig
from drugmon.workflows.compare.evaluate import evaluate
from drugmon.workflows.configs import ShowConfig
from drugmon.workflows.report.config import report_config
from drugmon.workflows.report.report import report
from drugmon.workflows.show import Shown, show

Any_ = Callable[..., Any]
OWN = ["id", "benefits", "side_effects", "comments", "rating", "overall_sentiment"]


@pytest.fixture(name="kind")
def _kind() -> str:
    return "csv"


@pytest.fixture(name="judged")
def _judged(kind: str, tmp_path: Path, reviews: Any_) -> Path:
    """Ten reviews with people's labels in a column that is called like a verdict."""
    rows = [{**row, "overall_sentiment": "negative"} for row in reviews(10)]
    path = tmp_path / f"ten.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "csv":
        pa.csv.write_csv(pa.Table.from_pylist(rows), path)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def shown(path: object, **options: Any) -> Shown:
    """What `drugmon show` shows of a source."""
    return show(build(ShowConfig, source=str(path), **options))


def load(path: Path) -> pa.Table:
    """A file's rows, read with something else than drugmon."""
    if path.suffix == ".jsonl":
        return pa.Table.from_pylist(list(map(json.loads, path.read_text().splitlines())))
    return pa.csv.read_csv(path) if path.suffix == ".csv" else pq.read_table(path)


def under(*prefixes: str) -> list[str]:
    return [prefix + name for prefix in prefixes for name in VERDICT_COLUMNS]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("in_place", [False, True])
def test_own_labels_and_verdicts_stand_side_by_side(
    judged: Path, score: Any_, in_place: bool
) -> None:
    with pytest.raises(SourceError, match="keep both with --prefix dm_, rename it, or"):
        score(judged, in_place=in_place)
    (first,) = map(Path, score(judged, in_place=in_place, prefix="dm_").outputs)
    once = load(first)
    assert once.schema.names == [*OWN, *under("dm_")]
    assert set(once["overall_sentiment"].to_pylist()) == {"negative"}
    again = score(judged, in_place=in_place, prefix="dm_")
    assert (again.scored, again.reused) == (0, 10)
    assert load(first).equals(once)


def test_another_prefix_mixes_with_nothing(judged: Path, score: Any_) -> None:
    score(judged, in_place=True, prefix="a_")
    before = load(judged)
    other = score(judged, in_place=True, prefix="b_", rescore=True)
    both = load(judged)
    assert (other.scored, both.schema.names) == (10, [*OWN, *under("a_", "b_")])
    assert both.select(before.schema.names).equals(before)
    runs = read_history(history_of(judged)).runs
    assert [run.output.prefix for run in runs] == ["a_", "b_"]
    with pytest.raises(UsageError, match="choose with --prefix one of 'a_', 'b_'"):
        shown(judged)
    with pytest.raises(SourceError, match="holds no verdicts under the prefix 'c_'"):
        shown(judged, prefix="c_")


def test_show_and_report_find_the_prefix(judged: Path, score: Any_, tmp_path: Path) -> None:
    (scored,) = score(judged, prefix="dm_").outputs
    condition = "dm_overall_sentiment NOT NULL"
    found = shown(scored, where=condition, sort=("-dm_overall_p_negative",))
    assert (found.total, len(found.adapters)) == (10, 1)
    assert sum(found.counts["overall"].values()) == 10
    result = report(report_config(scored, out=tmp_path / "reports", evidently=False))
    assert result.summary.volume.rows == 10
    (recorded,) = read_history(history_of(Path(scored))).reports
    assert recorded.output is not None
    assert recorded.output.prefix == "dm_"


def test_runs_before_are_those_of_the_same_prefix(
    judged: Path, score: Any_, tmp_path: Path
) -> None:
    for prefix in ("a_", "b_"):
        score(judged, in_place=True, prefix=prefix)
    options: dict[str, Any] = {"reference": "previous:7", "out": tmp_path / "reports"}
    options["evidently"] = False
    first = report(report_config(str(judged), prefix="b_", **options))
    assert first.summary.status.value == "baseline-taken"
    score(judged, in_place=True, prefix="b_", rescore=True)
    second = report(report_config(str(judged), prefix="b_", **options))
    assert second.summary.reference is not None
    assert second.summary.reference.name.startswith("run ")


def test_evaluate_measures_on_labels_that_are_called_like_a_verdict(
    judged: Path, adapter: Path
) -> None:
    labels = {"overall_label": "overall_sentiment"}
    config = build(EvaluateConfig, source=str(judged), adapter=str(adapter), columns=labels)
    assert evaluate(config).qualities["overall"].n == 10


def test_earlier_verdicts_are_no_columns_of_the_source(judged: Path, score: Any_) -> None:
    (scored,) = score(judged, prefix="dm_").outputs
    for verdicts, names in ((VerdictColumns("dm_"), OWN), (PLAIN, [*OWN, *under("dm_")])):
        with open_reader(FileSource.of(Path(scored)), verdicts=verdicts) as reader:
            assert reader.columns == names
            assert resolve_columns(reader.columns, {}, "x").comments == "comments"


@pytest.fixture(name="database")
def _database(tmp_path: Path) -> Path:
    database = tmp_path / "reviews.duckdb"
    sql(
        database,
        "CREATE TABLE reviews AS SELECT i AS id, 'good ' || i AS benefits, "
        "'mine' AS overall_sentiment FROM range(10) numbers(i)",
    )
    return database


def sql(database: Path, text: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(database) as connection:
        return connection.execute(text).fetchall()


def columns(database: Path, table: str) -> list[str]:
    return [name for name, *_ in sql(database, f"DESCRIBE {table}")]


def test_a_table_has_a_companion_for_every_prefix(database: Path, score: Any_) -> None:
    with pytest.raises(SourceError, match="keep both with --prefix dm_"):
        score(database, table="reviews")
    for prefix in ("a_", "b_"):
        assert score(database, table="reviews", prefix=prefix).scored == 10
        assert score(database, table="reviews", prefix=prefix).reused == 10
    own = ["id", "benefits", "overall_sentiment"]
    assert columns(database, "reviews") == own
    assert columns(database, "reviews_scored_a") == [*own, *under("a_")]
    assert columns(database, "reviews_scored_b") == [*own, *under("b_")]
    found = sql(
        database,
        "SELECT DISTINCT overall_sentiment, b_overall_sentiment IS NULL FROM reviews_scored_b",
    )
    assert found == [("mine", False)]
    with pytest.raises(UsageError, match="choose with --prefix one of 'a_', 'b_'"):
        shown(database, table="reviews")
    assert shown(database, table="reviews", prefix="b_").total == 10
    assert shown(database, table="reviews_scored_a").total == 10
    runs = read_history(database).runs
    assert [(run.output.prefix, run.scored) for run in runs] == [
        ("a_", 10),
        ("a_", 0),
        ("b_", 10),
        ("b_", 0),
    ]


def test_a_table_is_filled_in_place_under_a_prefix(
    database: Path, score: Any_, tmp_path: Path
) -> None:
    score(database, table="reviews", in_place=True, prefix="dm_")
    own = ["id", "benefits", "overall_sentiment"]
    assert columns(database, "reviews") == [*own, *under("dm_")]
    sql(database, "UPDATE reviews SET benefits = 'other words' WHERE id = 3")
    assert score(database, table="reviews", in_place=True, prefix="dm_").scored == 1
    assert sql(database, "SELECT DISTINCT overall_sentiment FROM reviews") == [("mine",)]
    result = report(
        report_config(str(database), table="reviews", out=tmp_path / "reports", evidently=False)
    )
    assert result.summary.volume.rows == 10


def test_a_companion_of_somebody_else_stays(database: Path, score: Any_) -> None:
    sql(database, "CREATE TABLE reviews_sentiment_dm AS SELECT 1 AS x")
    with pytest.raises(SinkError, match="reviews_sentiment_dm exists and was not made by drugmon"):
        score(database, table="reviews", prefix="dm_")
