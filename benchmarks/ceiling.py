"""The ceiling: how fast this machine multiplies matrices, and how much of that a pass needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from drugmon.models.device import Compute


def seconds(work: Callable[[], object], compute: Compute) -> float:
    """Wall time of `work`, waiting for the device."""
    began = time.perf_counter()
    work()
    if compute.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def matrix_product_rate(compute: Compute, size: int = 2048, runs: int = 7) -> float:
    """Best operations a second of a square matrix product in the engine's format."""
    a = torch.randn(size, size).to(compute.device, compute.dtype)
    if compute.int8:
        a = (a * 30).to(torch.int8)
    product = torch._int_mm if compute.int8 else torch.mm
    return 2 * size**3 / min(seconds(lambda: product(a, a), compute) for _ in range(runs))


def operations(tokens: Sequence[int], config: Mapping[str, Any]) -> float:
    """Floating-point operations of one pass of BERT: dense layers, and attention in each review.

    Args:
        tokens: the length of each review.
        config: BERT's `config.json`.
    """
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    dense = 2 * (4 * hidden**2 + 2 * hidden * inner)
    return float(config["num_hidden_layers"] * sum(n * dense + 4 * n * n * hidden for n in tokens))
