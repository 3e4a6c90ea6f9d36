"""When a part that workers have made serves again: only where it would come out the same."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.columns import ColumnMap
from drugmon.data.copies import pinned
from drugmon.data.selection import Selection
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.columns import PLAIN
from drugmon.workflows.score.pieces import Sources


def keys(path: Path, where: str | None, run_id: str) -> list[str]:
    """Those of a file's pieces, of two rows each."""
    run: Any = SimpleNamespace(
        identity="tiny@0", selection=Selection(where), verdicts=PLAIN, cascade=None, run_id=run_id
    )
    source, state = pinned(FileSource.of(path), path.with_suffix(".copy"))
    sources = Sources(((source, 3),), (state,), ColumnMap(text="review"))
    return [piece.key for piece in sources.pieces(run, 2)]


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    path = tmp_path / "r.parquet"
    pq.write_table(pa.table({"review": ["good", "poor", "fair"]}), path)
    return path


@pytest.mark.parametrize(
    ("where", "same"),
    [
        (None, True),
        ("date > DATE '2026-01-01'", True),
        ("date > current_date - 7", False),
        ("random() < .5", False),
    ],
)
def test_a_condition_that_means_another_day_chooses_anew(
    path: Path, where: str | None, same: bool
) -> None:
    first, second = keys(path, where, "one night"), keys(path, where, "another")
    assert len(set(first)) == 2
    assert (first == second) is same
    assert first == keys(path, where, "one night")


def test_another_file_of_the_same_size_and_time_is_another(path: Path) -> None:
    before, first = path.stat(), keys(path, None, "1")
    other = path.read_bytes().replace(b"good", b"evil")
    path.write_bytes(other)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    now = path.stat()
    assert (now.st_size, now.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert set(first).isdisjoint(keys(path, None, "1"))


def test_a_delta_table_that_is_made_anew_is_another(tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake", reason="needs the extra delta")
    path, told = tmp_path / "t", []
    for texts in (["good", "poor", "fair"], ["evil", "poor", "fair"]):
        deltalake.write_deltalake(str(path), pa.table({"review": texts}))
        told.append(keys(path, None, "1"))
        assert deltalake.DeltaTable(str(path)).version() == 0
        assert told[-1] == keys(path, None, "1")
        shutil.rmtree(path)
    assert set(told[0]).isdisjoint(told[1])
