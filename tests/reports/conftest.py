"""Invented nights, as the report's workflow would sum them up: the pages are made from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest

from drugmon.data.monitored import ReportCheck, ReportHead, ReportRecord, ReportTarget
from drugmon.labels import LABELS, TARGETS
from drugmon.monitoring.figures import Interval
from drugmon.monitoring.history import night_of
from drugmon.monitoring.quality import Quality, measure
from drugmon.monitoring.summary import (
    Balance,
    Check,
    Distribution,
    Estimate,
    LabelShare,
    Mover,
    Side,
    Slice,
    Status,
    Summary,
    TargetQuality,
    Volume,
)
from drugmon.reports.analysts import ClassTask, EvidentlyInput

SCRIPT: Final = "<script>alert(1)</script>"
REFERENCE: Final = {
    "benefits": (412, 398, 2190, 107),
    "side_effects": (611, 702, 1699, 95),
    "comments": (688, 369, 1702, 348),
    "overall": (719, 364, 2024, 0),
}
ADAPTER: Final = "minilm-druglib@4f0c7d21"
CREATED: Final = datetime(2026, 11, 24, 5, 31, tzinfo=UTC)


def share(count: int, n: int) -> Interval:
    """A share with its Wilson interval."""
    if not n:
        return Interval(None, None, None)
    p, z = count / n, 1.96
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Interval(p, max(0.0, centre - half), min(1.0, centre + half))


def change(count: int, n: int, reference_count: int, reference_n: int) -> Interval | None:
    """The difference of two shares with its interval."""
    if not n:
        return None
    p, q = count / n, reference_count / reference_n
    half = 1.96 * math.sqrt(p * (1 - p) / n + q * (1 - q) / reference_n) + 1 / (2 * n)
    return Interval(p - q, p - q - half, p - q + half)


def balance(target: str, counts: Sequence[int], reference: Sequence[int] | None) -> Balance:
    """The balance of `counts` of negative, neutral, positive and none."""
    n, m = sum(counts), sum(reference or ())
    shares = tuple(
        LabelShare(
            label,
            None if reference is None else reference[i],
            counts[i],
            None if reference is None else share(reference[i], m),
            share(counts[i], n),
            None if reference is None else change(counts[i], n, reference[i], m),
        )
        for i, label in enumerate(("negative", "neutral", "positive", "none"))
    )
    known = reference is not None and n > 0
    return Balance(target, shares, 0.021 if known else None, 0.083 if known else None, 0.2)


def histogram(
    name: str, title: str, peak: float, shift: float, has_reference: bool
) -> Distribution:
    """A bell over the edges that the kind of `name` has."""
    lengths = name.startswith("length")
    edges = (
        tuple(float(round(2 ** (step / 2))) for step in range(2, 33))
        if lengths
        else tuple(round(step / 20, 2) for step in range(21))
    )
    middle = np.arange(len(edges) - 1) / (len(edges) - 1)

    def bell(centre: float) -> tuple[float, ...]:
        heights = np.exp(-((middle - centre) ** 2) / 0.025)
        return tuple(float(height) for height in heights / heights.sum())

    return Distribution(
        name, title, edges, bell(peak) if has_reference else None, bell(peak + shift)
    )


def quality(n: int, skill: float = 3.0, seed: int = 0) -> Quality:
    """Calibrated quality of `n` invented rows."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet((0.8 / skill, 0.5 / skill, 2.2 / skill), size=n)
    labels = (probabilities.cumsum(axis=1) < random.random((n, 1))).sum(axis=1).clip(0, 2)
    return measure(labels, probabilities.argmax(axis=1), probabilities, resamples=50, seed=seed)


def check(
    name: str,
    title: str,
    status: Status,
    says: str,
    effect: tuple[float, float, float] | None = None,
    limits: tuple[float, float] | None = (0.1, 0.2),
    p: float | None = None,
    statistic: str = "Jensen-Shannon distance",
) -> Check:
    """One check; its area is the first part of `name`."""
    return Check(
        area=name.partition(".")[0],
        name=name,
        title=title,
        status=status,
        says=says,
        statistic=statistic if effect else None,
        effect=Interval(*effect) if effect else None,
        p_value=p,
        p_adjusted=p,
        warn_at=limits[0] if limits else None,
        fail_at=limits[1] if limits else None,
    )


