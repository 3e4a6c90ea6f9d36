"""A Ray cluster of two small workers, and what lies in the folders that it writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from drugmon.config import ClusterConfig
from drugmon.data.folder import parts_in

PART_ROWS = 200
CLUSTER = ClusterConfig("ray", workers=2, part_rows=PART_ROWS)


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
