"""The summary: all numbers of one report, as the page shows them and `summary.json` holds them.

Every judged statistic is a `Check`; the report's status is the worst of its checks whose areas the
gate watches. Shares are of 1, not percent. Nothing here holds review text: names of drugs,
conditions and single words that many reviews share are the only texts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from drugmon.monitoring.checks.measures import Measure, Unit
from drugmon.monitoring.checks.rows import RowsPlace
from drugmon.statistics.figures import Interval, Quality

FORMAT_VERSION: Final = 2
"""Goes up with every change of the summary's form."""

AREAS: Final = ("freshness", "volume", "balance", "drift", "quality")
"""What a gate can watch, in the order of the page."""

ABOUT_VERDICTS: Final = ("balance", "drift", "quality")
"""The areas that judge verdicts; the others judge whether and on how much the night ran."""

HELD_OUT: Final = "held-out reviews"
"""What an adapter's own reference is made of."""


class Status(StrEnum):
    """What a check or a report came to, from best to worst.

    A check is `unclear` where its effect is large enough for a warning, but may be chance. A report
    is `baseline-taken` where its rows are what later ones compare with, and none came before.
    """

    UNJUDGED = "unjudged"
    BASELINE = "baseline-taken"
    PASS = "pass"
    UNCLEAR = "unclear"
    WARN = "warn"
    FAIL = "fail"

    @property
    def words(self) -> str:
        """How people read it."""
        return self.replace("-", " ")

    @property
    def tone(self) -> Status:
        """How it is coloured: what was not judged is grey, whatever the reason."""
        return Status.UNJUDGED if self is Status.BASELINE else self


@dataclass(frozen=True)
class Check:
    """One judged statistic.

    Attributes:
        area: one of `AREAS`.
        name: the check's id for programs and trends, such as `balance.overall` or `drift.drugs`.
        title: the same for people, such as "Overall: shares of the labels".
        status: `unjudged` where there are too few reviews, or nothing to compare with.
        says: one sentence for people, with the numbers: what was found, and how sure that is.
        statistic: the effect's name, such as "Jensen-Shannon distance"; None without one.
        about: which of several the effect is of, such as the label that changed most, or None.
        effect: the effect with its 95 % interval.
        measure: the effect's unit, where no change lies, and whether a fall counts like a rise.
        p_value: of the null hypothesis that nothing changed.
        p_adjusted: the same, corrected for all checks of the report (Benjamini-Hochberg).
        warn_at: the effect from which it warns.
        fail_at: the effect from which it fails, where it is significant as well.
    """

    area: str
    name: str
    title: str
    status: Status
    says: str
    statistic: str | None = None
    effect: Interval | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    warn_at: float | None = None
    fail_at: float | None = None
    about: str | None = None
    measure: Measure = field(default_factory=lambda: Measure(Unit.DISTANCE))

    def reached(self, value: float | None) -> float | None:
        """How far `value` is from no change to the limit of failing, which is at 1.

        Where the effect of a check that is two-sided is a fall, falls count upwards.
        """
        start = self.measure.no_change
        span = 0.0 if self.fail_at is None else self.fail_at - start
        effect = self.effect.value if self.effect else None
        if effect is not None and effect < start and self.measure.two_sided:
            span = -span
        return None if value is None or not span else (value - start) / span

    @property
    def badness(self) -> tuple[int, float]:
        """What sorts checks, the worst last: how they were judged, then how far they reached.

        One that fails without an effect, as where nothing was scored, is worse than all others.
        """
        at = self.reached(self.effect.value if self.effect else None)
        return list(Status).index(self.status), math.inf if at is None else at


@dataclass(frozen=True)
class LabelShare:
    """One label of a target (or `none`): counts, shares, and the change with its interval."""

    label: str
    reference_count: int | None
    current_count: int
    reference: Interval | None
    current: Interval
    change: Interval | None


@dataclass(frozen=True)
class ClassBalance:
    """One target's class balance; `shares` in the order negative, neutral, positive, none.

    `mean_confidence` is that of the current verdicts.
    """

    target: str
    shares: tuple[LabelShare, ...]
    psi: float | None
    jensen_shannon: float | None
    p_value: float | None
    mean_confidence: float | None = None


@dataclass(frozen=True)
class Distribution:
    """A histogram of both sides as shares of their rows, between `edges`, for a plot.

    `name` is a stable key such as `confidence.overall` or `length.benefits`.
    """

    name: str
    title: str
    edges: tuple[float, ...]
    reference: tuple[float, ...] | None
    current: tuple[float, ...]


@dataclass(frozen=True)
class Mover:
    """A word, drug or condition whose share of the reviews moved; `kind` says which it is."""

    kind: str
    name: str
    reference: Interval
    current: Interval
    change: Interval
    p_adjusted: float | None


@dataclass(frozen=True)
class Estimate:
    """Quality estimated from calibrated probabilities, without labels (CBPE)."""

    n: int
    accuracy: Interval
    macro_f1: Interval