CALM: Final = (
    check(
        "freshness.newest",
        "Newest verdict",
        Status.PASS,
        "The newest verdict is 2 hours old; it may be 26.",
        (2.1, 2.1, 2.1),
        (26, 50),
        statistic="hours",
    ),
    check(
        "volume.rows",
        "Reviews this night",
        Status.PASS,
        "212 reviews; nights before had 160 to 260.",
        (0.01, -0.2, 0.2),
        (0.5, 0.8),
        statistic="change in rows",
    ),
    check(
        "volume.empty",
        "Reviews without any text",
        Status.PASS,
        "1 of 212 reviews has no text at all (0.5 %); 0.3 % in the reference.",
        (0.002, 0, 0.02),
        (0.05, 0.15),
        0.71,
        "change in share",
    ),
    *(
        check(
            f"balance.{target}",
            f"{title}: shares of the labels",
            Status.PASS,
            f"No label's share changed beyond chance; the largest change is {points} points.",
            (effect, 0.0, effect + 0.06),
            p=p,
        )
        for target, title, points, effect, p in (
            ("benefits", "Benefits", "+1.9", 0.04, 0.61),
            ("side_effects", "Side effects", "\N{MINUS SIGN}2.2", 0.05, 0.48),
            ("comments", "Comments", "+2.5", 0.05, 0.44),
            ("overall", "Overall", "+1.4", 0.03, 0.74),
        )
    ),
    check(
        "drift.texts",
        "Wording of the reviews",
        Status.PASS,
        "A classifier tells these reviews from the reference no better than chance: AUC 0.51.",
        (0.51, 0.46, 0.56),
        (0.6, 0.7),
        0.62,
        "ROC AUC",
    ),
    check(
        "drift.drugs",
        "Which drugs are reviewed",
        Status.PASS,
        "The mix of drugs is that of the reference, within chance.",
        (0.09, 0.02, 0.17),
        (0.15, 0.3),
        0.33,
    ),
    check(
        "drift.conditions",
        "Which conditions are treated",
        Status.PASS,
        "The mix of conditions is that of the reference, within chance.",
        (0.07, 0.01, 0.15),
        (0.15, 0.3),
        0.41,
    ),
    check(
        "drift.confidence.overall",
        "Overall: confidence",
        Status.PASS,
        "Confidences are spread as in the reference.",
        (0.03, 0.0, 0.08),
        p=0.66,
        statistic="Kolmogorov-Smirnov distance",
    ),
    check(
        "drift.length.benefits",
        "Benefits: length of the text",
        Status.PASS,
        "Lengths are spread as in the reference.",
        (0.04, 0.0, 0.09),
        p=0.52,
        statistic="Kolmogorov-Smirnov distance",
    ),
    check(
        "drift.unknown_words",
        "Words unknown to the tokenizer",
        Status.PASS,
        "0.8 % of words are unknown; 0.7 % in the reference.",
        (0.001, -0.002, 0.004),
        (0.02, 0.05),
        0.8,
        "change in share",
    ),
    check(
        "quality.overall",
        "Overall: macro-F1",
        Status.PASS,
        "Macro-F1 is 0.61 (0.53 to 0.68) on 212 rated reviews; 0.60 on held-out ones.",
        (-0.01, -0.09, 0.07),
        (0.05, 0.1),
        0.77,
        "drop of macro-F1",
    ),
    check(
        "quality.side_effects",
        "Side effects: macro-F1",
        Status.UNJUDGED,
        "Too few labelled reviews to judge: 18, and 50 are needed.",
        None,
        (0.05, 0.1),
    ),
)


def movers(names: Mapping[str, Sequence[tuple[str, int, int]]], n: int) -> tuple[Mover, ...]:
    """Movers from (name, current count, reference count per 3,107)."""
    return tuple(
        Mover(
            kind,
            name,
            share(before, 3107),
            share(now, n),
            change(now, n, before, 3107) or Interval(None, None, None),
            0.001 * (1 + index),
        )
        for kind, entries in names.items()
        for index, (name, now, before) in enumerate(entries)
    )


def slice_of(
    column: str,
    value: str,
    target: str,
    now: tuple[int, int],
    before: tuple[int, int] | None,
    status: Status,
) -> Slice:
    """One slice from (negative, all) now and before."""
    current = share(*now)
    subject, latest = f"{target.replace('_', ' ')} of {value}", f"{now[0] / now[1]:.0%}"
    says = f"{subject}: {latest} negative (n={now[1]})"
    if before:
        arrow = "\N{RIGHTWARDS ARROW}"
        says = (
            f"{subject} turned negative: {before[0] / before[1]:.0%} {arrow} {latest} (n={now[1]})"
        )
    return Slice(
        column,
        value,
        target,
        now[1],
        before[1] if before else None,
        current,
        share(*before) if before else None,
        change(*now, *before) if before else None,
        (now[0] + 5) / (now[1] + 25),
        0.0004 if status is Status.FAIL else 0.3,
        status,
        says.replace("%", "\N{NO-BREAK SPACE}%"),
    )


