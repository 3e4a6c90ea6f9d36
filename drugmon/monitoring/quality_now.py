"""Quality now: measured where there are true labels, estimated where there are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from scipy import stats

from drugmon.labels import TARGETS
from drugmon.monitoring.balance import title_of
from drugmon.monitoring.estimate import estimate_quality
from drugmon.monitoring.figures import Interval, Quality
from drugmon.monitoring.findings import Finding, likely, too_few
from drugmon.monitoring.gate import Gate, Limits
from drugmon.monitoring.reference import Profile
from drugmon.monitoring.summary import TargetQuality


def qualities(
    current: Profile, reference: Profile | None, held_out: Mapping[str, Quality]
) -> tuple[TargetQuality, ...]:
    """Every target's quality; `held_out` are the adapter's figures.

    The estimate is corrected by the labels of the reference, where it has both.
    """
    found = []
    for target in TARGETS:
        then = reference.targets[target] if reference else None
        known = reference.quality.get(target) if reference else None
        measured = current.quality.get(target)
        estimate = estimate_quality(current.targets[target], reference=then, measured=known)
        if measured is not None or estimate is not None:
            found.append(
                TargetQuality(
                    target, measured, estimate, held_out.get(target) or known, caution=None
                )
            )
    return tuple(found)


def quality_findings(
    found: tuple[TargetQuality, ...],
    current: Profile,
    reference: Profile | None,
    gate: Gate,
) -> Iterator[Finding]:
    """One finding a target: its macro-F1 as measured against the held-out one.

    Where too few have a label, it is the estimate, against the estimate that the reference's own
    probabilities give: what the method gets wrong, it gets wrong on both sides.
    """
    for each in found:
        name, title = f"quality.{each.target}", f"{title_of(each.target)}: macro-F1"
        known = (reference.quality.get(each.target) if reference else None) or each.held_out
        if each.measured is not None and each.measured.n >= gate.min_reviews:
            if known is not None and known.n >= gate.min_reviews:
                yield _drop(
                    name,
                    title,
                    each.measured.macro_f1,
                    known.macro_f1,
                    "measured",
                    each.measured.n,
                    gate.quality,
                )
        elif each.estimate is not None and reference is not None:
            yield from _estimated(name, title, each, current, reference, gate)


def _estimated(
    name: str,
    title: str,
    each: TargetQuality,
    current: Profile,
    reference: Profile,
    gate: Gate,
) -> Iterator[Finding]:
    then, known = reference.targets[each.target], reference.quality.get(each.target)
    before = estimate_quality(then, reference=then, measured=known)
    estimate = estimate_quality(current.targets[each.target], reference=then, measured=known)
    if before is None or estimate is None:
        return
    if min(before.n, estimate.n) < gate.min_reviews:
        yield too_few(name, title, min(before.n, estimate.n), gate.min_reviews, "at least")
        return
    yield _drop(
        name, title, estimate.macro_f1, before.macro_f1, "estimated", estimate.n, gate.estimate
    )


def with_caution(
    found: tuple[TargetQuality, ...], caution: str | None
) -> tuple[TargetQuality, ...]:
    """The same, with a sentence on why the estimates are shaky."""
    return tuple(
        TargetQuality(
            each.target,
            each.measured,
            each.estimate,
            each.held_out,
            caution if each.estimate else None,
        )
        for each in found
    )


def _drop(
    name: str, title: str, now: Interval, then: Interval, how: str, n: int, limits: Limits
) -> Finding:
    """Finding on a figure that fell: one-sided, as a better figure is no fault."""
    if now.value is None or then.value is None:
        return Finding(name, title, "The macro-F1 is undefined on these reviews.")
    error = float(np.hypot(_error(now), _error(then)))
    drop = then.value - now.value
    p_value = float(stats.norm.sf(drop / error)) if error else 1.0
    return Finding(
        name,
        title,
        f"Macro-F1 {how} as {now.value:.3f} on {n:,} reviews, {then.value:.3f} before, "
        f"{likely(p_value)}.",
        f"drop of macro-F1 ({how})",
        Interval(drop, drop - 1.96 * error, drop + 1.96 * error),
        p_value if drop > 0 else 1.0,
        limits,
    )


def _error(figure: Interval) -> float:
    """The standard error behind a 95 % interval."""
    if figure.low is None or figure.high is None:
        return 0.0
    return (figure.high - figure.low) / (2 * 1.96)
