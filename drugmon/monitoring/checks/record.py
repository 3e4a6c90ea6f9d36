"""The record of a report: what the history keeps of a summary."""

from __future__ import annotations

from collections.abc import Sequence

from drugmon.data.history.output import Output
from drugmon.data.history.records import ReportCheck, ReportRecord, ReportTarget
from drugmon.monitoring.checks.summary import Summary


def report_record(summary: Summary, page: str, output: Output | None) -> ReportRecord:
    """The record of a report.

    `page` is the name of its folder within the folder of all reports, `output` what was judged.
    """
    volume = summary.volume
    return ReportRecord(
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
        output=output,
        targets=_report_targets(summary),
        checks=_report_checks(summary),
    )


def _report_targets(summary: Summary) -> dict[str, ReportTarget]:
    quality = {quality.target: quality for quality in summary.quality}
    targets = {}
    for balance in summary.balance:
        now = quality.get(balance.target)
        measured, estimate = (now.measured, now.estimate) if now else (None, None)
        counts = {share.label: share.current_count for share in balance.shares}
        targets[balance.target] = ReportTarget(
            target=balance.target,
            **{label: counts.get(label, 0) for label in ("negative", "neutral", "positive")},
            none=counts.get("none", 0),
            mean_confidence=balance.mean_confidence,
            accuracy=measured.accuracy.value if measured else None,
            macro_f1=measured.macro_f1.value if measured else None,
            estimated_accuracy=estimate.accuracy.value if estimate else None,
            estimated_macro_f1=estimate.macro_f1.value if estimate else None,
        )
    return targets


def _report_checks(summary: Summary) -> Sequence[ReportCheck]:
    return [
        ReportCheck(
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
