"""Workers of a Ray cluster give the verdicts of one machine, each once, whoever is killed.

One cluster of two small workers serves the whole module: starting one takes longer than a test.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from drugmon.config import ClusterConfig
from drugmon.data.folder import parts_in, read_folder
from drugmon.data.verdicts.columns import VERDICT_COLUMNS
from drugmon.errors import AdapterError, DrugmonError, SinkError, SourceError, UsageError
from drugmon.scoring.cluster.worker import AdapterToSee
from drugmon.workflows.configs import HistoryConfig, ShowConfig
from drugmon.workflows.history import history
from drugmon.workflows.report.config import report_config
from drugmon.workflows.report.report import report
from drugmon.workflows.score import cluster as score_cluster
from drugmon.workflows.score.config import ScoreConfig
from drugmon.workflows.show import show
from tests.cascades import held_out, with_held_out

ray = pytest.importorskip("ray", reason="the extra drugmon[ray] is not installed")

PART_ROWS = 200
CLUSTER = ClusterConfig("ray", workers=2, part_rows=PART_ROWS)


@pytest.fixture(scope="module", name="address")
def _address(models: Path) -> Iterator[str]:
    """The cluster's address; this process is in it."""
    assert models.is_dir()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with pytest.MonkeyPatch.context() as patch:
        before = signal.getsignal(signal.SIGTERM)
        patch.setenv("OMP_NUM_THREADS", "1")
        ray.init(
            address="local",
            num_cpus=2,
            object_store_memory=100 << 20,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            _node_ip_address="127.0.0.1",
        )
        signal.signal(signal.SIGTERM, before)
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


def write(path: Path, reviews: Any, count: int, mark: str = "") -> Path:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(reviews(count, mark)), path)
    return path


def read(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in parts_in(folder)])


def check_equal(found: pa.Table, wanted: pa.Table) -> None:
    """The same rows in the same order, with the same verdicts."""
    assert found.column_names == wanted.column_names
    for name in wanted.column_names:
        if pa.types.is_floating(wanted.schema.field(name).type):
            difference = pc.max(pc.abs(pc.subtract(found[name], wanted[name]))).as_py()
            assert difference <= 1e-6, name
            assert found[name].null_count == wanted[name].null_count
        elif name != "drugmon_scored_at":
            assert found[name].equals(wanted[name]), name


