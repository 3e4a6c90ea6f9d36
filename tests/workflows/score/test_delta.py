"""Delta tables: a version is read, verdicts come in one commit, merged by what tells rows apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.verdicts.columns import VERDICT_COLUMNS
from drugmon.errors import BusyError, SinkError, SourceError, UsageError

deltalake = pytest.importorskip("deltalake", reason="needs the extra delta")

Reviews = Callable[..., list[dict[str, str]]]


def write(path: Path | str, rows: list[dict[str, str]], **options: Any) -> Path | str:
    """Make a Delta table of the rows, or its next version."""
    deltalake.write_deltalake(str(path), pa.Table.from_pylist(rows), mode="overwrite", **options)
    return path


def read(path: Path | str, version: int | None = None) -> list[dict[str, Any]]:
    """The rows of a Delta table, in the order of their ids."""
    table = deltalake.DeltaTable(str(path), version=version).to_pyarrow_table()
    rows: list[dict[str, Any]] = sorted(table.to_pylist(), key=lambda row: str(row["id"]))
    return rows


def log_of(path: Path | str) -> list[dict[str, Any]]:
    """The commits, oldest first."""
    commits: list[dict[str, Any]] = deltalake.DeltaTable(str(path)).history()
    return commits[::-1]


def test_a_table_is_scored_into_a_table_and_the_next_night_merges(
    score: Any, reviews: Reviews, tmp_path: Path
) -> None:
    source = write(tmp_path / "in", reviews(6), partition_by=["rating"])
    target = tmp_path / "in.scored.delta"
    first = score(source)
    assert (first.outputs, first.scored) == ((str(target),), 6)
    rows = read(target)
    assert [row["id"] for row in rows] == [f"{number:05}" for number in range(6)]
    assert all(row["overall_sentiment"] for row in rows)
    # The second night: one review is gone, one has another rating, two are new.
    changed = [{**row, "rating": "10"} if row["id"] == "00002" else row for row in reviews(8)[1:]]
    write(source, changed)
    second = score(source)
    assert (second.scored, second.reused, second.total) == (2, 5, 7)
    after = {row["id"]: row for row in read(target)}
    assert sorted(after) == [f"{number:05}" for number in range(1, 8)]
    assert after["00002"]["rating"] == "10"
    assert {key: after[key] for key in ("00001", "00003")} == {
        row["id"]: row for row in rows if row["id"] in ("00001", "00003")
    }
    merge = log_of(target)[-1]
    assert merge["operation"] == "MERGE" and len(log_of(target)) == 2
    assert merge["drugmon_run"] == second.run_id and merge["drugmon_adapter"] == second.adapter
    metrics = merge["operationMetrics"]
    told = [metrics[f"num_target_rows_{what}"] for what in ("inserted", "updated", "deleted")]
    assert told == [2, 1, 1]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == [".drugmon"]


@pytest.mark.parametrize("column", ["id", "nr"])
def test_rows_are_told_apart_by_their_key_not_by_their_texts(
    score: Any, tmp_path: Path, column: str
) -> None:
    """A new row may have the text of one that is gone, and two rows may change texts."""
    options = {} if column == "id" else {"id_column": column}

    def night(*texts: tuple[str, str]) -> tuple[int, int]:
        write(tmp_path / "in", [{column: key, "review": text} for key, text in texts])
        done = score(tmp_path / "in", **options)
        return done.scored, done.reused

    assert night(("1", "good"), ("2", "awful")) == (2, 0)
    assert night(("2", "awful"), ("3", "good")) == (1, 1)
    assert night(("2", "good"), ("3", "awful")) == (2, 0)
    assert night(("3", "awful"), ("2", "good")) == (0, 2)


def test_a_version_is_read(score: Any, reviews: Reviews, tmp_path: Path) -> None:
    source = write(tmp_path / "in", reviews(3))
    write(source, reviews(5))
    assert score(source, delta_version=0, dry_run=True).total == 3
    assert score(source, dry_run=True).total == 5
    with pytest.raises(SourceError, match=r"in: the Delta table cannot be read at version 9"):
        score(source, delta_version=9)
    (tmp_path / "a.csv").write_text("id,benefits\n1,good\n")
    with pytest.raises(UsageError, match=r"--delta-version 0: .*a\.csv is no Delta table"):
        score(tmp_path / "a.csv", delta_version=0)


def test_some_rows_leave_the_others(score: Any, reviews: Reviews, tmp_path: Path) -> None:
    source = write(tmp_path / "in", reviews(4))
    score(source)
    write(source, [{**row, "benefits": "another text"} for row in reviews(4)])
    done = score(source, where="id = '00001'")
    assert (done.scored, done.total) == (1, 1)
    texts = [row["benefits"] for row in read(tmp_path / "in.scored.delta")]
    assert [text == "another text" for text in texts] == [False, True, False, False]


def test_in_place_sets_the_verdicts_alone(score: Any, reviews: Reviews, tmp_path: Path) -> None:
    source = write(tmp_path / "in", reviews(3))
    assert score(source, in_place=True).outputs == (str(source),)
    rows = read(source)
    assert [{k: v for k, v in row.items() if k not in VERDICT_COLUMNS} for row in rows] == (
        reviews(3)
    )
    assert all(row["overall_sentiment"] for row in rows)
    assert score(source, in_place=True).reused == 3
    write(tmp_path / "bare", [{"benefits": "good"}])
    with pytest.raises(
        SourceError, match=r"--in-place needs what tells its rows apart; name .*--id"
    ):
        score(tmp_path / "bare", in_place=True)


def test_a_file_into_a_table_and_back(
    score: Any, drugmon: Any, reviews: Reviews, to_csv: Any, tmp_path: Path
) -> None:
    source, table = to_csv(tmp_path / "a.csv", reviews(3)), tmp_path / "verdicts.delta"
    score(source, out=str(table))
    assert [row["id"] for row in read(table)] == ["00000", "00001", "00002"]
    back = score(table, out=str(tmp_path / "b.parquet"), overwrite=True)
    assert (back.total, pq.read_table(tmp_path / "b.parquet").num_rows) == (3, 3)
    shown = drugmon("show", table, "--json")
    assert json.loads(shown.out)["total"] == 3, shown.err
    past = drugmon("history", table, "--json")
    assert [run["scored"] for run in json.loads(past.out)["runs"]] == [3], past.err


@pytest.mark.parametrize("ids", [["1", "1", "2"], ["1", None, "2"]])
def test_ids_that_tell_nothing_apart(score: Any, tmp_path: Path, ids: list[str | None]) -> None:
    rows = [{"id": key, "benefits": f"good {number}"} for number, key in enumerate(ids)]
    source = write(tmp_path / "in", rows)  # type: ignore[arg-type]
    with pytest.raises(SinkError, match=r"in\.scored\.delta: 'id' does not tell rows apart"):
        score(source, id_column="id")
    # What is merely called like one replaces the rows as a whole.
    assert score(source).reused == 3 and score(source).reused == 3
    assert len(read(tmp_path / "in.scored.delta")) == 3
    assert [commit["operation"] for commit in log_of(tmp_path / "in.scored.delta")] == ["WRITE"] * 2


def rows_called(*ids: str) -> list[dict[str, str]]:
    return [{"id": key, "benefits": f"good {number}"} for number, key in enumerate(ids)]


def test_copies_of_rows_are_neither_lost_nor_doubled(score: Any, tmp_path: Path) -> None:
    target = tmp_path / "in.scored.delta"
    source = write(tmp_path / "in", [*rows_called("1", "2"), *rows_called("1", "2", "1")])
    score(source)
    assert [row["id"] for row in read(target)] == ["1", "1", "1", "2", "2"]
    again = score(source)
    assert (again.scored, again.reused, len(read(target))) == (0, 5, 5)
    # Once each row is there once, the copies go: a merge by id would give each of them its row.
    write(source, rows_called("1", "2", "3"))
    score(source)
    assert [row["id"] for row in read(target)] == ["1", "2", "3"]
    write(source, rows_called("1", "2", "3", "4"))
    score(source)
    assert [row["id"] for row in read(target)] == ["1", "2", "3", "4"]
    assert [commit["operation"] for commit in log_of(target)] == ["WRITE"] * 3 + ["MERGE"]


def test_some_rows_do_not_replace_all_where_none_tells_them_apart(
    score: Any, tmp_path: Path
) -> None:
    source, target = (
        write(tmp_path / "in", rows_called("1", "1", "2")),
        tmp_path / "in.scored.delta",
    )
    score(source)
    for condition in ("id = '1'", "benefits = 'good 0'"):
        with pytest.raises(SinkError, match=r"in\.scored\.delta: .* does not tell rows apart"):
            score(source, where=condition)
        assert len(read(target)) == 3
    assert score(source, where="id = '2'").total == 1
    assert len(read(target)) == 3
    bare, out = write(tmp_path / "bare", [{"benefits": "good"}, {"benefits": "bad"}]), "b.delta"
    score(bare, out=str(tmp_path / out))
    with pytest.raises(
        SourceError, match=r"b\.delta: with --where and --limit all other rows stay"
    ):
        score(bare, out=str(tmp_path / out), limit=1)
    assert deltalake.DeltaTable(str(tmp_path / out)).to_pyarrow_table().num_rows == 2


IDS = ["1", "2"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.array([7, 8]), pa.array([7.5, 8.25])),
        (pa.array([1.5, 2.5], pa.float32()), pa.array([1.1, 2.2])),
        (pa.array([7, 8], pa.uint8()), pa.array([70_000, 8])),
        (pa.array([date(2026, 1, 1)] * 2), pa.array([datetime(2026, 1, 2, 5, tzinfo=UTC)] * 2)),
        (pa.array([[1], [2]]), pa.array([[1.5], [2.5]])),
        (pa.array(["7", "n/a"]), pa.array([7.5, None])),
    ],
    ids=["decimals", "digits", "large", "times", "lists", "numbers"],
)
def test_no_value_is_cut_to_fit_the_type_of_the_night_before(
    score: Any, tmp_path: Path, first: pa.Array, second: pa.Array
) -> None:
    source, target = tmp_path / "in.parquet", tmp_path / "out.delta"
    for column in (first, second):
        pq.write_table(pa.table({"id": IDS, "review": ["good", "awful"], "x": column}), source)
        score(source, out=str(target))
        assert [row["x"] for row in read(target)] == column.to_pylist()


def test_some_rows_keep_the_type_that_is_there(score: Any, tmp_path: Path) -> None:
    source, target = tmp_path / "in.parquet", tmp_path / "out.delta"
    for marks in ([7, 8], [7.5, 8.5]):
        pq.write_table(pa.table({"id": IDS, "review": ["good", "awful"], "x": marks}), source)
        if marks == [7, 8]:
            score(source, out=str(target))
    with pytest.raises(SinkError, match=r"out\.delta: 'x' is int64 there, which does not hold"):
        score(source, out=str(target), where="id = '2'")
    assert [row["x"] for row in read(target)] == [7, 8]


def test_ids_that_become_text_stay_what_they_are(score: Any, tmp_path: Path) -> None:
    """A merge would take 03 for the 3 that is there."""
    source, target = tmp_path / "in.parquet", tmp_path / "out.delta"
    for ids in ([1, 2, 3], ["1", "2", "03"]):
        pq.write_table(pa.table({"id": ids, "review": ["good", "awful", "so so"]}), source)
        score(source, out=str(target))
        assert sorted(str(row["id"]) for row in read(target)) == sorted(map(str, ids))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.array([7, 8]), pa.array([9, 8], pa.int16())),
        (pa.array([1.5, 2.5]), pa.array([0.5, 2.5], pa.float32())),
        (pa.array(["a", "b"]), pa.array(["c", "b"]).dictionary_encode()),
        (pa.array(["a", "b"]), pa.array(["c", "b"], pa.large_string())),
        (pa.array(["a", "b"]), pa.nulls(2)),
        (pa.nulls(2), pa.array(["a", "b"])),
        (pa.array([["a"], ["b"]]), pa.array([["c"], ["b"]], pa.large_list(pa.large_string()))),
        (pa.array([datetime(2026, 1, 2)] * 2), pa.array([None] * 2, pa.timestamp("ms"))),
        (pa.array([{"a": 1}, {"a": 2}]), pa.array([{"a": 3}, {"a": 2}])),
    ],
)
def test_what_fits_is_merged(score: Any, tmp_path: Path, first: pa.Array, second: pa.Array) -> None:
    source, target = tmp_path / "in.parquet", tmp_path / "out.delta"
    for column in (first, second):
        pq.write_table(pa.table({"id": IDS, "review": ["good", "awful"], "x": column}), source)
        score(source, out=str(target))
        assert [row["x"] for row in read(target)] == column.to_pylist()
    assert [commit["operation"] for commit in log_of(target)] == ["WRITE", "MERGE"]


@pytest.mark.parametrize(
    ("ids", "second"),
    [
        (pa.array(["a", "b"]).dictionary_encode(), "MERGE"),
        (pa.array(["a", "b"], pa.string_view()), "MERGE"),
        (pa.array([1000, 2000], pa.timestamp("ns")), "MERGE"),
        (pa.array([1000, 1001], pa.timestamp("ns")), "WRITE"),
        (pa.array([[1], [2]]), "WRITE"),
    ],
    ids=["categories", "views", "moments", "one moment", "lists"],
)
def test_ids_are_told_apart_as_the_table_has_them(
    score: Any, tmp_path: Path, ids: pa.Array, second: str
) -> None:
    source, target = tmp_path / "in.parquet", tmp_path / "out.delta"
    for text in ("awful", "so so"):
        pq.write_table(pa.table({"id": ids, "review": ["good", text]}), source)
        score(source, out=str(target))
        rows = deltalake.DeltaTable(str(target)).to_pyarrow_table()["review"].to_pylist()
        assert sorted(rows) == sorted(["good", text])
    assert log_of(target)[-1]["operation"] == second


def test_unsigned_numbers_within_others_are_wide_enough(score: Any, tmp_path: Path) -> None:
    columns = {
        "list": pa.array([[200], [2]], pa.list_(pa.uint8())),
        "struct": pa.array([{"a": 200}, {"a": 2}], pa.struct([("a", pa.uint8())])),
        "map": pa.array([[("a", 200)], [("b", 2)]], pa.map_(pa.string(), pa.uint8())),
    }
    source, target = tmp_path / "in.parquet", tmp_path / "out.delta"
    for _ in range(2):
        pq.write_table(pa.table({"id": IDS, "review": ["good", "awful"], **columns}), source)
        score(source, out=str(target))
        told = [{name: row[name] for name in columns} for row in read(target)]
        assert told == pa.table(columns).to_pylist()


def test_what_a_failed_commit_leaves_is_no_folder_for_files(score: Any, tmp_path: Path) -> None:
    """The first night has a type that Delta lacks; the second one's rows become the table."""
    source, target = tmp_path / "in.parquet", tmp_path / "out.delta"
    rows = {"id": IDS, "review": ["good", "awful"]}
    pq.write_table(pa.table({**rows, "x": pa.array([time(1)] * 2)}), source)
    with pytest.raises(SinkError, match="or Delta lacks one of the source's"):
        score(source, out=str(target))
    target.mkdir(exist_ok=True)
    pq.write_table(pa.table(rows), source)
    assert score(source, out=str(target)).outputs == (str(target),)
    assert [row["id"] for row in read(target)] == IDS


