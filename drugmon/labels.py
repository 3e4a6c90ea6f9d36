"""The words that every part of drugmon shares: labels, aspects, targets, and ratings' labels.

The mapping is that of the DrugLib experiments: a rating of 7-10 is positive, 1-4 negative, 5-6
neutral; the five effectiveness and side-effect grades fold to the same three labels (mild side
effects count as well tolerated, hence positive).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LABELS: Final = ("negative", "neutral", "positive")
"""The three labels. Every probability triple in drugmon is in this order."""

ASPECTS: Final = ("benefits", "side_effects", "comments")
"""The three texts that a review may have."""

TARGETS: Final = (*ASPECTS, "overall")
"""What gets a verdict, in output order."""

RATING_LEVELS: Final = tuple(str(rating) for rating in range(1, 11))
EFFECTIVENESS_LEVELS: Final = (
    "Ineffective",
    "Marginally Effective",
    "Moderately Effective",
    "Considerably Effective",
    "Highly Effective",
)
SIDE_EFFECT_LEVELS: Final = (
    "Extremely Severe Side Effects",
    "Severe Side Effects",
    "Moderate Side Effects",
    "Mild Side Effects",
    "No Side Effects",
)

LABEL_OF_LEVEL: Final[Mapping[str, Mapping[str, str]]] = {
    "rating": {
        level: "negative" if int(level) <= 4 else "neutral" if int(level) <= 6 else "positive"
        for level in RATING_LEVELS
    },
    "effectiveness": dict(
        zip(
            EFFECTIVENESS_LEVELS,
            ("negative", "negative", "neutral", "positive", "positive"),
            strict=True,
        )
    ),
    "side_effects_grade": dict(
        zip(
            SIDE_EFFECT_LEVELS,
            ("negative", "negative", "neutral", "positive", "positive"),
            strict=True,
        )
    ),
}
"""The default label of every level (worst first) of every graded column."""

GRADE_OF_TARGET: Final[Mapping[str, str]] = {
    "benefits": "effectiveness",
    "side_effects": "side_effects_grade",
    "comments": "rating",
    "overall": "rating",
}
"""The graded column that teaches each target."""
