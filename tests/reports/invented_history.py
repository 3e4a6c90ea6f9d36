"""An invented history of nights."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np

from drugmon.data.history.output import Output
from drugmon.data.history.records import ReportCheck, ReportRecord, ReportTarget
from drugmon.labels import LABELS, TARGETS
from drugmon.monitoring.checks.summary import Check
from tests.reports.invented_checks import CALM
from tests.reports.invented_nights import ADAPTER, CREATED


def history(count: int, source: str = "reviews.scored.parquet") -> list[ReportRecord]:
    """`count` nights as the history gives them; every 9th fails."""
    random = np.random.default_rng(0)
    return [_night(index, count, source, random) for index in range(count)]


def _night(index: int, count: int, source: str, random: np.random.Generator) -> ReportRecord:
    run = f"{index:08x}"
    status = "fail" if index % 9 == 8 else "warn" if index % 5 == 4 else "pass"
    at = CREATED - timedelta(days=count - 1 - index)
    rows = int(random.poisson(210))
    targets = {}
    for target in TARGETS:
        drift = 0.15 * index / count if target == "side_effects" else 0.0
        parts = map(int, random.multinomial(rows, (0.2 + drift, 0.15, 0.6 - drift, 0.05)))
        targets[target] = ReportTarget(
            target,
            **dict(zip((*LABELS, "none"), parts, strict=True)),
            mean_confidence=0.82 + float(random.normal(0, 0.01)),
            accuracy=None,
            macro_f1=0.6 + float(random.normal(0, 0.02)) if target == "overall" else None,
            estimated_accuracy=None,
            estimated_macro_f1=0.62 + float(random.normal(0, 0.01)),
        )
    checks = [_recorded(place, check, status, random) for place, check in enumerate(CALM)]
    return ReportRecord(
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
        output=Output(Path("/data") / source),
        targets=targets,
        checks=checks,
    )


def _recorded(place: int, each: Check, status: str, random: np.random.Generator) -> ReportCheck:
    effect = None if each.effect is None or each.effect.value is None else each.effect.value
    factor = {"pass": 1.0, "warn": 1.7, "fail": 2.6}[status] if each.name == "drift.drugs" else 1.0
    if effect is not None:
        effect = effect * factor + abs(float(random.normal(0, 0.02)))
    return ReportCheck(
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
