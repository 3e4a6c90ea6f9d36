"""Workers of a Ray cluster give the verdicts of one machine, wherever the reviews lie.

One cluster serves the whole module: starting one takes longer than a test. Kills, ^C and what will
not do are in test_cluster_failures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from drugmon.config import ClusterConfig
from drugmon.data.folder import parts_in, read_folder
from drugmon.data.verdicts.columns import VERDICT_COLUMNS
from drugmon.errors import UsageError
from drugmon.workflows.configs import HistoryConfig, ShowConfig
from drugmon.workflows.history import history
from drugmon.workflows.report.config import report_config
from drugmon.workflows.report.report import report
from drugmon.workflows.show import show
from tests.cascades import held_out, with_held_out
from tests.clusters import (
    CLUSTER,
    check_equal,
    read,
    write,
)

pytest.importorskip("ray", reason="the extra drugmon[ray] is not installed")


def test_verdicts_are_those_of_one_machine_and_only_new_rows_are_scored(
    address: str, tmp_path: Path, reviews: Any, score: Any
) -> None:
    assert address
    sources, out = tmp_path / "reviews", tmp_path / "scored"
    write(sources / "a.parquet", reviews, 450, "a")
    first = score(sources, out=str(out), cluster=CLUSTER)
    assert (first.total, first.scored, first.reused, first.empty) == (450, 450, 0, 0)
    assert first.outputs == (str(out),)
    assert first.compute.startswith("2 workers, cpu")
    one = tmp_path / "one.parquet"
    score(sources / "a.parquet", out=str(one))
    check_equal(read(out), pq.read_table(one))
    manifest = read_folder(out)
    assert manifest is not None
    assert (manifest.run_id, manifest.adapter, manifest.rows) == (first.run_id, first.adapter, 450)
    assert [(part.start, part.stop, part.ids) for part in manifest.parts] == [
        (0, 200, 200),
        (200, 400, 200),
        (400, 450, 50),
    ]

    # The second night: a new file, and three rows before those that were there.
    write(sources / "b.parquet", reviews, 100, "b")
    grown = pa.concat_tables(
        [
            pa.Table.from_pylist(reviews(3, "new")),
            pq.read_table(sources / "a.parquet"),
        ]
    )
    pq.write_table(grown, sources / "a.parquet")
    assert score(sources, out=str(out), cluster=CLUSTER, dry_run=True).scored == 103
    second = score(sources, out=str(out), cluster=CLUSTER)
    assert (second.total, second.scored, second.reused) == (553, 103, 450)
    names = {path.name for path in parts_in(out)}
    assert {path.name for path in out.iterdir()} == names | {"_manifest.json"}

    # The third: nothing is new, nothing is written, no worker is needed.
    third = score(sources, out=str(out), cluster=CLUSTER)
    assert (third.scored, third.reused, third.compute) == (0, 553, None)
    assert {path.name for path in parts_in(out)} == names

    shown = show(ShowConfig(str(out), limit=5))
    assert (shown.total, shown.context["id"]) == (
        553,
        ["00000", "00001", "00002", "00000", "00001"],
    )
    runs = history(HistoryConfig(out)).runs
    assert [(run.run_id, run.scored) for run in runs] == [
        (first.run_id, 450),
        (second.run_id, 103),
        (third.run_id, 0),
    ]
    assert runs[0].targets["overall"].negative + runs[0].targets["overall"].positive > 0
    reported = report(report_config(str(out), out=tmp_path / "pages", evidently=False))
    assert reported.summary.volume.rows == 553
    assert reported.summary.source == "scored"


def test_text_files_are_scored_too(
    address: str, tmp_path: Path, reviews: Any, to_csv: Any, score: Any
) -> None:
    assert address
    path = to_csv(tmp_path / "reviews.csv", reviews(30))
    score(path, out=str(tmp_path / "scored"), cluster=CLUSTER, limit=20)
    score(path, out=str(tmp_path / "one.parquet"), limit=20)
    check_equal(read(tmp_path / "scored"), pq.read_table(tmp_path / "one.parquet"))


def test_folders_that_are_columns_come_into_the_parts(
    address: str, tmp_path: Path, reviews: Any, to_csv: Any, score: Any
) -> None:
    assert address
    lake, out = tmp_path / "lake", tmp_path / "scored"
    for month in ("11", "12"):
        (lake / f"month={month}").mkdir(parents=True)
        to_csv(lake / f"month={month}" / "a.csv", reviews(130, month))
    done = score(lake, out=str(out), cluster=CLUSTER, partitions=True)
    assert (done.total, done.scored) == (260, 260)
    table = read(out)
    assert table["month"].to_pylist() == ["11"] * 130 + ["12"] * 130
    again = score(lake, out=str(out), cluster=CLUSTER, partitions=True)
    assert (again.scored, again.compute) == (0, None)
    some = {"cluster": CLUSTER, "partitions": True, "where": "month = 12 AND id < '00003'"}
    assert score(lake, out=str(tmp_path / "some"), **some).total == 3


def test_paths_are_relative_to_the_command_and_not_to_a_worker(
    address: str, tmp_path: Path, reviews: Any, score: Any, to_csv: Any, monkeypatch: Any
) -> None:
    assert address
    monkeypatch.chdir(tmp_path)
    write(Path("in.parquet"), reviews, 5, "a")
    to_csv(Path("in.csv"), reviews(7, "b"))
    with duckdb.connect("in.duckdb") as connection:
        connection.execute("CREATE TABLE reviews AS FROM 'in.csv'")
    assert score("in.parquet", out="a", cluster=CLUSTER).scored == 5
    assert score("in.csv", out="b", cluster=CLUSTER).scored == 7
    assert score("in.duckdb", table="reviews", cluster=CLUSTER).scored == 7


def test_workers_score_what_is_in_a_store(
    address: str, bucket: Any, tmp_path: Path, reviews: Any, score: Any
) -> None:
    assert address
    place, out = f"{bucket.uri}/in/", tmp_path / "scored"
    path = write(tmp_path / "r.parquet", reviews, 230, "a")
    bucket.put("in/a.parquet", path.read_bytes())
    first = score(place, out=str(out), cluster=CLUSTER)
    assert (first.total, first.scored) == (230, 230)
    score(path, out=str(tmp_path / "one.parquet"))
    check_equal(read(out), pq.read_table(tmp_path / "one.parquet"))
    kept = {path.name for path in parts_in(out)}
    lines = [json.dumps(review).encode() for review in reviews(7, "b")]
    bucket.put("in/b.jsonl", b"\n".join(lines))
    second = score(place, out=str(out), cluster=CLUSTER)
    assert (second.total, second.scored) == (237, 7)
    assert kept < {path.name for path in parts_in(out)}, "an unchanged object's parts stay"
    assert not (out / "_unfinished").exists()


def test_workers_score_a_version_of_a_delta_table(
    address: str, tmp_path: Path, reviews: Any, score: Any
) -> None:
    deltalake = pytest.importorskip("deltalake", reason="needs the extra delta")
    assert address
    table, out = tmp_path / "lake", tmp_path / "scored"
    deltalake.write_deltalake(str(table), pa.Table.from_pylist(reviews(230)))
    assert score(table, out=str(out), cluster=CLUSTER).scored == 230
    more = [{**review, "id": f"new {review['id']}"} for review in reviews(4, "new")]
    deltalake.write_deltalake(str(table), pa.Table.from_pylist(more), mode="append")
    second = score(table, out=str(out), cluster=CLUSTER)
    assert (second.total, second.scored) == (234, 4)
    assert score(table, out=str(out), cluster=CLUSTER, delta_version=0).total == 230
    with pytest.raises(UsageError, match=r"writes a folder of parts, no Delta table"):
        score(tmp_path / "r.parquet", out=str(table), cluster=CLUSTER)


def test_copies_of_rows_are_neither_lost_nor_doubled(
    address: str, tmp_path: Path, reviews: Any, score: Any
) -> None:
    """Rows with one id or one text, within a part and in several, and when they move."""
    assert address
    path, out = tmp_path / "r.parquet", tmp_path / "scored"
    rows = pa.Table.from_pylist(reviews(150))
    twice = pa.concat_tables([rows, rows.slice(0, 120), rows.slice(0, 10)])
    pq.write_table(twice, path)
    first = score(path, out=str(out), cluster=CLUSTER)
    assert first.total == 280
    table = read(out)
    assert table.select(twice.column_names).equals(twice)
    assert table["overall_sentiment"].null_count == 0
    other_id = rows.slice(3, 1).set_column(0, "id", pa.array(["another"]))
    moved = pa.concat_tables([other_id, twice.slice(5), rows.slice(0, 1)])
    pq.write_table(moved, path)
    second = score(path, out=str(out), cluster=CLUSTER)
    # A row with a new id is new, though its text was judged before.
    assert (second.total, second.scored, second.reused) == (277, 1, 276)
    assert read(out).select(moved.column_names).equals(moved)
    score(path, out=str(tmp_path / "one.parquet"))
    check_equal(read(out), pq.read_table(tmp_path / "one.parquet"))


def test_verdict_columns_come_last(address: str, tmp_path: Path, reviews: Any, score: Any) -> None:
    assert address
    path = write(tmp_path / "reviews.parquet", reviews, 5)
    score(path, out=str(tmp_path / "scored"), cluster=CLUSTER, where="id > '00002'")
    table = read(tmp_path / "scored")
    assert table["id"].to_pylist() == ["00003", "00004"]
    assert table.column_names[-len(VERDICT_COLUMNS) :] == list(VERDICT_COLUMNS)


def test_a_table_is_committed_with_the_verdicts_of_workers(
    address: str, tmp_path: Path, reviews: Any, score: Any
) -> None:
    assert address
    table = pa.Table.from_pylist(reviews(230))
    verdicts = []
    for name, cluster in (
        ("one", ClusterConfig()),
        ("many", ClusterConfig("ray", workers=2, part_rows=100)),
    ):
        path = tmp_path / f"{name}.duckdb"
        with duckdb.connect(path) as connection:
            connection.register("given", table)
            connection.execute("CREATE TABLE reviews AS FROM given")
        result = score(path, table="reviews", cluster=cluster)
        assert (result.total, result.scored) == (230, 230)
        with duckdb.connect(path) as connection:
            sql = "SELECT * FROM reviews_sentiment ORDER BY drugmon_key"
            verdicts.append(connection.sql(sql).to_arrow_table())
        again = score(path, table="reviews", cluster=cluster)
        assert (again.scored, again.reused) == (0, 230)
    check_equal(verdicts[1], verdicts[0])


def test_workers_send_on_what_the_first_adapter_doubts(
    address: str, score: Any, tmp_path: Path, reviews: Any, adapter: Path
) -> None:
    assert address
    first = with_held_out(adapter, tmp_path / "one", held_out(1, 0.5, lone=0), temperature=1.5)
    second = with_held_out(adapter, tmp_path / "two", held_out(2, 3.0, lone=0), temperature=0.7)
    source, out = write(tmp_path / "r.parquet", reviews, 250), tmp_path / "scored"
    given = {"adapter": str(first), "then": str(second)}
    few = score(source, out=str(out), cluster=CLUSTER, share=0.5, **given)
    assert few.scored == 250
    rows = read(out)
    sent = pc.sum(pc.equal(rows["drugmon_adapter"], few.adapter)).as_py()
    assert score(source, out=str(out), cluster=CLUSTER, share=0.5, **given).scored == 0
    all_of_them = score(source, out=str(out), cluster=CLUSTER, below=1.0, **given)
    assert all_of_them.scored == 250 - sent, "what both have judged stays"
    assert set(read(out)["drugmon_adapter"].to_pylist()) == {few.adapter}
    one = tmp_path / "one.parquet"
    score(source, out=str(one), below=1.0, **given)
    check_equal(read(out), pq.read_table(one))
