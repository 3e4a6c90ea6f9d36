"""How long a report of many scored rows takes, and how much memory.

    python -m benchmarks.report_scale --rows 10000000
    python -m benchmarks.report_scale --rows 100000 --format csv

The rows are generated: their shares follow the adapter's reference, with 3,000 drugs and 500
conditions of very different frequency. The report runs in a process of its own, evidently's pages
and the write to the history included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from drugmon.config import DEFAULT_ADAPTER
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.adapter import open_adapter

FORMATS = ("table", "parquet", "csv")


def generated(rows: int, identity: str) -> str:
    """SQL that gives scored rows."""
    columns = [
        "id",
        "'drug ' || CAST(floor(3000 * pow(a, 4)) AS INTEGER) AS drug",
        "'condition ' || CAST(floor(500 * pow(b, 3)) AS INTEGER) AS condition",
        "1 + CAST(floor(9.99 * a) AS INTEGER) AS rating",
        *(f"repeat('it helped a lot ', 1 + CAST(12 * b AS INTEGER)) AS {x}" for x in TARGETS[:3]),
    ]
    for number, target in enumerate(TARGETS):
        negative, neutral, positive = (f"{label}_{number}" for label in LABELS)
        columns += [
            f"{negative} AS {target}_p_negative",
            f"{neutral} AS {target}_p_neutral",
            f"{positive} AS {target}_p_positive",
            f"greatest({negative}, {neutral}, {positive}) AS {target}_confidence",
            f"CASE {target}_confidence WHEN {positive} THEN '{LABELS[2]}' "
            f"WHEN {negative} THEN '{LABELS[0]}' ELSE '{LABELS[1]}' END AS {target}_sentiment",
        ]
    columns += [
        f"'{identity}' AS drugmon_adapter",
        "CAST(now() AS TIMESTAMP WITH TIME ZONE) AS drugmon_scored_at",
        "md5(CAST(id AS VARCHAR)) AS drugmon_fingerprint",
    ]
    draws = ["range AS id", "random() AS a", "random() AS b"]
    draws += [f"(random() * random())::FLOAT AS negative_{number}" for number in range(4)]
    draws += [f"(random() * 0.2)::FLOAT AS draw_{number}" for number in range(4)]
    shares = [f"(1 - negative_{n}) * draw_{n} AS neutral_{n}" for n in range(4)]
    rest = [f"1 - negative_{n} - neutral_{n} AS positive_{n}" for n in range(4)]
    sql = f"SELECT {', '.join(draws)} FROM range({rows})"  # noqa: S608 - our own numbers
    sql = f"SELECT *, {', '.join(shares)} FROM ({sql})"  # noqa: S608
    sql = f"SELECT *, {', '.join(rest)} FROM ({sql})"  # noqa: S608
    return f"SELECT {', '.join(columns)} FROM ({sql})"  # noqa: S608


def generate(folder: Path, rows: int, kind: str, identity: str) -> list[str]:
    """Write the rows, and return the arguments of `drugmon report` that name them."""
    database = folder / "reviews.duckdb"
    with duckdb.connect(database if kind == "table" else ":memory:") as connection:
        connection.execute("SET memory_limit = '2GB'; SET preserve_insertion_order = false")
        sql = generated(rows, identity)
        if kind == "table":
            connection.execute(f"CREATE TABLE reviews AS {sql}")
            return [str(database), "--table", "reviews"]
        path = folder / f"reviews.scored.{kind}"
        connection.execute(f"COPY ({sql}) TO '{path}'")
        return [str(path)]


def main() -> None:
    """Generate, report, print seconds and megabytes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--format", choices=FORMATS, default="table")
    parser.add_argument("--folder", type=Path, help="where the rows are generated")
    options = parser.parse_args()
    identity = open_adapter(DEFAULT_ADAPTER).manifest.identity
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        began = time.monotonic()
        source = generate(Path(name), options.rows, options.format, identity)
        print(f"generated {options.rows:,} rows in {time.monotonic() - began:.0f} s", flush=True)
        command = [sys.executable, "-m", "drugmon.cli.main", "report", *source]
        began = time.monotonic()
        done = subprocess.run(
            [*command, "--out", str(Path(name) / "reports"), "--json"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        seconds = time.monotonic() - began
        if done.returncode not in (0, 4):
            sys.exit(done.stderr)
        rows = json.loads(done.stdout)["volume"]["rows"]
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"report of {rows:,} rows ({options.format}): {seconds:.1f} s, {megabytes:,.0f} MB")


if __name__ == "__main__":
    main()
