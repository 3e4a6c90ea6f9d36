"""What the workers of a cluster gain over one process, and what they cost.

    python -m benchmarks.scale_out reviews.tsv --rows 100000 --free 100000,1000000

The rows are made from real reviews, as for `--growth`: their first words, so that many can be
scored in minutes. One process with one and with two threads, and one and two workers of one core
each, are measured one after the other, each in a process of its own. `efficiency` is the rate of
workers to that of the process with as many threads; rates are those after start-up. `free` is a
model that costs nothing: what is left is what the engine itself can do, and what it needs in
memory, which is to be the same for any number of rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.growth import FIRST_WORDS, make_rows
from drugmon.config import DEFAULT_ADAPTER, ClusterConfig, EngineConfig
from drugmon.data.reviews import Texts
from drugmon.labels import LABELS, TARGETS
from drugmon.options import build
from drugmon.scoring.cluster import pool
from drugmon.scoring.scores import Scores
from drugmon.workflows.score import score as scoring
from drugmon.workflows.score.config import ScoreConfig
from drugmon.workflows.score.run import ScoreProgress

WAYS = ("1 thread", "1 worker", "2 threads", "2 workers")
"""Processes and workers that have as many cores stand side by side."""

PART_ROWS = 8192
"""Small parts, as with a few large ones one worker waits for the other at the end."""


class FreeJob:
    """Reviews that nobody looks at."""

    def __init__(self, reviews: Sequence[Texts]) -> None:
        self.reviews = reviews


class FreeEngine:
    """Gives every review the same verdicts."""

    chunk, compute = 1024, "free"

    def __init__(self, *_given: object) -> None:
        pass

    def __enter__(self) -> FreeEngine:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def get(self) -> FreeEngine:
        """The engine, which is loaded in no time."""
        return self

    def submit(self, reviews: Sequence[Texts]) -> FreeJob:
        """Nothing is made ready."""
        return FreeJob(reviews)

    def scores(self, jobs: Sequence[FreeJob], on_batch: Callable[[int], None]) -> Iterator[Scores]:
        """Yield the verdicts of every job."""
        for job in jobs:
            rows = len(job.reviews)
            on_batch(rows)
            shape = (rows, len(TARGETS))
            yield Scores(
                np.zeros(shape, np.int8), np.full((*shape, len(LABELS)), 1 / 3, np.float32)
            )


class FreeRemote(pool._Remote):
    """A worker with that engine."""

    _engine = FreeEngine()  # type: ignore[assignment]


@contextmanager
def free_model() -> Iterator[None]:
    """Score with a model that costs nothing, here and in workers."""
    with (
        mock.patch.object(scoring, "LazyEngine", FreeEngine),
        mock.patch.object(pool, "_Remote", FreeRemote),
    ):
        yield


class Watch:
    """When rows were done, and the peak memory of this process and of the largest worker."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.seen: list[tuple[float, int]] = []
        self.worker_mb = 0.0

    def __call__(self, progress: ScoreProgress) -> None:
        """Look at the clock, and at the workers that are there now."""
        if progress.done:
            self.seen.append((time.perf_counter(), progress.done))
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    if b"Remote" in path.read_bytes():
                        self.worker_mb = max(self.worker_mb, peak_mb(path.with_name("status")))
                except OSError:
                    continue  # it has just ended

    def told(self) -> dict[str, Any]:
        """Seconds before the first row, rows a second after it, and megabytes."""
        (first, before), (last, after) = self.seen[0], self.seen[-1]
        return {
            "start-up, s": round(first - self.began, 1),
            "rows/s": round((after - before) / max(last - first, 1e-9)),
            "seconds in all": round(time.perf_counter() - self.began, 1),
            "this process, MB": round(peak_mb(Path("/proc/self/status"))),
            "a worker, MB": round(self.worker_mb) or "-",
        }