def test_a_column_of_the_tables_own_is_not_lost(score: Any, tmp_path: Path) -> None:
    source, target = tmp_path / "in.parquet", tmp_path / "out.delta"
    rows = {"id": IDS, "review": ["good", "awful"]}
    pq.write_table(pa.table({**rows, "x": [7, 8]}), source)
    score(source, out=str(target))
    table = deltalake.DeltaTable(str(target)).to_pyarrow_table()
    noted = table.append_column("note", pa.array(["read", "called"]))
    deltalake.write_deltalake(str(target), noted, mode="overwrite", schema_mode="overwrite")
    score(source, out=str(target))
    assert {row["note"] for row in read(target)} == {"read", "called"}
    pq.write_table(pa.table({**rows, "x": [7.5, 8]}), source)
    with pytest.raises(SinkError, match=r"'x' is int64 there, which does not hold the double of"):
        score(source, out=str(target))
    assert {row["note"] for row in read(target)} == {"read", "called"}


def test_an_id_that_is_not_there(score: Any, reviews: Reviews, tmp_path: Path) -> None:
    source = write(tmp_path / "in", reviews(2))
    with pytest.raises(SourceError, match=r"--id 'number': the source has no such column"):
        score(source, id_column="number")
    with pytest.raises(UsageError, match=r"--id is for tables; give --table, or a Delta table"):
        score(source, id_column="id", out=str(tmp_path / "b.parquet"))


