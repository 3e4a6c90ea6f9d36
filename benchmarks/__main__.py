"""How fast drugmon scores, beside its peers and beside the machine's limit.

    python -m benchmarks reviews.tsv                  the contest: ratios in one run
    python -m benchmarks reviews.tsv --parts          where the time of a run goes
    python -m benchmarks reviews.tsv --formats        what bf16 and int8 change
    python -m benchmarks reviews.tsv --growth         1,000 to 1,000,000 rows: time and memory
    python -m benchmarks reviews.tsv --incremental    1,000 new rows in 1,000,000

The peers come with the extra `bench`. The reviews need ratings, for the macro-F1 beside a speed.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from benchmarks.contest import Row, agreement, contest
from benchmarks.formats import formats
from benchmarks.growth import growth, incremental
from benchmarks.parts import parts
from drugmon.config import DEFAULT_ADAPTER
from drugmon.models.adapters.adapter import open_adapter
from drugmon.training.reviews.dataset import LabelledReviews, read_labelled


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(
        prog="benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, help="reviews with ratings")
    parser.add_argument("--adapter", default=DEFAULT_ADAPTER)
    parser.add_argument("--limit", type=int, default=300, help="reviews that the peers score")
    parser.add_argument("--runs", type=int, default=5, help="rounds; figures are medians")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rows", type=int, default=1_000_000, help="for --growth, --incremental")
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("--formats", action="store_true")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--incremental", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.parts:
        table = parts(options.adapter, options.source, options.runs, options.threads)
    elif options.formats:
        adapter = open_adapter(options.adapter)
        reviews = read_labelled(str(options.source), adapter.manifest.grading)
        table = formats(adapter, reviews, options.threads)
    elif options.growth:
        table = growth(options.adapter, options.source, options.rows, options.threads)
    elif options.incremental:
        table = incremental(options.adapter, options.source, options.rows, options.threads)
    else:
        table = _contest(options)
    print(json.dumps(table, indent=1) if options.json else _markdown(table))


def _contest(options: argparse.Namespace) -> list[dict[str, Any]]:
    adapter = open_adapter(options.adapter)
    everything = read_labelled(str(options.source), adapter.manifest.grading)
    truth = everything.take(_spread(len(everything), options.limit))
    rows = contest(adapter, options.source, truth.texts, options.runs, options.threads)
    return [_line(row, rows, truth) for row in rows]


def _spread(n: int, limit: int) -> Any:
    """Evenly spread row numbers, so that a part is like the whole."""
    import numpy as np

    return np.unique(np.linspace(0, n - 1, min(n, limit)).astype(np.int64))


def _line(row: Row, rows: list[Row], truth: LabelledReviews) -> dict[str, Any]:
    exact = next(other.labels for other in rows if other.name.startswith("torch"))
    line: dict[str, Any] = {
        "what": row.name,
        "reviews/s": f"{row.rate:.0f} ({min(row.rates):.0f}-{max(row.rates):.0f})",
        "whole command is": f"{rows[0].rate / row.rate:.2f} x",
        "inner loop is": f"{rows[1].rate / row.rate:.2f} x",
        "share of the matrix product": f"{row.share:.0%}" if row.share else "-",
        "labels as in fp32": "-",
        "macro-F1 to fp32": "-",
    }
    if row.labels is not None and exact is not None:
        agreed = agreement(row.labels, exact, truth)
        line["labels as in fp32"] = f"{agreed.same:.2%}"
        line["macro-F1 to fp32"] = f"{agreed.macro_f1:+.4f}"
    return line


def _markdown(table: list[dict[str, Any]]) -> str:
    names = list(table[0])
    lines = ["| " + " | ".join(names) + " |", "| " + " | ".join("---" for _ in names) + " |"]
    lines += ["| " + " | ".join(str(row[name]) for name in names) + " |" for row in table]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
