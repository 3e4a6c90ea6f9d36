"""Invented figures of a summary, from counts and names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from drugmon.monitoring.checks.summary import (
    ClassBalance,
    Distribution,
    LabelShare,
    Mover,
    Slice,
    Status,
)
from drugmon.statistics.figures import Interval
from drugmon.statistics.quality import Quality, measure


def share(count: int, n: int) -> Interval:
    """A share with its Wilson interval."""
    if not n:
        return Interval(None, None, None)
    p, z = count / n, 1.96
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(p, max(0.0, centre - half), min(1.0, centre + half))


def change(count: int, n: int, reference_count: int, reference_n: int) -> Interval | None:
    """The difference of two shares with its interval."""
    if not n:
        return None
    p, q = count / n, reference_count / reference_n
    half = 1.96 * math.sqrt(p * (1 - p) / n + q * (1 - q) / reference_n) + 1 / (2 * n)
    return Interval(p - q, p - q - half, p - q + half)


def balance(target: str, counts: Sequence[int], reference: Sequence[int] | None) -> ClassBalance:
    """The balance of `counts` of negative, neutral, positive and none."""
    n, m = sum(counts), sum(reference or ())
    shares = tuple(
        LabelShare(
            label,
            None if reference is None else reference[i],
            counts[i],
            None if reference is None else share(reference[i], m),
            share(counts[i], n),
            None if reference is None else change(counts[i], n, reference[i], m),
        )
        for i, label in enumerate(("negative", "neutral", "positive", "none"))
    )
    known = reference is not None and n > 0
    return ClassBalance(target, shares, 0.021 if known else None, 0.083 if known else None, 0.2)


def histogram(
    name: str, title: str, peak: float, shift: float, has_reference: bool
) -> Distribution:
    """A bell over the edges that the kind of `name` has."""
    lengths = name.startswith("length")
    edges = (
        tuple(float(round(2 ** (step / 2))) for step in range(2, 33))
        if lengths
        else tuple(round(step / 20, 2) for step in range(21))
    )
    middle = np.arange(len(edges) - 1) / (len(edges) - 1)

    def bell(centre: float) -> tuple[float, ...]:
        heights = np.exp(-((middle - centre) ** 2) / 0.025)
        return tuple(float(height) for height in heights / heights.sum())

    return Distribution(
        name, title, edges, bell(peak) if has_reference else None, bell(peak + shift)
    )


def quality(n: int, skill: float = 3.0, seed: int = 0) -> Quality:
    """Calibrated quality of `n` invented rows."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet((0.8 / skill, 0.5 / skill, 2.2 / skill), size=n)
    labels = (probabilities.cumsum(axis=1) < random.random((n, 1))).sum(axis=1).clip(0, 2)
    return measure(labels, probabilities.argmax(axis=1), probabilities, resamples=50, seed=seed)


def movers(names: Mapping[str, Sequence[tuple[str, int, int]]], n: int) -> tuple[Mover, ...]:
    """Movers from (name, current count, reference count per 3,107)."""
    return tuple(
        Mover(
            kind,
            name,
            share(before, 3107),
            share(now, n),
            change(now, n, before, 3107) or Interval(None, None, None),
            0.001 * (1 + index),
        )
        for kind, entries in names.items()
        for index, (name, now, before) in enumerate(entries)
    )


def slice_of(
    column: str,
    value: str,
    target: str,
    now: tuple[int, int],
    before: tuple[int, int] | None,
    status: Status,
) -> Slice:
    """One slice from (negative, all) now and before."""
    current = share(*now)
    subject, latest = f"{target.replace('_', ' ')} of {value}", f"{now[0] / now[1]:.0%}"
    says = f"{subject}: {latest} negative (n={now[1]})"
    if before:
        arrow = "\N{RIGHTWARDS ARROW}"
        says = (
            f"{subject} turned negative: {before[0] / before[1]:.0%} {arrow} {latest} (n={now[1]})"
        )
    return Slice(
        column,
        value,
        target,
        now[1],
        before[1] if before else None,
        current,
        share(*before) if before else None,
        change(*now, *before) if before else None,
        (now[0] + 5) / (now[1] + 25),
        0.0004 if status is Status.FAIL else 0.3,
        status,
        says.replace("%", "\N{NO-BREAK SPACE}%"),
    )
