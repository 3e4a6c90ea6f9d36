"""Where the time of a run goes: start-up, reading, tokenising, the model, writing; and memory."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.ceiling import seconds
from benchmarks.growth import measured_run
from drugmon.config import EngineConfig
from drugmon.data.columns import resolve_columns
from drugmon.data.formats import open_reader, read_windows
from drugmon.data.reviews import Texts
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.columns import make_verdicts
from drugmon.data.verdicts.fingerprint import Fingerprinter
from drugmon.models.adapters.adapter import open_adapter
from drugmon.models.classifiers.factory import make_classifier
from drugmon.models.classifiers.lexical import LexicalModel
from drugmon.models.device import choose_compute
from drugmon.scoring.engine import Engine

WINDOW = 4_096
TEN = 10


def parts(adapter_name: str, source: Path, runs: int, threads: int) -> list[dict[str, Any]]:
    """Medians of each part's seconds over all reviews of `source`, each by itself."""
    torch.set_num_threads(threads)
    adapter = open_adapter(adapter_name)
    reviews = _read(source)
    classifier = make_classifier(adapter.base(), adapter.manifest.max_length)
    tokens = classifier.prepare(reviews).tokens
    lexical = LexicalModel.load(adapter.folder)
    engine = Engine(adapter, EngineConfig("cpu", "auto", threads), print)
    scores = engine.score(reviews[:64])
    prints = Fingerprinter(adapter.manifest.digest)
    compute = choose_compute("cpu", "auto")

    def write() -> None:
        fingerprints = [prints.of(review) for review in reviews[:64]]
        make_verdicts(scores.labels, scores.probabilities, "a@b", datetime.now(UTC), fingerprints)

    works: dict[str, tuple[Callable[[], object], int]] = {
        "reading": (lambda: _read(source), len(reviews)),
        "fingerprints": (lambda: [prints.of(review) for review in reviews], len(reviews)),
        "tokenising": (lambda: classifier.prepare(reviews), len(reviews)),
        "n-gram model": (lambda: lexical.log_probs(tokens), len(reviews)),
        "all of the engine": (lambda: engine.score(reviews), len(reviews)),
        "making verdicts": (write, 64),
    }
    table = []
    for name, (work, n) in works.items():
        taken = statistics.median(seconds(work, compute) for _ in range(runs))
        table.append(_row(name, taken, n, None))
    with tempfile.TemporaryDirectory() as folder:
        for name, limit in ((f"whole command, {TEN} reviews", TEN), ("whole command", None)):
            options = ["--limit", str(limit)] if limit else []
            out = str(Path(folder) / f"{limit}.parquet")
            run = measured_run(adapter_name, source, threads, "--out", out, *options)
            table.append(_row(name, run.seconds, run.total, run.megabytes))
            print(name, file=sys.stderr)
    return table


def _read(source: Path) -> list[Texts]:
    with open_reader(FileSource.of(source)) as reader:
        columns = resolve_columns(reader.columns, {}, reader.where)
        return [text for window in read_windows(reader, columns, WINDOW) for text in window.texts]


def _row(name: str, taken: float, n: int, megabytes: float | None) -> dict[str, Any]:
    return {
        "part": name,
        "seconds": f"{taken:.2f}",
        "ms a review": f"{1000 * taken / n:.3f}",
        "peak memory, MB": f"{megabytes:.0f}" if megabytes else "-",
    }
