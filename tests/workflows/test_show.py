from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from drugmon.cli.output import verdicts as cli_output
from drugmon.data.verdicts.columns import make_verdicts
from drugmon.errors import SourceError, UsageError
from drugmon.labels import ASPECTS
from drugmon.options import build
from drugmon.workflows.configs import ShowConfig
from drugmon.workflows.show import Shown
from drugmon.workflows.show import show as show_rows

Write = Callable[..., Path]
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def show(path: Path, **options: Any) -> Shown:
    """What is shown of a source."""
    return show_rows(build(ShowConfig, source=str(path), **options))


def scored(rows: int, text_column: str = "comments") -> pa.Table:
    """Reviews scored in turn negative, neutral and positive; every fourth has no benefits."""
    labels = np.tile((np.arange(rows) % 3).astype(np.int8)[:, None], (1, 4))
    labels[::4, 0] = -1
    probabilities = np.full((rows, 4, 3), np.nan, np.float32)
    probabilities[labels >= 0] = 0.1
    for label in range(3):
        probabilities[labels == label, label] = 0.8
    prints = [f"{row:032x}" for row in range(rows)]
    verdicts = make_verdicts(labels, probabilities, "mine@0123", WHEN, prints)
    own = {"id": [f"r{row}" for row in range(rows)], text_column: ["secret words"] * rows}
    table = pa.table(own)
    for name in verdicts.schema.names:
        table = table.append_column(name, verdicts[name])
    return table


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.scored.parquet"
    pq.write_table(scored(30), path, row_group_size=4)
    return path


def test_first_rows_and_the_counts_of_all(path: Path) -> None:
    shown = show(path, limit=10)
    assert shown.total == 30
    assert len(shown.verdicts) == 10
    assert list(shown.context["id"]) == [f"r{row}" for row in range(10)]
    second = shown.verdicts[1]["comments"]
    assert second is not None
    assert second[0] == "neutral"
    assert second[1] == pytest.approx(0.8)
    assert shown.verdicts[4]["benefits"] is None
    assert shown.counts["overall"] == {"negative": 10, "neutral": 10, "positive": 10}
    assert sum(shown.counts["benefits"].values()) == 22
    assert shown.adapters == ("mine@0123",)


def test_confidences_of_another_type_are_shown(tmp_path: Path) -> None:
    table = scored(30)
    place = table.column_names.index("overall_confidence")
    cells = pa.array([Decimal("0.80")] * 30, pa.decimal128(6, 4))
    path = tmp_path / "decimal.scored.parquet"
    pq.write_table(table.set_column(place, "overall_confidence", cells), path)
    shown = show(path, limit=1)
    assert shown.verdicts[0]["overall"] == ("negative", 0.8)


def test_limit_beyond_the_end_shows_all(path: Path) -> None:
    shown = show(path, limit=500)
    assert len(shown.verdicts) == len(shown.context["id"]) == 30


def test_columns_of_any_name_are_fine(tmp_path: Path) -> None:
    """What --column named when it was scored need not be named again."""
    path = tmp_path / "odd.scored.parquet"
    pq.write_table(scored(3, "pros"), path)
    assert list(show(path, limit=5).context) == ["id"]


def test_text_formats_are_shown_too(tmp_path: Path) -> None:
    path = tmp_path / "reviews.scored.csv"
    pa.csv.write_csv(scored(6), path)
    shown = show(path, limit=6)
    assert shown.counts["overall"] == {"negative": 2, "neutral": 2, "positive": 2}


