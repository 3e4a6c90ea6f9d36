"""How fast the engine scores, and what share of the machine's matrix-product rate that is.

    python -m benchmarks.scoring reviews.tsv --runs 5

Everything is measured in one process, the matrix product before and after the scoring, because
shared machines change their speed while one looks.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from drugmon.config import DEFAULT_ADAPTER, EngineConfig
from drugmon.models.adapter import open_adapter
from drugmon.models.classifier import make_classifier
from drugmon.models.device import Compute
from drugmon.scoring.engine import Engine
from drugmon.training.dataset import read_labelled


def seconds(work: Callable[[], object], compute: Compute) -> float:
    """Wall time of `work`, waiting for the device."""
    began = time.perf_counter()
    work()
    if compute.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def matrix_product_rate(compute: Compute, size: int = 2048, runs: int = 7) -> float:
    """Best floating-point operations a second of a square matrix product in the engine's format."""
    a = torch.randn(size, size).to(compute.device, compute.dtype)
    return 2 * size**3 / min(seconds(lambda: a @ a, compute) for _ in range(runs))


def operations(tokens: list[int], hidden: int, inner: int, layers: int) -> float:
    """Floating-point operations of one encoder pass: dense layers, and attention in each review."""
    dense = 2 * (4 * hidden**2 + 2 * hidden * inner)
    return float(sum(layers * (n * dense + 4 * n * n * hidden) for n in tokens))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="labelled reviews")
    parser.add_argument("--adapter", default=DEFAULT_ADAPTER)
    parser.add_argument("--limit", type=int, default=1000, help="reviews to score in a run")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    options = parser.parse_args()

    adapter = open_adapter(options.adapter)
    reviews = read_labelled(options.source, adapter.manifest.recipe["labels"]).texts
    reviews = reviews[: options.limit]
    engine = Engine(adapter, EngineConfig(options.device, options.dtype), print)
    config = adapter.base().config
    classifier = make_classifier(adapter.base(), adapter.manifest.max_length)
    lengths = classifier.prepare(reviews).lengths
    work = operations(
        lengths, config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    )
    rates, shares, ceilings = [], [], []
    engine.score(reviews[:64])
    for _ in range(options.runs):
        before = matrix_product_rate(engine.compute)
        taken = seconds(lambda: engine.score(reviews), engine.compute)
        ceiling = (before + matrix_product_rate(engine.compute)) / 2
        rates.append(len(reviews) / taken)
        ceilings.append(ceiling)
        shares.append(work / taken / ceiling)
    print(
        f"{len(reviews)} reviews, {sum(lengths) / len(reviews):.0f} tokens each, {engine.compute}"
    )
    for name, values, unit in (
        ("matrix product", [rate / 1e12 for rate in ceilings], "TFLOP/s"),
        ("four verdicts", rates, "reviews/s"),
        ("share of the matrix product", shares, ""),
    ):
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name:28} {middle:8.2f} {unit}  ({low:.2f}-{high:.2f}, {len(values)} runs)")


if __name__ == "__main__":
    main()
