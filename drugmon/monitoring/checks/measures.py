"""What the effect of each kind of check is: its unit, where no change lies, which way counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Unit(StrEnum):
    """What an effect is measured in, which says how it is written."""

    POINTS = "points"
    """A change of a share, of 1; people read it in percentage points."""
    SHARE = "share"
    DISTANCE = "distance"
    SCORE = "score"
    """A change of a figure of quality."""
    AUC = "auc"
    HOURS = "hours"
    RATIO = "ratio"


@dataclass(frozen=True)
class Measure:
    """How an effect is to be read.

    `two_sided` where a fall counts like a rise: limits hold for the size alone. `no_change` is the
    effect where nothing changed.
    """

    unit: Unit
    two_sided: bool = False
    no_change: float = 0.0

    def size(self, effect: float | None) -> float | None:
        """What limits are held against: a change for the better is none, however large."""
        return abs(effect) if effect is not None and self.two_sided else effect


_EITHER_WAY: Final = Measure(Unit.POINTS, two_sided=True)

MEASURES: Final[Mapping[str, Measure]] = {
    "freshness": Measure(Unit.HOURS),
    "volume": Measure(Unit.RATIO, no_change=1.0),
    "balance": _EITHER_WAY,
    "drift.probabilities": Measure(Unit.DISTANCE),
    "drift.lengths": Measure(Unit.DISTANCE),
    "drift.empty": _EITHER_WAY,
    "drift.repeats": Measure(Unit.POINTS),
    "drift.unknown_words": _EITHER_WAY,
    "drift.ratings": _EITHER_WAY,
    "drift.drugs": Measure(Unit.SHARE),
    "drift.conditions": Measure(Unit.SHARE),
    "drift.words": _EITHER_WAY,
    "drift.texts": Measure(Unit.AUC, no_change=0.5),
    "quality": Measure(Unit.SCORE),
}
"""By the id of a check, or that of its kind: `balance` for `balance.overall`."""


def measure_of(check_id: str) -> Measure:
    """How the effect of a check is to be read; one of an unknown kind is taken as a distance."""
    kind = check_id
    while kind:
        if kind in MEASURES:
            return MEASURES[kind]
        kind = kind.rpartition(".")[0]
    return Measure(Unit.DISTANCE)