@dataclass(frozen=True)
class TargetQuality:
    """One target's quality now: measured, where there are labels, and estimated without them.

    `baseline` is what the check compares with, measured or estimated as the figure now is; `whose`
    says where that is from: "reference" or "held out". `caution` is None, or a sentence on why the
    estimate is shaky on these reviews.
    """

    target: str
    measured: Quality | None
    estimate: Estimate | None
    baseline: Quality | Estimate | None
    caution: str | None
    whose: str = "held out"


@dataclass(frozen=True)
class Slice:
    """One value of a `--by` column: the share of negative verdicts of one target.

    `current` and `change` are as counted; `shrunk` is the share drawn towards that of all reviews,
    by which slices are ranked. `says`: "side effects of X turned negative: 12 % -> 31 % (n=85)".
    """

    column: str
    value: str
    target: str
    n: int
    reference_n: int | None
    current: Interval
    reference: Interval | None
    change: Interval | None
    shrunk: float
    p_adjusted: float | None
    status: Status
    says: str


@dataclass(frozen=True)
class Volume:
    """Rows of the window; the last four are None where the run's record is not known.

    `expected` is the range of earlier nights' rows, where there are enough of them.
    """

    rows: int
    empty: int
    scored: int | None = None
    reused: int | None = None
    seconds: float | None = None
    expected: Interval | None = None


@dataclass(frozen=True)
class Side:
    """What the reference or the current reviews are: a name for people, and how many rows.

    `adapter` is who judged them, where that was one. `since` and `until` are when they are from,
    `runs` the ids of the score runs that a reference is made of. `held_out` says that they are an
    adapter's own held-out reviews.
    """

    name: str
    n: int
    adapter: str | None
    since: datetime | None = None
    until: datetime | None = None
    runs: tuple[str, ...] = ()
    held_out: bool = False

    @property
    def told(self) -> str:
        """How many reviews of what: "466 held-out reviews of minilm-druglib"."""
        reviews = "review" if self.n == 1 else "reviews"
        of = "" if self.held_out else f"{reviews} of "
        return f"{self.n:,} {of}{self.name}"


@dataclass(frozen=True)
class Summary:
    """One report.

    Attributes:
        run_id: of this report; the page's folder is named after date and run.
        scored_runs: the score runs whose rows are judged, newest last; empty where not known.
        source: the source's name, and the table's, without the machine's path.
        left_out: sentences on what could not be compared, and why.
        watched: the areas whose checks decide `status`.
        alpha: the gate's: a check is significant where its `p_adjusted` is below.
        min_reviews: the gate's: below, on either side, nothing is judged.
        history_note: None, or why trends and expected volumes are missing.
        place: where the judged rows are found again; None where nothing tells.
    """

    run_id: str
    created_at: datetime
    source: str
    adapter: str
    status: Status
    watched: tuple[str, ...]
    alpha: float
    min_reviews: int
    current: Side
    reference: Side | None
    volume: Volume
    checks: tuple[Check, ...]
    balance: tuple[ClassBalance, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    movers: tuple[Mover, ...] = ()
    quality: tuple[TargetQuality, ...] = ()
    slices: tuple[Slice, ...] = ()
    slices_withheld: Mapping[str, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    scored_runs: tuple[str, ...] = ()
    history_note: str | None = None
    place: RowsPlace | None = None

    @property
    def concerns(self) -> tuple[Check, ...]:
        """The watched checks that fail or warn, the worst first."""
        off = (
            check
            for check in self.checks
            if check.area in self.watched and check.status in (Status.FAIL, Status.WARN)
        )
        return tuple(sorted(off, key=lambda check: check.badness, reverse=True))

    @property
    def reasons(self) -> tuple[str, ...]:
        """The sentences behind a `status` of `fail` or `warn`, worst first."""
        return tuple(check.says for check in self.concerns)

    def to_dict(self) -> dict[str, object]:
        """A form that JSON can hold: times as ISO 8601 in UTC, undefined figures as null."""
        plain = {name: _plain(value) for name, value in asdict(self).items()}
        return {"format_version": FORMAT_VERSION, **plain, "reasons": list(self.reasons)}


def worst(statuses: Sequence[Status]) -> Status:
    """The worst of `statuses`; `unjudged` where nothing was judged."""
    return max(statuses, key=list(Status).index, default=Status.UNJUDGED)


def verdict(checks: Sequence[Check], watched: Sequence[str], *, baseline: bool = False) -> Status:
    """The status of a report: that of its worst check in a watched area.

    Where verdicts are watched and none of them could be judged, a night that ran in time is no
    reason to say that it passes: it is `unjudged`. Nor is it where there was nothing to compare
    with, as these rows are the `baseline`.
    """
    statuses = {
        area: worst([check.status for check in checks if check.area == area]) for area in watched
    }
    status = worst(list(statuses.values()))
    if status is Status.UNCLEAR:
        status = Status.PASS
    if baseline and status in (Status.PASS, Status.UNJUDGED):
        return Status.BASELINE
    about_verdicts = [status for area, status in statuses.items() if area in ABOUT_VERDICTS]
    if status is Status.PASS and about_verdicts and worst(about_verdicts) is Status.UNJUDGED:
        return Status.UNJUDGED
    return status


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
