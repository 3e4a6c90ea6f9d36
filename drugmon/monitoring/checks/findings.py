"""Findings: what a comparison found before all of them are weighed together, and the weighing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from drugmon.monitoring.checks.gate import Gate, Limits
from drugmon.monitoring.checks.measures import measure_of
from drugmon.monitoring.checks.summary import Check, Status
from drugmon.statistics.correction import adjust
from drugmon.statistics.figures import Interval

_DIGITS: Final = (1, 2, 3)
"""Of shares in percent, and of their change in points."""


@dataclass(frozen=True)
class Finding:
    """One statistic with its test, not yet judged.

    `name` begins with the area. `limits` and `p_value` are None for what cannot be judged; `says`
    tells why then. To that of a test, weighing adds the corrected p-value. `about` is which of
    several the effect is of, such as a label. `status` is that of a check which needs no test, such
    as the age of verdicts.
    """

    name: str
    title: str
    says: str
    statistic: str | None = None
    effect: Interval | None = None
    p_value: float | None = None
    limits: Limits | None = None
    status: Status | None = None
    about: str | None = None

    @property
    def area(self) -> str:
        """What the gate watches."""
        return self.name.partition(".")[0]


def weigh(findings: Sequence[Finding], gate: Gate) -> tuple[Check, ...]:
    """Judge the findings together: p-values are corrected for all tests of the report."""
    tested = {finding.name: finding.p_value for finding in findings if finding.p_value is not None}
    adjusted = dict(zip(tested, map(float, adjust(list(tested.values()))), strict=True))
    return tuple(_check(finding, adjusted.get(finding.name), gate) for finding in findings)


def _check(finding: Finding, p_adjusted: float | None, gate: Gate) -> Check:
    status, limits, effect = finding.status or Status.UNJUDGED, finding.limits, finding.effect
    measure = measure_of(finding.name)
    if finding.status is None and limits and effect and p_adjusted is not None:
        status = gate.status(limits, measure.size(effect.value), p_adjusted)
    return Check(
        area=finding.area,
        name=finding.name,
        title=finding.title,
        status=status,
        says=_with_p(finding.says, p_adjusted, status),
        statistic=finding.statistic,
        effect=effect,
        p_value=finding.p_value,
        p_adjusted=p_adjusted,
        warn_at=limits.warn if limits else None,
        fail_at=limits.fail if limits else None,
        about=finding.about,
        measure=measure,
    )


def too_few(name: str, title: str, n: int, least: int, which: str) -> Finding:
    """What cannot be judged for lack of reviews.

    Args:
        name: of the check.
        title: of the check, for people.
        n: so many reviews there are.
        least: so many are needed.
        which: of which side, for the sentence.
    """
    return Finding(name, title, f"Too few reviews to judge: {n:,} {which}, {least:,} are needed.")


def percent(share: float | None, digits: int = 1) -> str:
    """A share for people: `12.3 %`."""
    return "-" if share is None else f"{100 * share:.{digits}f} %"


def moved(before: float, after: float, change: Interval | None = None) -> str:
    """Two shares and their change for people: `12.1 % → 24.3 %: +12.2 points (+5.0 to +19.4)`.

    There are as many digits as it takes for what is read to add up: the change stands beside the
    sentence too, as the check's effect, and must not be another one here.
    """
    digits = next(
        (digits for digits in _DIGITS if _adds_up(100 * before, 100 * after, digits)), _DIGITS[-1]
    )
    difference = round(100 * after, digits) - round(100 * before, digits)
    shown = f"{percent(before, digits)} → {percent(after, digits)}"
    return f"{shown}: {_signed(difference, digits)} points{_span(change)}"


def _adds_up(before: float, after: float, digits: int) -> bool:
    shown = round(after, digits) - round(before, digits)
    return round(shown, digits) == round(after - before, digits)


def _span(change: Interval | None) -> str:
    if change is None or change.low is None or change.high is None:
        return ""
    return f" ({_signed(100 * change.low)} to {_signed(100 * change.high)})"


def _signed(number: float, digits: int = 1) -> str:
    return f"{number:+.{digits}f}" if round(number, digits) else "0"


def _with_p(says: str, p_adjusted: float | None, status: Status) -> str:
    """The sentence with the p-value that judges, and with a word where that leaves it open."""
    if p_adjusted is None:
        return says
    p = "p < 0.001" if p_adjusted < 0.001 else f"p = {p_adjusted:.3f}"
    open_ = ": large, but may be chance" if status is Status.UNCLEAR else ""
    return f"{says.removesuffix('.')}, {p}{open_}."
