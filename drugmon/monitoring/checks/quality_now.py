"""Quality now: measured where there are true labels, estimated where there are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from drugmon.labels import LABELS
from drugmon.monitoring.checks.balance import title_of
from drugmon.monitoring.checks.estimate import estimate_quality, sampling_error
from drugmon.monitoring.checks.findings import Finding, too_few
from drugmon.monitoring.checks.gate import Gate, Limits
from drugmon.monitoring.checks.summary import Estimate, TargetQuality
from drugmon.monitoring.profiles.reference import Profile
from drugmon.statistics.figures import Interval, Quality
from drugmon.statistics.permutation import Integers, draw
from drugmon.statistics.permutation import p_value as p_value_of
from drugmon.statistics.rates import rates

Floats = NDArray[np.float64]

LEAST: Final = 100
"""Reviews below which a macro-F1 is not judged: its rarest label would be a handful of them."""

_WHOSE: Final = {"reference": "in the reference", "held out": "on held-out reviews"}

LEAST_OF_LABEL: Final = 8
"""True reviews of every label, likewise."""


def qualities(
    current: Profile, reference: Profile | None, held_out: Mapping[str, Quality]
) -> tuple[TargetQuality, ...]:
    """Every target's quality; `held_out` are the adapter's figures.

    The estimate is corrected by the labels of the reference, where it has both.
    """
    qualities = []
    for target in current.targets:
        then = reference.targets[target] if reference else None
        measured_before = reference.quality.get(target) if reference else None
        measured = current.quality.get(target)
        estimate = estimate_quality(
            current.targets[target], reference=then, measured=measured_before
        )
        if measured is None and estimate is None:
            continue
        baseline: Quality | Estimate | None = measured_before or held_out.get(target)
        whose = "reference" if measured_before else "held out"
        if measured is None and then is not None:
            # Estimates compare with estimates: what the method gets wrong, it gets wrong on both.
            baseline, whose = (
                estimate_quality(then, reference=then, measured=measured_before),
                "reference",
            )
        qualities.append(TargetQuality(target, measured, estimate, baseline, None, whose))
    return tuple(qualities)


def quality_findings(
    qualities: tuple[TargetQuality, ...],
    current: Profile,
    reference: Profile | None,
    gate: Gate,
) -> Iterator[Finding]:
    """One finding a target: its macro-F1 as measured against the held-out one.

    Where none have a label, it is the estimate, against the estimate that the reference's own
    probabilities give: what the method gets wrong, it gets wrong on both sides.

    Args:
        found: measured or estimated quality, by target.
        current: the window.
        reference: what it is compared with; None without.
        gate: the thresholds.
    """
    for quality in qualities:
        name, title = f"quality.{quality.target}", f"{title_of(quality.target)}: drop of macro-F1"
        if quality.measured is not None and isinstance(quality.baseline, Quality):
            whose = _WHOSE[quality.whose]
            yield _measured(name, title, quality.measured, quality.baseline, whose, gate)
        elif quality.measured is None and quality.estimate is not None and reference is not None:
            yield from _estimated(name, title, quality.target, current, reference, gate)


def _measured(
    name: str, title: str, now: Quality, then: Quality, whose: str, gate: Gate
) -> Finding:
    least = max(LEAST, gate.min_reviews)
    sides = ((now, "with a true label", ""), (then, f"measured {whose}", f" {whose}"))
    for side, which, where in sides:
        if side.n < least:
            return too_few(name, title, side.n, least, which)
        rarest = min(side.classes, key=lambda of_class: of_class.support)
        if rarest.support < LEAST_OF_LABEL:
            few = f"that are truly {rarest.label}{where}"
            return too_few(name, title, rarest.support, LEAST_OF_LABEL, few)
    error = float(np.hypot(_error(now.macro_f1), _error(then.macro_f1)))
    p_value = _worse(np.array(now.confusion), np.array(then.confusion))
    figures = now.macro_f1, then.macro_f1
    return _drop(name, title, *figures, whose, error, p_value, "measured", now.n, gate.quality)


def _worse(now: Integers, then: Integers) -> float:
    """P-value that the macro-F1 of confusion matrix `now` is below that of `then` by chance.

    By permutation of the rows: a macro-F1 that hangs on a handful of rare labels is not normal.
    """
    counts_now, counts_then = now.ravel(), then.ravel()
    drawn = draw(counts_now, counts_then, np.random.default_rng(0))
    drops = _macro_f1(counts_now + counts_then - drawn) - _macro_f1(drawn)
    drop = float((_macro_f1(counts_then[None]) - _macro_f1(counts_now[None]))[0])
    return p_value_of(drop, drops[~np.isnan(drops)])


def _macro_f1(counts: Integers) -> Floats:
    size = len(LABELS)
    return rates(counts.reshape(-1, size, size).astype(np.float64)).macro_f1


def _estimated(
    name: str,
    title: str,
    target: str,
    current: Profile,
    reference: Profile,
    gate: Gate,
) -> Iterator[Finding]:
    now, then = current.targets[target], reference.targets[target]
    measured = reference.quality.get(target)
    before, estimate = (
        estimate_quality(side, reference=then, measured=measured) for side in (then, now)
    )
    if before is None or estimate is None:
        return
    least = max(LEAST, gate.min_reviews)
    if min(before.n, estimate.n) < least:
        yield too_few(name, title, min(before.n, estimate.n), least, "with a verdict")
        return
    error = float(
        np.hypot(sampling_error(then, then, measured), sampling_error(now, then, measured))
    )
    drop = (before.macro_f1.value or 0) - (estimate.macro_f1.value or 0)
    p_value = float(stats.norm.sf(drop / error)) if error else 1.0
    yield _drop(
        name,
        title,
        estimate.macro_f1,
        before.macro_f1,
        "in the reference",
        error,
        p_value,
        "estimated",
        estimate.n,
        gate.estimate,
    )


def with_caution(
    qualities: tuple[TargetQuality, ...], caution: str | None
) -> tuple[TargetQuality, ...]:
    """The same, with a sentence on why the estimates are shaky."""
    return tuple(
        replace(quality, caution=caution if quality.estimate else None) for quality in qualities
    )


def _drop(
    name: str,
    title: str,
    now: Interval,
    then: Interval,
    whose: str,
    error: float,
    p_value: float,
    how: str,
    n: int,
    limits: Limits,
) -> Finding:
    """Finding on a figure that fell: one-sided, as a better figure is no fault."""
    if now.value is None or then.value is None:
        return Finding(name, title, "The macro-F1 is undefined on these reviews.")
    drop = then.value - now.value
    return Finding(
        name,
        title,
        f"Macro-F1 {how} as {now.value:.3f} on {n:,} reviews, {then.value:.3f} {whose}.",
        f"drop of macro-F1 ({how})",
        Interval(drop, drop - 1.96 * error, drop + 1.96 * error),
        p_value,
        limits,
    )


def _error(figure: Interval) -> float:
    """The standard error behind a 95 % interval."""
    if figure.low is None or figure.high is None:
        return 0.0
    return (figure.high - figure.low) / (2 * 1.96)
