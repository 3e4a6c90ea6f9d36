"""Slices: the share of negative verdicts for every drug, condition, or value of another column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from drugmon.labels import LABELS
from drugmon.monitoring.checks.balance import title_of
from drugmon.monitoring.checks.findings import Finding, moved, percent
from drugmon.monitoring.checks.gate import Gate, Limits
from drugmon.monitoring.checks.summary import Slice, Status
from drugmon.monitoring.profiles.reference import Profile
from drugmon.statistics.correction import adjust
from drugmon.statistics.figures import Interval
from drugmon.statistics.shares import change, same_share, share

LEAST: Final = 20
"""Rows of a value below which it is withheld: its share would say nothing."""

TOLD: Final = 60
"""Slices that a report tells of, those with the most evidence."""

NEGATIVE: Final = LABELS[0]
_DEFAULT_WEIGHT: Final = 20.0


@dataclass(frozen=True)
class Sliced:
    """Slices by evidence; how many values of a column were withheld; the finding, where judged."""

    slices: tuple[Slice, ...]
    withheld: Mapping[str, int]
    finding: Finding | None


@dataclass(frozen=True)
class _Group:
    column: str
    value: str
    target: str
    n: int
    negative: int
    reference_n: int | None
    reference_negative: int | None


def slices(current: Profile, reference: Profile | None, gate: Gate) -> Sliced:
    """Compare every value of every column that the current profile groups by."""
    groups = list(_groups(current, reference))
    kept = [group for group in groups if group.n >= LEAST]
    withheld = {
        column: sum(_largest(rows) < LEAST for rows in values.values())
        for column, values in current.groups.items()
    }
    compared = [group for group in kept if (group.reference_n or 0) >= LEAST]
    p_values = same_share(
        [group.negative for group in compared],
        [group.n for group in compared],
        [group.reference_negative or 0 for group in compared],
        [group.reference_n or 0 for group in compared],
    )
    adjusted = adjust(p_values)
    by_group = dict(zip(compared, map(float, adjusted), strict=True))
    weight, base = _shrinkage(kept)
    made = [_slice(group, by_group.get(group), weight, base[group.target], gate) for group in kept]
    ranked = sorted(made, key=_evidence)
    return Sliced(tuple(ranked[:TOLD]), withheld, _finding(ranked, by_group, gate))


def _groups(current: Profile, reference: Profile | None) -> Iterator[_Group]:
    for column, values in current.groups.items():
        before = (reference.groups.get(column) if reference else None) or {}
        for value, targets in values.items():
            for target, counts in targets.items():
                n = sum(counts.values())
                counts_before = before.get(value, {}).get(target)
                if n:
                    yield _Group(
                        column,
                        value,
                        target,
                        n,
                        counts[NEGATIVE],
                        sum(counts_before.values()) if counts_before else None,
                        counts_before[NEGATIVE] if counts_before else None,
                    )


def _largest(targets: Mapping[str, Mapping[str, int]]) -> int:
    return max((sum(counts.values()) for counts in targets.values()), default=0)


def _shrinkage(groups: list[_Group]) -> tuple[float, dict[str, float]]:
    """How many rows of the whole stand beside a group's own, and each target's share of negative.

    The weight is that of a beta-binomial model by moments (J. C. Kleinman, "Proportions with
    extraneous variance", JASA 1973): large where groups hardly differ.
    """
    base: dict[str, float] = {}
    between, within = 0.0, 0.0
    for target in {group.target for group in groups}:
        of_target = [group for group in groups if group.target == target]
        n = np.array([group.n for group in of_target], dtype=np.float64)
        shares = np.array([group.negative for group in of_target]) / n
        base[target] = float((n * shares).sum() / n.sum())
        chance = base[target] * (1 - base[target])
        between += float(
            max(0.0, (n * (shares - base[target]) ** 2).sum() - len(of_target) * chance)
        )
        within += chance * float(n.sum())
    weight = within / between - 1 if between else 500.0
    return float(np.clip(weight, 5, 500)) if groups else _DEFAULT_WEIGHT, base


def _slice(
    group: _Group, p_adjusted: float | None, weight: float, base: float, gate: Gate
) -> Slice:
    comparable = group.reference_n is not None and group.reference_n >= LEAST
    then, m = group.reference_negative or 0, group.reference_n or 0
    difference = change(group.negative, group.n, then, m) if comparable else None
    shrunk = (group.negative + weight * base) / (group.n + weight)
    status = Status.UNJUDGED
    if p_adjusted is not None and difference is not None and difference.value is not None:
        status = gate.status(gate.slices, abs(difference.value), p_adjusted)
    return Slice(
        column=group.column,
        value=group.value,
        target=group.target,
        n=group.n,
        reference_n=group.reference_n,
        current=share(group.negative, group.n),
        reference=share(then, m) if comparable else None,
        change=difference,
        shrunk=float(shrunk),
        p_adjusted=p_adjusted,
        status=status,
        says=_says(group, difference, sure=p_adjusted is not None and p_adjusted < gate.alpha),
    )


def _says(group: _Group, difference: Interval | None, *, sure: bool) -> str:
    now = group.negative / group.n
    about = f"{title_of(group.target).lower()} of {group.value}"
    if group.target == "overall":
        about = f"{group.value} overall"
    if difference is None or not group.reference_n:
        return f"{about}: {percent(now)} negative (n = {group.n:,})"
    both = moved((group.reference_negative or 0) / group.reference_n, now, difference)
    if not sure:
        return f"{about}: negative {both} (n = {group.n:,})"
    turned = "turned negative" if (difference.value or 0) > 0 else "turned less negative"
    return f"{about} {turned}: {both} (n = {group.n:,})"


def _evidence(item: Slice) -> tuple[float, float, str]:
    """Least p-value first; then the most negative after shrinking."""
    return (1.0 if item.p_adjusted is None else item.p_adjusted, -item.shrunk, item.value)


def _finding(ranked: list[Slice], by_group: Mapping[_Group, float], gate: Gate) -> Finding | None:
    if not by_group:
        return None
    sure = [
        group
        for group in ranked
        if (group.p_adjusted or 0) < gate.alpha and group.p_adjusted is not None
    ]
    limits: Limits = gate.slices
    statistic = "largest significant change of a negative share"
    if not sure:
        says = f"None of {len(by_group):,} slices turned more or less negative beyond chance."
        effect, about = Interval(0.0, 0.0, 0.0), None
    else:
        most = max(sure, key=lambda group: abs((group.change and group.change.value) or 0))
        count = f"{len(sure):,} of {len(by_group):,} slices changed"
        says = f"{most.says[:1].upper()}{most.says[1:]}; {count}."
        effect, about = most.change or Interval(0.0, 0.0, 0.0), most.value
    p_value = min(by_group.values())
    title = "Slices: share negative"
    return Finding("balance.slices", title, says, statistic, effect, p_value, limits, about=about)
