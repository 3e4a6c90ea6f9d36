"""The words that every part of drugmon shares: labels, aspects, targets, and what teaches them.

Which label a grade stands for is told by `grading`.
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

GRADE_OF_TARGET: Final[Mapping[str, str]] = {
    "benefits": "effectiveness",
    "side_effects": "side_effects_grade",
    "comments": "rating",
    "overall": "rating",
}
"""The graded column that teaches each target."""

TEACHERS_OF_TARGET: Final[Mapping[str, tuple[str, ...]]] = {
    "benefits": ("benefits_label", "effectiveness"),
    "side_effects": ("side_effects_label", "side_effects_grade"),
    "comments": ("comments_label", "rating", "overall_label"),
    "overall": ("overall_label", "rating"),
}
"""The columns that may teach each target; of these the first that a source has does."""