def test_a_commit_that_fails_loses_nothing(
    score: Any, reviews: Reviews, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = write(tmp_path / "in", reviews(3)), tmp_path / "in.scored.delta"
    score(source)
    write(source, reviews(5))
    before = read(target)

    def fail(*_given: object, **_named: object) -> None:
        raise deltalake.exceptions.CommitFailedError("a cell of a review")

    with monkeypatch.context() as patch:
        patch.setattr(deltalake.DeltaTable, "merge", fail)
        with pytest.raises(
            BusyError, match=r"somebody else changed the same rows.*run again"
        ) as said:
            score(source)
    assert "cell" not in str(said.value)
    assert read(target) == before
    again = score(source)
    assert (again.scored, again.reused, again.compute) == (0, 5, None)
    assert len(read(target)) == 5


def test_without_the_extra(
    drugmon: Any, reviews: Reviews, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "in", reviews(2))
    monkeypatch.setitem(__import__("sys").modules, "deltalake", None)
    done = drugmon("score", source)
    assert done.code == 1
    assert done.err == (
        f"drugmon: error: {source}: a Delta table needs deltalake; pip install 'drugmon[delta]'\n"
    )


def test_a_table_in_a_store(bucket: Any, score: Any, reviews: Reviews) -> None:
    source = f"{bucket.uri}/in"
    options = {"AWS_ALLOW_HTTP": "true"}
    write(source, reviews(3), storage_options=options)
    first = score(source)
    assert first.outputs == (f"{bucket.uri}/in.scored.delta",)
    write(source, reviews(5), storage_options=options)
    second = score(source)
    assert (second.scored, second.reused) == (2, 3)
    table = deltalake.DeltaTable(first.outputs[0], storage_options=options).to_pyarrow_table()
    assert sorted(table["id"].to_pylist()) == [f"{number:05}" for number in range(5)]
