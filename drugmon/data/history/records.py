"""What the history holds: the record of a score run, and the record of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta

from drugmon.data.history.output import Output

STATUSES: Final = ("unjudged", "baseline-taken", "pass", "unclear", "warn", "fail")
StatusName = Annotated[str, Meta(pattern=f"^({'|'.join(STATUSES)})$")]
"""What a check or a report came to; a file or a table that holds another word was changed."""


@dataclass(frozen=True)
class TargetVerdicts:
    """How many verdicts of one target have each label; the mean is None where there is none."""

    target: str
    negative: int
    neutral: int
    positive: int
    none: int
    mean_confidence: float | None


@dataclass(frozen=True)
class RunTarget(TargetVerdicts):
    """The verdicts that a run gave for one target; means are None where there is none."""

    mean_p_negative: float | None
    mean_p_neutral: float | None
    mean_p_positive: float | None


@dataclass(frozen=True)
class RunRecord:
    """What one score run did for one of its outputs.

    Attributes:
        run_id: of the run; the same for all of its outputs.
        command: what ran: `score`.
        started_at: when; where the run went on with one that was cut off, when that had begun.
        finished_at: when its verdicts were all there. Both times have a time zone.
        source: what was read, as messages call it.
        output: what was written.
        adapter: `name@digest` of what scored.
        total: the reviews seen: the sum of the next three.
        scored: those that got their verdict since `started_at`.
        reused: those whose verdict is of an earlier run.
        empty: those without any text.
        seconds: the wall time of the run itself.
        drugmon_version: what ran.
        targets: what was scored, by target; empty where nothing was, or no numbers were kept.
        sent_on: those of `scored` that both adapters of a cascade judged; None without a second
            adapter, or where an earlier version of drugmon did not keep it.
    """

    run_id: str
    command: str
    started_at: datetime
    finished_at: datetime
    source: str
    output: Output
    adapter: str
    total: int
    scored: int
    reused: int
    empty: int
    seconds: float
    drugmon_version: str
    targets: Mapping[str, RunTarget] = field(default_factory=dict)
    sent_on: int | None = None


@dataclass(frozen=True)
class RunProfile:
    """What is kept of the rows that a run scored into an output: a profile as JSON, no texts."""

    run_id: str
    output: Output
    profile: str


@dataclass(frozen=True)
class ReportTarget(TargetVerdicts):
    """One target in a report: verdicts, and quality as measured and as estimated."""

    accuracy: float | None
    macro_f1: float | None
    estimated_accuracy: float | None
    estimated_macro_f1: float | None


@dataclass(frozen=True)
class ReportCheck:
    """One check of a report; `low` and `high` bound the effect's 95 % interval."""

    number: int
    area: str
    name: str
    title: str
    status: StatusName
    statistic: str | None
    effect: float | None
    low: float | None
    high: float | None
    p_value: float | None
    p_adjusted: float | None
    warn_at: float | None
    fail_at: float | None


@dataclass(frozen=True)
class ReportRecord:
    """One report.

    Attributes:
        report_id: of the report.
        created_at: when it was made, with a time zone.
        source: what people call what was judged.
        adapter: `name@digest` of what had scored most rows.
        status: one of `STATUSES`.
        reasons: the sentences behind a status that is not `pass`.
        page: the name of its folder within the folder of all reports.
        reference: the name of what was compared with; None without one.
        scored_runs: the ids of the score runs whose rows were judged.
        rows: those that were judged.
        empty: those of them without any text.
        scored: what those runs scored; None, as the next two, where no run is known.
        reused: what they took from earlier runs.
        seconds: how long they took.
        output: what was judged; None where an earlier version of drugmon did not keep it.
        targets: what was found, by target.
        checks: in the report's order.
    """

    report_id: str
    created_at: datetime
    source: str
    adapter: str
    status: StatusName
    reasons: Sequence[str]
    page: str
    reference: str | None
    scored_runs: Sequence[str]
    rows: int
    empty: int
    scored: int | None
    reused: int | None
    seconds: float | None
    output: Output | None = None
    targets: Mapping[str, ReportTarget] = field(default_factory=dict)
    checks: Sequence[ReportCheck] = ()

    @property
    def subject(self) -> tuple[str, Output | None]:
        """What tells the nights of one source from those of others, however they are called."""
        return (self.source, self.output)