def workers() -> list[int]:
    """The process ids of the workers that score."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"ray::_Remote" in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue  # it has just ended
    return found


def finished(folder: Path) -> int:
    return len(list((folder / "_unfinished").glob("*.part")))


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


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
    assert (second.total, second.scored, second.reused) == (277, 0, 277)
    assert read(out).select(moved.column_names).equals(moved)
    score(path, out=str(tmp_path / "one.parquet"))
    check_equal(read(out), pq.read_table(tmp_path / "one.parquet"))


@pytest.mark.slow
@pytest.mark.parametrize("own", [False, True], ids=["a cluster", "its own cluster"])
def test_interrupted_it_ends_in_order_and_goes_on(
    address: str, tmp_path: Path, reviews: Any, score: Any, forker: Any, adapter: Path, own: bool
) -> None:
    path, out = write(tmp_path / "reviews.parquet", reviews, 20 * PART_ROWS), tmp_path / "scored"
    options = ["--engine", "ray", "--workers", 2, "--part-rows", PART_ROWS, "--json"]
    where = [] if own else ["--ray-address", address]
    sessions = set(Path("/tmp").glob(".ray.*"))
    pid = forker.start("score", path, *options, *where, "--adapter", adapter, "--out", out)
    wait_until(lambda: finished(out) > 1)
    os.kill(pid, signal.SIGINT)
    assert forker.end() == 130
    said = forker.log.read_text()
    assert said == "drugmon: interrupted; the same command goes on where this one was\n"
    wait_until(lambda: not workers())
    assert set(Path("/tmp").glob(".ray.*")) == sessions
    assert read_folder(out) is None
    kept = finished(out)
    result = score(path, out=str(out), cluster=CLUSTER)
    assert 0 < kept * PART_ROWS <= result.reused and result.total == 20 * PART_ROWS
    score(path, out=str(tmp_path / "one.parquet"))
    check_equal(read(out), pq.read_table(tmp_path / "one.parquet"))
    assert not (out / "_unfinished").exists()


def test_an_adapter_that_a_worker_cannot_see_is_one_line(
    address: str, tmp_path: Path, reviews: Any, score: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert address
    path = write(tmp_path / "reviews.parquet", reviews, 5)
    seen = AdapterToSee.of

    def elsewhere(adapter: Any, base: str | None = None) -> AdapterToSee:
        return replace(seen(adapter, base), folder="/on/this/machine/alone", name="nobody")

    monkeypatch.setattr(AdapterToSee, "of", elsewhere)
    says = r"does not see the adapter tiny@\w+: put it at /on/this/machine/alone on all machines"
    with pytest.raises(AdapterError, match=says) as raised:
        score(path, out=str(tmp_path / "scored"), cluster=CLUSTER)
    assert "\n" not in str(raised.value)
    assert read_folder(tmp_path / "scored") is None


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(3, marks=pytest.mark.slow),
        pytest.param(10, marks=pytest.mark.fuzz),
    ],
)
def test_kills_lose_nothing_and_double_nothing(
    kills: int,
    address: str,
    tmp_path: Path,
    reviews: Any,
    score: Any,
    forker: Any,
    adapter: Path,
) -> None:
    """So many kills of the driver, and then of workers."""
    parts = 7 * kills
    path, out = write(tmp_path / "reviews.parquet", reviews, parts * PART_ROWS), tmp_path / "scored"
    moments = random.Random(5)
    options = ["--engine", "ray", "--workers", 2, "--part-rows", PART_ROWS, "--json"]
    where = ["--ray-address", address, "--adapter", adapter, "--out", out]
    kept = 0
    for _ in range(kills):  # of the driver
        pid = forker.start("score", path, *options, *where)
        wait_until(lambda before=kept: finished(out) > before)  # type: ignore[misc]
        time.sleep(moments.uniform(0, 0.3))
        assert forker.kill(pid), forker.log.read_text()
        assert read_folder(out) is None
        kept = finished(out)
    assert 0 < kept < parts

    killed: list[int] = []

    def kill_workers() -> None:
        for _ in range(kills):
            before = finished(out)
            wait_until(lambda before=before: finished(out) > before or not finished(out))  # type: ignore[misc]
            time.sleep(moments.uniform(0, 0.2))
            for pid in workers()[:1]:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    killer = threading.Thread(target=kill_workers)
    killer.start()
    result = score(path, out=str(out), cluster=CLUSTER)
    killer.join()
    assert len(killed) >= kills - 1
    assert result.scored + result.reused == result.total == parts * PART_ROWS
    assert result.reused >= kept * PART_ROWS
    score(path, out=str(tmp_path / "one.parquet"))
    check_equal(read(out), pq.read_table(tmp_path / "one.parquet"))
    assert not (out / "_unfinished").exists()
    runs = history(HistoryConfig(out)).runs
    assert [(run.run_id, run.scored) for run in runs] == [(result.run_id, parts * PART_ROWS)]


def test_a_worker_of_another_version_is_told(
    address: str, tmp_path: Path, reviews: Any, score: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert address
    path = write(tmp_path / "reviews.parquet", reviews, 5)
    monkeypatch.setattr(score_cluster, "__version__", "9.9")
    with pytest.raises(DrugmonError, match=r"and this is 9\.9: install the same version"):
        score(path, out=str(tmp_path / "scored"), cluster=CLUSTER)
    assert read_folder(tmp_path / "scored") is None


@pytest.mark.slow
def test_no_cluster_at_the_address(tmp_path: Path, reviews: Any, forker: Any) -> None:
    path = write(tmp_path / "reviews.parquet", reviews, 5)
    out = tmp_path / "scored"
    where = ["--ray-address", "127.0.0.1:9", "--out", out]
    forker.start("score", path, "--engine", "ray", *where)
    assert forker.end() == 1
    said = forker.log.read_text()
    assert "error: --ray-address 127.0.0.1:9: no Ray cluster answers there; start one" in said
    assert said.count("\n") == 1


def test_no_room_is_told_before(
    tmp_path: Path, reviews: Any, score: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "reviews.parquet", reviews, 5)
    full = SimpleNamespace(free=0)
    monkeypatch.setattr("drugmon.workflows.score.folder.shutil.disk_usage", lambda _path: full)
    with pytest.raises(SinkError, match=r"0\.0 GB are free, and the parts need about"):
        score(path, out=str(tmp_path / "scored"), cluster=CLUSTER)


def test_files_of_several_schemas_are_told_apart(tmp_path: Path, reviews: Any, score: Any) -> None:
    write(tmp_path / "reviews" / "a.parquet", reviews, 5)
    table = pa.Table.from_pylist(reviews(5))
    table = table.set_column(table.schema.get_field_index("rating"), "rating", pa.array(range(5)))
    pq.write_table(table, tmp_path / "reviews" / "b.parquet")
    says = r"b\.parquet: its column rating is int64, and in .*a\.parquet it is string"
    with pytest.raises(SourceError, match=says):
        score(tmp_path / "reviews", out=str(tmp_path / "scored"), cluster=CLUSTER)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "name it, as in --out scored"),
        ({"in_place": True, "out": "x"}, "leave out --in-place"),
        ({"out": "x", "where": "true", "limit": 3}, "leave out one"),
        ({"out": "s3://bucket/scored"}, "all machines see, and none in a store"),
        ({"out": "scored.delta"}, "a folder of parts, no Delta table; name one"),
        ({"out": "x", "id_column": "key"}, "let --column id=NAME tell what tells rows"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        ScoreConfig("reviews.parquet", cluster=CLUSTER, **options)


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