def test_printed_table_has_no_texts(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli_output.print_shown(show(path, limit=10))
    out = capsys.readouterr().out
    assert "secret" not in out
    assert "... and 20 more rows" in out
    assert "scored by mine@0123" in out


def test_unscored_and_missing_files_are_told(tmp_path: Path) -> None:
    plain = tmp_path / "plain.parquet"
    pq.write_table(pa.table({"comments": ["fine"]}), plain)
    with pytest.raises(SourceError, match=r"plain\.parquet: holds no verdicts; name what"):
        show(plain, limit=5)
    with pytest.raises(SourceError, match=r"gone\.parquet: no such file"):
        show(tmp_path / "gone.parquet", limit=5)


def ids(shown: Shown) -> list[object]:
    """The ids of the rows in their order."""
    return list(shown.context["id"])


@pytest.mark.parametrize("name", ["r.scored.parquet", "r.scored.csv", "r.scored.jsonl", "r.duckdb"])
def test_rows_are_chosen_and_sorted_wherever_they_are(tmp_path: Path, name: str) -> None:
    table = scored(30).append_column("age", pa.array([str(row % 12) for row in range(30)]))
    path, options = tmp_path / name, {}
    if name.endswith("parquet"):
        pq.write_table(table, path)
    elif name.endswith("csv"):
        pa.csv.write_csv(table, path)
    elif name.endswith("jsonl"):
        rows = (json.dumps(row, default=str) for row in table.to_pylist())
        path.write_text("\n".join(rows) + "\n")
    else:
        options["table"] = "reviews"
        with duckdb.connect(path) as connection:
            connection.register("arriving", table)
            connection.execute("CREATE TABLE reviews AS FROM arriving")
    where = "overall_sentiment = 'negative' AND age > 8"
    found = show(path, where=where, sort=("-age", "id"), **options)
    # Rows 0, 3, 6, ... are negative; of these 9 and 21 are of the age 9.
    assert ids(found) == ["r21", "r9"]
    assert found.total == 2 and found.counts["overall"]["negative"] == 2
    assert ids(show(path, sort=("-age",), limit=3, **options)) == ["r11", "r23", "r10"]
    assert ids(show(path, sort=("age", "-id"), limit=2, **options)) == ["r24", "r12"]


@pytest.mark.parametrize("name", ["r.scored.parquet", "r.scored.csv", "r.scored.jsonl"])
def test_numbers_in_text_are_those_that_stand_there(tmp_path: Path, name: str) -> None:
    ages = ["9.0", "9.4", None, "nan", "10"]
    table, path = scored(5).append_column("age", pa.array(ages)), tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(table, path)
    elif name.endswith("csv"):
        pa.csv.write_csv(table, path)
    else:
        rows = (json.dumps(row, default=str) for row in table.to_pylist())
        path.write_text("\n".join(rows) + "\n")
    assert ids(show(path, where="age = 9")) == ["r0"]
    assert ids(show(path, where="age <> 9")) == ["r1", "r4"]
    assert ids(show(path, where="age > 8")) == ["r0", "r1", "r4"]
    assert ids(show(path, sort=("-age",), limit=3)) == ["r4", "r1", "r0"]
    assert ids(show(path, sort=("age",), limit=3)) == ["r0", "r1", "r4"]


def test_texts_are_shown_only_where_they_are_asked_for(path: Path) -> None:
    assert list(show(path).context) == ["id"]
    assert list(show(path, texts=True).context) == ["id", "comments"]
    with pytest.raises(UsageError, match="--columns comments: holds the words of reviews; add --t"):
        show(path, shown_columns=("id", "comments"))
    found = show(path, shown_columns=("comments", "overall_p_negative"), texts=True, limit=1)
    assert {name: cells[0] for name, cells in found.context.items()} == {
        "comments": "secret words",
        "overall_p_negative": pytest.approx(0.8),
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shown_columns": ("ids",)}, "reviews.scored.parquet has no such column"),
        ({"sort": ("-ids",)}, "reviews.scored.parquet has no such column"),
        ({"where": "overall_sentiment ="}, "--where overall_sentiment =: "),
        ({"where": "nothing = 1"}, "--where nothing = 1: "),
        ({"where": "CAST(comments AS INTEGER) = 1"}, "cannot be converted; use TRY_CAST"),
        ({"limit": 0}, "--limit 0: must be 1 or more"),
    ],
)
def test_what_does_not_fit_is_told_without_a_word_of_a_review(
    path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        show(path, **options)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_condition_reaches_no_other_file(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("secret")
    condition = f"(SELECT count(*) FROM read_text('{other}')) = 1"  # noqa: S608
    with pytest.raises(UsageError):
        show(path, where=condition)


def test_of_one_text_only_the_overall_verdict_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = scored(6)
    for aspect in ASPECTS:
        for part in ("sentiment", "confidence", "p_negative", "p_neutral", "p_positive"):
            at = table.column_names.index(f"{aspect}_{part}")
            kind = table.schema.field(at).type
            table = table.set_column(at, f"{aspect}_{part}", pa.nulls(len(table), kind))
    path = tmp_path / "r.scored.parquet"
    pq.write_table(table, path)
    shown = show(path)
    assert list(shown.counts) == ["overall"]
    assert all(list(verdicts) == ["overall"] for verdicts in shown.verdicts)
    cli_output.print_shown(shown)
    out = capsys.readouterr().out
    assert "benefits" not in out and "overall" in out


def test_shown_rows_are_json_for_programs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli_output.print_shown(show(path, limit=2), as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["total"], told["adapters"]) == (30, ["mine@0123"])
    assert told["rows"][1]["overall"] == {"label": "neutral", "confidence": pytest.approx(0.8)}
    assert told["rows"][0]["benefits"] is None


@pytest.mark.parametrize("named", ["comments", "comments=", "comments= "])
def test_a_slice_names_a_column_and_a_name(path: Path, named: str) -> None:
    with pytest.raises(UsageError, match="names nothing; write a column and a name"):
        show(path, slice=named)


def test_a_column_without_any_date_dates_no_row(path: Path) -> None:
    with pytest.raises(UsageError, match=r"no row of .* has a date there") as told:
        show(path, since="2026-01-01", date_column="id")
    assert "secret" not in str(told.value)
    assert show(path, date_column="id").total == 30
    assert show(path, since="2026-01-01").total == 30
    assert show(path, since="2026-01-02").total == 0


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_file_without_verdicts_among_others_is_named(tmp_path: Path, kind: str) -> None:
    write = pq.write_table if kind == "parquet" else pyarrow.csv.write_csv
    write(scored(3), tmp_path / f"a.scored.{kind}")
    write(scored(3).select(["id", "comments"]), tmp_path / f"a.{kind}")
    with pytest.raises(SourceError, match=rf"/a\.{kind}: holds no verdicts; name what"):
        show(tmp_path / f"*.{kind}")
    write(scored(0).select(["id", "comments"]), tmp_path / f"a.{kind}")
    assert show(tmp_path / f"*.{kind}").total == 3