def calm(**changes: object) -> Summary:
    """A night of 212 reviews on which nothing is off."""
    counts = {
        "benefits": (32, 27, 146, 7),
        "side_effects": (37, 49, 119, 7),
        "comments": (52, 23, 114, 23),
        "overall": (52, 24, 136, 0),
    }
    spreads = (
        *(
            (f"confidence.{t}", f"{t.replace('_', ' ').capitalize()}: confidence", 0.82)
            for t in TARGETS
        ),
        ("length.benefits", "Benefits: characters", 0.5),
        ("length.side_effects", "Side effects: characters", 0.44),
        ("length.comments", "Comments: characters", 0.52),
        ("probability.overall.negative", "Overall: probability of negative", 0.15),
    )
    values: dict[str, object] = {
        "run_id": "20261124T053100-7c1e",
        "created_at": CREATED,
        "source": "reviews.scored.parquet",
        "adapter": ADAPTER,
        "status": Status.PASS,
        "reasons": (),
        "watched": ("freshness", "volume", "balance", "drift", "quality"),
        "current": Side("last 1 day", 212, ADAPTER, CREATED - timedelta(days=1), CREATED),
        "reference": Side("minilm-druglib", 3107, ADAPTER),
        "volume": Volume(212, 1, 208, 4, 3.4, Interval(205, 160, 260)),
        "checks": CALM,
        "balance": tuple(balance(t, counts[t], REFERENCE[t]) for t in TARGETS),
        "distributions": tuple(histogram(*each, 0.02, True) for each in spreads),
        "movers": (),
        "quality": (
            TargetQuality("overall", quality(212), None, quality(1007, seed=5), None),
            TargetQuality(
                "benefits",
                None,
                Estimate(205, Interval(0.75, 0.7, 0.8), Interval(0.62, 0.55, 0.68)),
                quality(1007, seed=6),
                None,
            ),
        ),
        "slices": (
            slice_of("drug", "Lexapro", "side_effects", (9, 30), (40, 180), Status.PASS),
            slice_of("condition", "depression", "overall", (12, 41), (90, 420), Status.PASS),
        ),
        "slices_withheld": {"drug": 88, "condition": 61},
        "scored_runs": ("20261124T053002-a1b2",),
    }
    return Summary(**{**values, **changes})  # type: ignore[arg-type]


def changed(checks: Sequence[Check], *others: Check) -> tuple[Check, ...]:
    """`checks` with `others` in place of those of the same name."""
    by_name = {each.name: each for each in others}
    return tuple(by_name.pop(each.name, each) for each in checks) + tuple(by_name.values())


def warned() -> Summary:
    """A night that leans towards negative comments, and reads a little different."""
    texts = check(
        "drift.texts",
        "Wording of the reviews",
        Status.WARN,
        "A classifier tells these reviews from the reference: AUC 0.63 (0.59 to 0.67), p < 0.001.",
        (0.63, 0.59, 0.67),
        (0.6, 0.7),
        0.0004,
        "ROC AUC",
    )
    comments = check(
        "balance.comments",
        "Comments: shares of the labels",
        Status.WARN,
        "Negative comments rose from 22 % to 31 % (+8.9 points, 95 % interval +2.5 to +15.5).",
        (0.12, 0.05, 0.18),
        p=0.012,
    )
    found = [
        balance(t, (52, 24, 136, 0) if t == "overall" else (40, 40, 125, 7), REFERENCE[t])
        for t in TARGETS
    ]
    found[2] = balance("comments", (66, 21, 102, 23), REFERENCE["comments"])
    return calm(
        status=Status.WARN,
        reasons=(texts.says, comments.says),
        checks=changed(CALM, texts, comments),
        balance=tuple(found),
        movers=movers({"word": [("generic", 19, 62), ("insurance", 11, 30)]}, 212),
    )