def peak_mb(status: Path) -> float:
    """The most memory that a process has had."""
    lines = status.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def measure(path: Path, way: str, adapter: str, free: bool) -> dict[str, Any]:
    """Score `path` in one way, in this process."""
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        run = partial(build, ScoreConfig, source=str(path), adapter=adapter)
        count, what = int(way.split()[0]), way.split()[1]
        if what.startswith("thread"):
            config = run(
                out=f"{folder}/scored.parquet", engine=EngineConfig(device="cpu", threads=count)
            )
        else:
            config = run(
                out=f"{folder}/scored",
                engine=EngineConfig(device="cpu", threads=1),
                cluster=ClusterConfig("ray", workers=count, part_rows=PART_ROWS),
            )
        if free:
            with free_model():
                result = scoring.score(config, on_progress=watch)
        else:
            result = scoring.score(config, on_progress=watch)
    model = "free" if free else "model"
    return {"model": model, "rows": result.total, "way": way, **watch.told()}


def measured(path: Path, way: str, adapter: str, free: bool) -> dict[str, Any]:
    """The same in a process of its own."""
    # Imported and not run as a script: workers find the free model by the name of its module.
    run = "from benchmarks.scale_out import main; main()"
    command = [sys.executable, "-c", run, str(path), "--adapter", adapter]
    command += ["--one", way, *(["--is-free"] if free else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(row, file=sys.stderr, flush=True)
    return row


def with_efficiency(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, and of workers how their rate stands to that of a process with as many cores."""
    rates = {(row["model"], row["rows"], row["way"]): row["rows/s"] for row in rows}
    told = []
    for row in rows:
        count, what = row["way"].split()
        alone = rates[row["model"], row["rows"], row["way"].replace("worker", "thread")]
        is_worker = what.startswith("worker")
        efficiency = f"{row['rows/s'] / max(alone, 1):.2f}" if is_worker else "-"
        told.append({**row, "efficiency": efficiency, "core-µs a row": _core_time(row, int(count))})
    return told


def _core_time(row: dict[str, Any], cores: int) -> str:
    return f"{1e6 * cores / max(row['rows/s'], 1):.1f}"


def growth_of_memory(rows: Sequence[dict[str, Any]]) -> list[str]:
    """How the memory with the free model grows from the fewest rows to the most, per way."""
    free = [row for row in rows if row["model"] == "free"]
    lines = []
    for way in WAYS:
        of_way = sorted((row for row in free if row["way"] == way), key=lambda row: row["rows"])
        if len(of_way) < 2:
            continue
        first, last = of_way[0], of_way[-1]
        parts = [
            f"{what} {first[name]} to {last[name]} MB"
            for what, name in (("this process", "this process, MB"), ("a worker", "a worker, MB"))
            if first[name] != "-"
        ]
        lines.append(f"{way}, {first['rows']:,} to {last['rows']:,} rows: {', '.join(parts)}")
    return lines


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, help="reviews to make the rows from")
    parser.add_argument("--adapter", default=DEFAULT_ADAPTER)
    parser.add_argument("--rows", type=int, default=100_000, help="with the model; 0 for none")
    parser.add_argument("--free", default="100000,1000000", help="rows with a free model")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--is-free", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.source, given.one, given.adapter, given.is_free)))
        return
    sizes = [(given.rows, False)] if given.rows else []
    sizes += [(int(size), True) for size in given.free.split(",") if size]
    table = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.parquet"
        for rows, free in sizes:
            make_rows(given.source, path, rows, words=FIRST_WORDS)
            table += [measured(path, way, given.adapter, free) for way in WAYS]
    told = with_efficiency(table)
    print("| " + " | ".join(told[0]) + " |\n" + "| --- " * len(told[0]) + "|")
    for row in told:
        print("| " + " | ".join(map(str, row.values())) + " |")
    print("\n".join(["", *growth_of_memory(table)]))


if __name__ == "__main__":
    main()
