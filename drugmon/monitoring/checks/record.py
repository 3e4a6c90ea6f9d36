"""The record of a report: what the history keeps of a summary."""

from __future__ import annotations

from collections.abc import Sequence

from drugmon.data.history.monitored import ReportCheck, ReportHead, ReportRecord, ReportTarget
from drugmon.monitoring.checks.summary import Summary


def report_record(summary: Summary, page: str) -> ReportRecord:
    """The record of a report; `page` is the name of its folder within the folder of all reports."""
    volume = summary.volume
    head = ReportHead(
        report_id=summary.run_id,
        created_at=summary.created_at,
        source=summary.source,
        adapter=summary.adapter,
        status=str(summary.status),
        reasons=list(summary.reasons),
        page=page,
        reference=summary.reference.name if summary.reference else None,
        scored_runs=list(summary.scored_runs),
        rows=volume.rows,
        empty=volume.empty,
        scored=volume.scored,
        reused=volume.reused,
        seconds=volume.seconds,
    )
    return ReportRecord(head, _report_targets(summary), _report_checks(summary))


def _report_targets(summary: Summary) -> Sequence[ReportTarget]:
    quality = {each.target: each for each in summary.quality}
    found = []
    for balance in summary.balance:
        own = quality.get(balance.target)
        measured, estimate = (own.measured, own.estimate) if own else (None, None)
        counts = {share.label: share.current_count for share in balance.shares}
        found.append(
            ReportTarget(
                report_id=summary.run_id,
                target=balance.target,
                **{label: counts.get(label, 0) for label in ("negative", "neutral", "positive")},
                none=counts.get("none", 0),
                mean_confidence=balance.mean_confidence,
                accuracy=measured.accuracy.value if measured else None,
                macro_f1=measured.macro_f1.value if measured else None,
                estimated_accuracy=estimate.accuracy.value if estimate else None,
                estimated_macro_f1=estimate.macro_f1.value if estimate else None,
            )
        )
    return found


def _report_checks(summary: Summary) -> Sequence[ReportCheck]:
    return [
        ReportCheck(
            report_id=summary.run_id,
            number=number,
            area=check.area,
            name=check.name,
            title=check.title,
            status=str(check.status),
            statistic=check.statistic,
            effect=check.effect.value if check.effect else None,
            low=check.effect.low if check.effect else None,
            high=check.effect.high if check.effect else None,
            p_value=check.p_value,
            p_adjusted=check.p_adjusted,
            warn_at=check.warn_at,
            fail_at=check.fail_at,
        )
        for number, check in enumerate(summary.checks)
    ]
