"""The checks of a night on which nothing is off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from drugmon.monitoring.checks.measures import measure_of
from drugmon.monitoring.checks.summary import Check, Status
from drugmon.statistics.figures import Interval


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
        measure=measure_of(name),
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
        (1.01, 0.8, 1.2),
        (0.5, 0.25),
        statistic="share of the usual number of reviews",
    ),
    check(
        "drift.empty",
        "Reviews without any text",
        Status.PASS,
        "1 of 212 reviews has no text at all (0.5 %); 0.3 % in the reference.",
        (0.002, 0, 0.02),
        (0.05, 0.15),
        statistic="change in share",
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


def changed(checks: Sequence[Check], *others: Check) -> tuple[Check, ...]:
    """`checks` with `others` in place of those of the same name."""
    by_name = {each.name: each for each in others}
    return tuple(by_name.pop(each.name, each) for each in checks) + tuple(by_name.values())