def failed() -> Summary:
    """A night of other drugs, on which the side effects of one turned negative."""
    drugs = check(
        "drift.drugs",
        "Which drugs are reviewed",
        Status.FAIL,
        "The mix of drugs changed: Jensen-Shannon distance 0.41 (0.35 to 0.47), p < 0.001.",
        (0.41, 0.35, 0.47),
        (0.15, 0.3),
        0.0001,
    )
    side = check(
        "balance.side_effects",
        "Side effects: shares of the labels",
        Status.FAIL,
        "Negative side effects rose from 20 % to 34 % (+14.3 points, 95 % interval +11.1 to 17.6).",
        (0.22, 0.18, 0.26),
        p=0.0001,
    )
    texts = check(
        "drift.texts",
        "Wording of the reviews",
        Status.WARN,
        "A classifier tells these reviews from the reference: AUC 0.67 (0.65 to 0.69), p < 0.001.",
        (0.67, 0.65, 0.69),
        (0.6, 0.7),
        0.0001,
        "ROC AUC",
    )
    worse = check(
        "quality.overall",
        "Overall: macro-F1",
        Status.WARN,
        "Macro-F1 is 0.53 (0.49 to 0.57) on 860 rated reviews; 0.60 on held-out ones.",
        (0.07, 0.03, 0.11),
        (0.05, 0.1),
        0.004,
        "drop of macro-F1",
    )
    counts = {
        "benefits": (150, 112, 570, 31),
        "side_effects": (293, 214, 331, 25),
        "comments": (214, 106, 451, 92),
        "overall": (238, 101, 524, 0),
    }
    moved = {
        "word": [("recall", 95, 6), ("generic", 121, 62), ("rash", 88, 71), ("sleep", 61, 402)],
        "drug": [("Chantix", 171, 12), ("Accutane", 96, 44), ("Lexapro", 11, 178)],
        "condition": [("quitting smoking", 174, 14), ("acne", 120, 131)],
    }
    shifted = (
        ("confidence.side_effects", "Side effects: confidence", 0.8, -0.14, True),
        ("length.side_effects", "Side effects: characters", 0.44, 0.1, True),
    )
    own = tuple(histogram(*each) for each in shifted)
    names = {each.name for each in own}
    return calm(
        run_id="20261125T053100-91f0",
        created_at=CREATED + timedelta(days=1),
        status=Status.FAIL,
        reasons=(drugs.says, side.says, texts.says, worse.says),
        current=Side("last 1 day", 863, ADAPTER, CREATED, CREATED + timedelta(days=1)),
        volume=Volume(863, 9, 851, 12, 13.9, Interval(205, 160, 260)),
        checks=changed(CALM, drugs, side, texts, worse),
        balance=tuple(balance(t, counts[t], REFERENCE[t]) for t in TARGETS),
        distributions=own + tuple(d for d in calm().distributions if d.name not in names),
        movers=movers(moved, 863),
        quality=(
            TargetQuality("overall", quality(860, 1.5), None, quality(1007, seed=5), None),
            TargetQuality(
                "side_effects",
                None,
                Estimate(838, Interval(0.66, 0.63, 0.69), Interval(0.57, 0.53, 0.61)),
                quality(1036, seed=7),
                "The texts have drifted (AUC 0.67), so that the estimate's assumption is shaky.",
            ),
        ),
        slices=(
            slice_of("drug", "Chantix", "side_effects", (61, 171), (2, 12), Status.FAIL),
            slice_of("drug", "Accutane", "side_effects", (45, 96), (11, 44), Status.WARN),
            slice_of(
                "condition", "quitting smoking", "side_effects", (62, 174), (2, 14), Status.WARN
            ),
            slice_of("drug", "Zyban", "overall", (12, 33), None, Status.UNJUDGED),
            slice_of("condition", "acne", "overall", (30, 120), (34, 131), Status.PASS),
        ),
        left_out=("3 reviews have a date that could not be read: they are in no window.",),
    )


def none() -> Summary:
    """A night on which nothing came."""
    rows = check(
        "volume.rows",
        "Reviews this night",
        Status.FAIL,
        "No reviews at all; nights before had 160 to 260.",
        (-1.0, -1.0, -1.0),
        (0.5, 0.8),
        statistic="change in rows",
    )
    unjudged = [
        replace(
            c,
            status=Status.UNJUDGED,
            effect=None,
            p_value=None,
            p_adjusted=None,
            says="No reviews to judge.",
        )
        for c in CALM
        if c.area in ("balance", "drift", "quality")
    ]
    return calm(
        status=Status.FAIL,
        reasons=(rows.says,),
        current=Side("last 1 day", 0, None),
        volume=Volume(0, 0, expected=Interval(205, 160, 260)),
        checks=(CALM[0], rows, *unjudged),
        balance=tuple(balance(t, (0, 0, 0, 0), REFERENCE[t]) for t in TARGETS),
        distributions=(),
        quality=(),
        slices=(),
        slices_withheld={},
        scored_runs=(),
        history_note="The history has 2 nights; trends and expected volumes need 7.",
    )


