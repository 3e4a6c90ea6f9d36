"""Workers of a Ray cluster: each row once, whoever is killed, and a line for what will not do."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.folder import read_folder
from drugmon.errors import AdapterError, DrugmonError, SinkError, SourceError, UsageError
from drugmon.scoring.cluster.worker import AdapterToSee
from drugmon.workflows.configs import HistoryConfig
from drugmon.workflows.history import history
from drugmon.workflows.score import cluster as score_cluster
from drugmon.workflows.score.config import ScoreConfig
from tests.clusters import (
    CLUSTER,
    PART_ROWS,
    check_equal,
    finished,
    read,
    wait_until,
    workers,
    write,
)

pytest.importorskip("ray", reason="the extra drugmon[ray] is not installed")


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
    # A terminal shows ^C, so that the message begins on a line of its own.
    said = forker.log.read_text().strip()
    assert said == "drugmon: interrupted; the same command goes on where this one was"
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
            running = workers()  # any of them: one piece may lose no more than four
            for pid in moments.sample(running, min(1, len(running))):
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
    assert not out.exists()


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
