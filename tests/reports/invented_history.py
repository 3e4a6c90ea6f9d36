"""An invented history of nights."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np

from drugmon.data.history.histories import night_of
from drugmon.data.history.monitored import ReportCheck, ReportHead, ReportRecord, ReportTarget
from drugmon.labels import LABELS, TARGETS
from drugmon.monitoring.checks.summary import Check
from tests.reports.invented_checks import CALM
from tests.reports.invented_nights import ADAPTER, CREATED


def history(count: int, source: str = "reviews.scored.parquet") -> list[dict[str, Any]]:
    """`count` nights as the history gives them; every 9th fails."""
    random = np.random.default_rng(0)
    return [_night(index, count, source, random) for index in range(count)]


def _night(index: int, count: int, source: str, random: np.random.Generator) -> dict[str, Any]:
    run = f"{index:08x}"
    status = "fail" if index % 9 == 8 else "warn" if index % 5 == 4 else "pass"
    at = CREATED - timedelta(days=count - 1 - index)
    rows = int(random.poisson(210))
    targets = []
    for target in TARGETS:
        drift = 0.15 * index / count if target == "side_effects" else 0.0
        parts = map(int, random.multinomial(rows, (0.2 + drift, 0.15, 0.6 - drift, 0.05)))
        targets.append(
            ReportTarget(
                run,
                target,
                **dict(zip((*LABELS, "none"), parts, strict=True)),
                mean_confidence=0.82 + float(random.normal(0, 0.01)),
                accuracy=None,
                macro_f1=0.6 + float(random.normal(0, 0.02)) if target == "overall" else None,
                estimated_accuracy=None,
                estimated_macro_f1=0.62 + float(random.normal(0, 0.01)),
            )
        )
    checks = [_recorded(run, place, each, status, random) for place, each in enumerate(CALM)]
    head = ReportHead(
        report_id=run,
        created_at=at,
        source=source,
        adapter=ADAPTER,
        status=status,
        reasons=[] if status == "pass" else ["The mix of drugs changed.", "So did the words."],
        page=f"{at:%Y-%m-%d}-{run}",
        reference="minilm-druglib",
        scored_runs=[run],
        rows=rows,
        empty=1,
        scored=rows,
        reused=0,
        seconds=3.1,
    )
    return night_of(ReportRecord(head, targets, checks))


def _recorded(
    run: str, place: int, each: Check, status: str, random: np.random.Generator
) -> ReportCheck:
    effect = None if each.effect is None or each.effect.value is None else each.effect.value
    factor = {"pass": 1.0, "warn": 1.7, "fail": 2.6}[status] if each.name == "drift.drugs" else 1.0
    if effect is not None:
        effect = effect * factor + abs(float(random.normal(0, 0.02)))
    return ReportCheck(
        report_id=run,
        number=place,
        area=each.area,
        name=each.name,
        title=each.title,
        status=status if each.name == "drift.drugs" else str(each.status),
        statistic=each.statistic,
        effect=effect,
        low=None if effect is None else effect - 0.04,
        high=None if effect is None else effect + 0.04,
        p_value=each.p_value,
        p_adjusted=each.p_adjusted,
        warn_at=each.warn_at,
        fail_at=each.fail_at,
    )
