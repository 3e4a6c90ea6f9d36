"""Class balance: the shares of the labels on both sides, and whether they changed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from drugmon.labels import LABELS
from drugmon.monitoring.distances import jensen_shannon, psi
from drugmon.monitoring.figures import Interval
from drugmon.monitoring.findings import Finding, likely, percent, points, too_few
from drugmon.monitoring.gate import Gate
from drugmon.monitoring.permutation import mix_test
from drugmon.monitoring.reference import NONE, Profile, TargetProfile
from drugmon.monitoring.shares import change, share
from drugmon.monitoring.summary import Balance, LabelShare

KEYS = (*LABELS, NONE)


def balances(
    current: Profile, reference: Profile | None, random: np.random.Generator
) -> tuple[Balance, ...]:
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
    current: Profile, reference: Profile, found: tuple[Balance, ...], gate: Gate
) -> Iterator[Finding]:
    """One finding a target: the largest change of a label's share of the verdicts."""
    for balance in found:
        now, then = current.targets[balance.target], reference.targets[balance.target]
        name, title = f"balance.{balance.target}", f"{title_of(balance.target)}: labels"
        if short := _short(name, title, now, then, gate):
            yield short
            continue
        label, moved = max(_changes(now, then), key=lambda entry: abs(entry[1].value or 0))
        before, after = (side.counts[label] / side.judged for side in (then, now))
        says = (
            f"{label} {percent(before)} → {percent(after)}: {points(moved)}, "
            f"n = {now.judged:,}, {likely(balance.p_value or 0)}"
        )
        yield Finding(
            name,
            title,
            f"{title_of(balance.target)}: {says}.",
            f"largest change of a label's share ({label})",
            moved,
            balance.p_value,
            gate.balance,
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
        moved = change(now.counts[label], now.judged, then.counts[label], then.judged)
        if moved is not None:
            yield label, moved


def _balance(
    target: str, now: TargetProfile, then: TargetProfile | None, random: np.random.Generator
) -> Balance:
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
    own, other = (
        np.array([side.counts[label] for label in LABELS] if side else [0, 0, 0], np.int64)
        for side in (now, then)
    )
    known = bool(own.sum() and other.sum())
    return Balance(
        target=target,
        shares=shares,
        psi=psi(own, other),
        jensen_shannon=jensen_shannon(own, other),
        p_value=mix_test(own, other, random) if known else None,
        mean_confidence=now.mean_confidence,
    )


def _rows(side: TargetProfile) -> int:
    return sum(side.counts.values())
