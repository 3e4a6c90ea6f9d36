"""Invented nights, as the report's workflow would sum them up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from drugmon.labels import TARGETS
from drugmon.monitoring.checks.summary import (
    Check,
    Estimate,
    Side,
    Slice,
    Status,
    Summary,
    TargetQuality,
    Volume,
)
from drugmon.statistics.figures import Interval
from tests.reports.invented_checks import CALM, changed, check
from tests.reports.invented_figures import (
    balance,
    histogram,
    movers,
    quality,
    slice_of,
)

SCRIPT: Final = "<script>alert(1)</script>"

REFERENCE: Final = {
    "benefits": (412, 398, 2190, 107),
    "side_effects": (611, 702, 1699, 95),
    "comments": (688, 369, 1702, 348),
    "overall": (719, 364, 2024, 0),
}

ADAPTER: Final = "minilm-druglib@4f0c7d21"

CREATED: Final = datetime(2026, 11, 24, 5, 31, tzinfo=UTC)


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
        "watched": ("freshness", "volume", "balance", "drift", "quality"),
        "alpha": 0.05,
        "min_reviews": 30,
        "current": Side(
            "reviews.scored.parquet", 212, ADAPTER, CREATED - timedelta(days=1), CREATED
        ),
        "reference": Side("held-out reviews of minilm-druglib", 3107, ADAPTER, held_out=True),
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
        checks=changed(CALM, texts, comments),
        balance=tuple(found),
        movers=movers({"word": [("generic", 19, 62), ("insurance", 11, 30)]}, 212),
    )


def _failed_checks() -> tuple[Check, ...]:
    """What the night of `failed` is warned of, and fails by."""
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
    return drugs, side, texts, worse


def _failed_slices() -> tuple[Slice, ...]:
    """The drugs and conditions of that night."""
    return (
        slice_of("drug", "Chantix", "side_effects", (61, 171), (2, 12), Status.FAIL),
        slice_of("drug", "Accutane", "side_effects", (45, 96), (11, 44), Status.WARN),
        slice_of("condition", "quitting smoking", "side_effects", (62, 174), (2, 14), Status.WARN),
        slice_of("drug", "Zyban", "overall", (12, 33), None, Status.UNJUDGED),
        slice_of("condition", "acne", "overall", (30, 120), (34, 131), Status.PASS),
    )


def failed() -> Summary:
    """A night of other drugs, on which the side effects of one turned negative."""
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
    histograms = tuple(histogram(*shift) for shift in shifted)
    names = {drawn.name for drawn in histograms}
    return calm(
        run_id="20261125T053100-91f0",
        created_at=CREATED + timedelta(days=1),
        status=Status.FAIL,
        current=Side("reviews.scored.parquet", 863, ADAPTER, CREATED, CREATED + timedelta(days=1)),
        volume=Volume(863, 9, 851, 12, 13.9, Interval(205, 160, 260)),
        checks=changed(CALM, *_failed_checks()),
        balance=tuple(balance(t, counts[t], REFERENCE[t]) for t in TARGETS),
        distributions=histograms + tuple(d for d in calm().distributions if d.name not in names),
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
        slices=_failed_slices(),
        left_out=("3 reviews have a date that could not be read: they are in no window.",),
    )


def none() -> Summary:
    """A night on which nothing came."""
    rows = check(
        "volume.rows",
        "Reviews this night",
        Status.FAIL,
        "No reviews at all; nights before had 160 to 260.",
        (0.0, 0.0, 0.0),
        (0.5, 0.25),
        statistic="share of the usual number of reviews",
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
        current=Side("reviews.scored.parquet", 0, None),
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
        current=Side("reviews.scored.parquet", 12, ADAPTER, CREATED - timedelta(days=1), CREATED),
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