def few() -> Summary:
    """A night of 12 reviews: too few to judge most things."""
    says = "Too few reviews to judge: 12, and 30 are needed."
    checks = [
        c
        if c.area in ("freshness", "volume")
        else replace(
            c, status=Status.UNJUDGED, says=says, effect=None, p_value=None, p_adjusted=None
        )
        for c in CALM
    ]
    return calm(
        current=Side("last 1 day", 12, ADAPTER, CREATED - timedelta(days=1), CREATED),
        volume=Volume(12, 0, 12, 0, 0.4),
        checks=tuple(checks),
        balance=tuple(balance(t, (4, 1, 7, 0), REFERENCE[t]) for t in TARGETS),
        quality=(TargetQuality("overall", quality(12), None, quality(1007, seed=5), None),),
        slices=(),
        slices_withheld={"drug": 11, "condition": 9},
    )


def alone() -> Summary:
    """A night without a reference."""
    base = calm()
    return calm(
        reference=None,
        checks=tuple(
            replace(
                c,
                status=Status.UNJUDGED,
                says="Nothing to compare with.",
                effect=None,
                p_value=None,
                p_adjusted=None,
            )
            if c.area in ("balance", "drift")
            else c
            for c in CALM
        ),
        balance=tuple(
            balance(t, [s.current_count for s in b.shares], None)
            for t, b in zip(TARGETS, base.balance, strict=True)
        ),
        distributions=tuple(replace(d, reference=None) for d in base.distributions),
        slices=(slice_of("drug", "Lexapro", "side_effects", (9, 30), None, Status.UNJUDGED),),
        left_out=("The adapter has no reference profile: balance and drift were not judged.",),
        watched=("freshness", "volume"),
    )


def hostile() -> Summary:
    """A night whose every name is markup."""
    said = f"{SCRIPT} changed by 20 %."
    base = failed()
    return replace(
        base,
        run_id=SCRIPT,
        source=SCRIPT,
        adapter=SCRIPT,
        reasons=(said,),
        current=replace(base.current, name=SCRIPT),
        reference=Side(SCRIPT, 3107, SCRIPT),
        checks=(replace(CALM[3], title=SCRIPT, says=said, statistic=SCRIPT, status=Status.FAIL),),
        balance=tuple(replace(each, target=SCRIPT) for each in base.balance[:1]),
        distributions=(replace(base.distributions[0], name=SCRIPT, title=SCRIPT),),
        movers=tuple(
            replace(each, kind=kind, name=SCRIPT)
            for kind, each in zip(("word", "drug", SCRIPT), base.movers, strict=False)
        ),
        quality=tuple(replace(each, target=SCRIPT, caution=SCRIPT) for each in base.quality[:1]),
        slices=(replace(base.slices[0], column=SCRIPT, value=SCRIPT, target=SCRIPT, says=said),),
        slices_withheld={SCRIPT: 3},
        left_out=(SCRIPT,),
        scored_runs=(SCRIPT,),
        history_note=SCRIPT,
    )


NIGHTS: Final[Mapping[str, Callable[[], Summary]]] = {
    "pass": calm,
    "warn": warned,
    "fail": failed,
    "none": none,
    "few": few,
    "alone": alone,
    "hostile": hostile,
}


@pytest.fixture(params=NIGHTS)
def night(request: pytest.FixtureRequest) -> Summary:
    """Each of the invented nights in turn."""
    return NIGHTS[request.param]()


@pytest.fixture
def nights() -> Mapping[str, Callable[[], Summary]]:
    """The makers of the invented nights by name."""
    return NIGHTS


@pytest.fixture(name="history")
def _history() -> Callable[[int], list[dict[str, Any]]]:
    """The maker of a history."""
    return history


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


@pytest.fixture(scope="session")
def samples() -> EvidentlyInput:
    """Invented rows of both sides, with a drug whose name would end a script element."""
    random = np.random.default_rng(0)

    def side(n: int, negative: float) -> pd.DataFrame:
        weights = (negative, 0.2, 0.8 - negative)
        true = random.choice(LABELS, n, p=weights)
        guess = np.where(random.random(n) < 0.7, true, random.choice(LABELS, n, p=weights))
        return pd.DataFrame(
            {
                "overall": guess,
                "overall_true": true,
                "confidence": random.random(n),
                "length": random.integers(1, 900, n).astype(float),
                "drug": random.choice(["Lexapro", "Zoloft", f"</script>{SCRIPT}"], n),
                "gone": np.full(n, np.nan),
            }
        )

    return EvidentlyInput(
        current=side(200, 0.4),
        reference=side(400, 0.2),
        numerical=("confidence", "length", "gone"),
        categorical=("overall", "drug"),
        tasks=(ClassTask("overall", "overall_true", "overall"),),
    )
