"""Class balance: the shares of the labels on both sides, and whether they changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from drugmon.grading import RatingScale
from drugmon.labels import LABELS
from drugmon.monitoring.checks.findings import Finding, moved, too_few
from drugmon.monitoring.checks.gate import Gate
from drugmon.monitoring.checks.summary import ClassBalance, LabelShare
from drugmon.monitoring.profiles.reference import NONE, OTHER, Profile, TargetProfile
from drugmon.statistics.distances import jensen_shannon, psi
from drugmon.statistics.figures import Interval
from drugmon.statistics.permutation import Integers, mix_test
from drugmon.statistics.shares import change, share

KEYS = (*LABELS, NONE)


def balances(
    current: Profile, reference: Profile | None, random: np.random.Generator
) -> tuple[ClassBalance, ...]:
    """The balance of every target that has a verdict on either side.

    Shares are of all rows, and `none` is one of the labels; the test, the index and the distance
    leave `none` out, as what is empty is an input and not a verdict.
    """
    return tuple(
        _balance(target, now, reference.targets[target] if reference else None, random)
        for target, now in current.targets.items()
        if now.judged or (reference and reference.targets[target].judged) or not current.n
    )


def balance_findings(
    current: Profile, reference: Profile, balances: tuple[ClassBalance, ...], gate: Gate
) -> Iterator[Finding]:
    """One finding a target: the largest change of a label's share of the verdicts.

    Args:
        current: the window.
        reference: what it is compared with.
        found: the class balance of both, by target.
        gate: the thresholds.
    """
    for balance in balances:
        now, then = current.targets[balance.target], reference.targets[balance.target]
        name, title = f"balance.{balance.target}", f"{title_of(balance.target)}: labels"
        if short := _short(name, title, now, then, gate):
            yield short
            continue
        label, largest = max(_changes(now, then), key=lambda entry: abs(entry[1].value or 0))
        before, after = (side.counts[label] / side.judged for side in (then, now))
        yield Finding(
            name,
            title,
            f"{title_of(balance.target)}: {label} {moved(before, after, largest)}, "
            f"n = {now.judged:,}.",
            f"largest change of a label's share ({label})",
            largest,
            balance.p_value,
            gate.balance,
            about=label,
        )


def rating_findings(
    current: Profile, reference: Profile, gate: Gate, random: np.random.Generator
) -> Iterator[Finding]:
    """One finding: the reviewers' own ratings, by the label that each stands for.

    Args:
        current: the window.
        reference: what it is compared with.
        gate: the thresholds.
        random: draws the permutations.
    """
    if current.ratings is None or reference.ratings is None:
        return
    name, title = "drift.ratings", "Ratings"
    now, then = (_by_label(side.ratings or {}) for side in (current, reference))
    n, m = int(now.sum()), int(then.sum())
    if not n:
        return
    if min(n, m) < gate.min_reviews:
        yield too_few(name, title, min(n, m), gate.min_reviews, "with a rating")
        return
    most = int(np.abs(now / n - then / m).argmax())
    largest = change(int(now[most]), n, int(then[most]), m)
    p_value = mix_test(now, then, random)
    if largest is not None:
        yield Finding(
            name,
            title,
            f"Ratings: {LABELS[most]} ones {moved(then[most] / m, now[most] / n, largest)}, "
            f"n = {n:,}.",
            f"largest change of a share of ratings ({LABELS[most]})",
            largest,
            p_value,
            gate.balance,
            about=LABELS[most],
        )


def _by_label(ratings: Mapping[str, int]) -> Integers:
    ratings = {level: n for level, n in ratings.items() if level not in (OTHER, NONE)}
    numbers = list(map(int, ratings))
    levels = RatingScale(min(numbers), max(numbers)).labels()
    return np.array(
        [sum(n for level, n in ratings.items() if levels.get(level) == label) for label in LABELS],
        dtype=np.int64,
    )


def title_of(target: str) -> str:
    """What people call a target."""
    return target.replace("_", " ").capitalize()


def _short(
    name: str, title: str, now: TargetProfile, then: TargetProfile, gate: Gate
) -> Finding | None:
    if now.judged < gate.min_reviews:
        return too_few(name, title, now.judged, gate.min_reviews, "with a verdict")
    if then.judged < gate.min_reviews:
        return too_few(name, title, then.judged, gate.min_reviews, "in the reference")
    return None


def _changes(now: TargetProfile, then: TargetProfile) -> Iterator[tuple[str, Interval]]:
    for label in LABELS:
        difference = change(now.counts[label], now.judged, then.counts[label], then.judged)
        if difference is not None:
            yield label, difference


def _balance(
    target: str, now: TargetProfile, then: TargetProfile | None, random: np.random.Generator
) -> ClassBalance:
    n, m = _rows(now), _rows(then) if then else 0
    shares = tuple(
        LabelShare(
            label=key,
            reference_count=then.counts[key] if then else None,
            current_count=now.counts[key],
            reference=share(then.counts[key], m) if then and m else None,
            current=share(now.counts[key], n),
            change=change(now.counts[key], n, then.counts[key], m) if then else None,
        )
        for key in KEYS
    )
    counts_now, counts_then = (
        np.array([side.counts[label] for label in LABELS] if side else [0, 0, 0], np.int64)
        for side in (now, then)
    )
    both_judged = bool(counts_now.sum() and counts_then.sum())
    return ClassBalance(
        target=target,
        shares=shares,
        psi=psi(counts_now, counts_then),
        jensen_shannon=jensen_shannon(counts_now, counts_then),
        p_value=mix_test(counts_now, counts_then, random) if both_judged else None,
        mean_confidence=now.mean_confidence,
    )


def _rows(side: TargetProfile) -> int:
    return sum(side.counts.values())
