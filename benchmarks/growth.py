"""Growth: how time and memory of `drugmon score` go with the rows, and what a few new rows cost.

The rows are made from real reviews, repeated with a marker that makes each text its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from drugmon.data.columns import resolve_columns
from drugmon.data.formats import open_reader, read_windows
from drugmon.data.sources import FileSource
from drugmon.labels import ASPECTS

NEW_ROWS = 1_000
FIRST_WORDS = 3
WHOLE = (1_000, 2_000, 4_000, 8_000)
_CHUNK = 50_000
_RUN = r"""
import re, sys
from drugmon.cli.main import main
try:
    main()
except SystemExit as end:
    code = end.code or 0
status = open("/proc/self/status", encoding="ascii").read()
print(re.search(r"VmHWM:\s+(\d+) kB", status)[1], file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True)
class Run:
    """One `drugmon score`: wall seconds of the whole process, peak MB, and its summary's counts."""

    seconds: float
    megabytes: float
    total: int
    scored: int
    reused: int


def measured_run(adapter: str, source: Path, threads: int, *options: str) -> Run:
    """Run `drugmon score` in a process of its own."""
    command = [sys.executable, "-c", _RUN, "score", str(source), "--adapter", adapter]
    command += ["--threads", str(threads), "--device", "cpu", "--json", *options]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    summary = json.loads(done.stdout)
    kilobytes = int(re.findall(r"^(\d+)$", done.stderr, re.MULTILINE)[-1])
    counts = {name: int(summary[name]) for name in ("total", "scored", "reused")}
    return Run(taken, kilobytes / 1024, **counts)


def growth(adapter: str, source: Path, rows: int, threads: int) -> list[dict[str, Any]]:
    """From 1,000 rows up to `rows` by tens: all scored, of the first words of reviews.

    Each text is cut to its first words, so that a million can be scored in minutes; everything but
    the model has the same to do for a short text as for a long one. Then 1,000 to 8,000 whole ones.
    """
    table = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.parquet"
        short = [size for size in (1_000, 10_000, 100_000, 1_000_000, 10_000_000) if size <= rows]
        for sizes, words, what in ((short, FIRST_WORDS, "short"), (WHOLE, None, "whole")):
            for size in sizes:
                make_rows(source, path, size, words=words)
                run = measured_run(adapter, path, threads, "--rescore")
                table.append(_row(f"{size:,} {what} reviews", run, size))
                print(table[-1], file=sys.stderr, flush=True)
    return table


def incremental(adapter: str, source: Path, rows: int, threads: int) -> list[dict[str, Any]]:
    """A night with 1,000 new reviews among `rows`: Parquet and a table, scored for real.

    The earlier output of the other rows is made up, as scoring a million takes hours.
    """
    table = []
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "alone.parquet"
        make_rows(source, alone, NEW_ROWS, start=rows - NEW_ROWS)
        run = measured_run(adapter, alone, threads)
        table.append(_row(f"{NEW_ROWS:,} rows by themselves", run, NEW_ROWS))
        path = Path(folder) / "night.parquet"
        make_rows(source, path, rows)
        _pretend_scored(adapter, path, rows - NEW_ROWS)
        run = measured_run(adapter, path, threads)
        table.append(_row(f"parquet, {rows:,} rows", run, rows))
        database = Path(folder) / "night.duckdb"
        with duckdb.connect(str(database)) as connection:
            connection.execute("CREATE TABLE reviews AS SELECT * FROM read_parquet(?)", [str(path)])
        options = ("--table", "reviews", "--id", "id")
        _pretend_scored_table(adapter, database, path, rows - NEW_ROWS)
        run = measured_run(adapter, database, threads, *options)
        table.append(_row(f"table, {rows:,} rows", run, rows))
    return table


def make_rows(
    source: Path, path: Path, rows: int, *, start: int = 0, words: int | None = None
) -> None:
    """Write so many reviews to Parquet: those of `source` over and over, each with its number.

    Of each text the first `words` are taken, or all.
    """
    with open_reader(FileSource.of(source)) as reader:
        columns = resolve_columns(reader.columns, {}, reader.where)
        texts = [
            tuple(None if cell is None else " ".join(cell.split()[:words]) for cell in text[:3])
            for window in read_windows(reader, columns, _CHUNK)
            for text in window.texts
        ]
    schema = pa.schema(
        [
            ("id", pa.int64()),
            *((name, pa.string()) for name in ASPECTS),
        ]
    )
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for first in range(start, start + rows, _CHUNK):
            numbers = range(first, min(first + _CHUNK, start + rows))
            chosen = [texts[number % len(texts)] for number in numbers]
            writer.write_batch(
                pa.RecordBatch.from_arrays(
                    [
                        pa.array(numbers, pa.int64()),
                        pa.array(
                            [
                                f"{text[0] or ''} [{n}]"
                                for n, text in zip(numbers, chosen, strict=True)
                            ]
                        ),
                        pa.array([text[1] for text in chosen], pa.string()),
                        pa.array([text[2] for text in chosen], pa.string()),
                    ],
                    schema=schema,
                )
            )


def _pretend_scored(adapter: str, path: Path, rows: int) -> None:
    """Make the output that an earlier run over the first `rows` rows would have left."""
    pq.write_table(
        _with_verdicts(adapter, pq.read_table(path).slice(0, rows)),
        path.with_name("night.scored.parquet"),
        compression="zstd",
    )


def _pretend_scored_table(adapter: str, database: Path, path: Path, rows: int) -> None:
    """Score ten rows of the table, so that its companion is there, and put the others beside."""
    verdicts = _with_verdicts(adapter, pq.read_table(path).slice(0, rows))
    run = ("--table", "reviews", "--id", "id", "--limit", "10")
    measured_run(adapter, database, 1, *run)
    with duckdb.connect(str(database)) as connection:
        connection.register("verdicts", verdicts.drop_columns(list(ASPECTS)))
        connection.execute("DELETE FROM reviews_sentiment")
        connection.execute(
            "INSERT INTO reviews_sentiment BY NAME "
            "SELECT CAST(id AS VARCHAR) AS drugmon_key, * EXCLUDE (id) FROM verdicts"
        )


def _with_verdicts(adapter: str, table: pa.Table) -> pa.Table:
    """The table with verdict columns that look as if scored, and with its true fingerprints."""
    from datetime import UTC, datetime

    import numpy as np

    from drugmon.data.reviews import Texts
    from drugmon.data.verdicts.columns import make_verdicts
    from drugmon.data.verdicts.fingerprint import Fingerprinter
    from drugmon.models.adapters.adapter import open_adapter

    manifest = open_adapter(adapter).manifest
    prints = Fingerprinter(manifest.digest)
    cells = zip(*(table[name].to_pylist() for name in ASPECTS), strict=True)
    fingerprints = [prints.of(Texts(b, s, c, None)) for b, s, c in cells]
    labels = np.zeros((len(table), 4), np.int8)
    probabilities = np.full((len(table), 4, 3), 1 / 3, np.float32)
    verdicts = make_verdicts(
        labels, probabilities, manifest.identity, datetime.now(UTC), fingerprints
    )
    for name, column in zip(verdicts.schema.names, verdicts.columns, strict=True):
        table = table.append_column(name, column)
    return table


def _row(name: str, run: Run, rows: int) -> dict[str, Any]:
    return {
        "what": name,
        "seconds": f"{run.seconds:.1f}",
        "ms a row": f"{1000 * run.seconds / rows:.3f}",
        "scored": f"{run.scored:,}",
        "reused": f"{run.reused:,}",
        "peak memory, MB": f"{run.megabytes:.0f}",
    }
