"""The figures of a quality measurement, and their form in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from drugmon.records import filled

SCALARS = (
    "accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "weighted_f1",
    "kappa",
    "ece",
)
"""The fields of `Quality` that hold one figure with its interval."""


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval; None where it is undefined on these data."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ClassQuality:
    """One label's figures; `support` counts true rows, `predicted` counts rows so labelled."""

    label: str
    precision: Interval
    recall: Interval
    f1: Interval
    support: int
    predicted: int


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows of like confidence: its range and mean, and the share of hits with a Wilson interval."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: Interval


@dataclass(frozen=True)
class Quality:
    """Quality of one target over `n` labelled rows, by the rules of `quality.measure`."""

    n: int
    resamples: int
    accuracy: Interval
    macro_precision: Interval
    macro_recall: Interval
    macro_f1: Interval
    weighted_f1: Interval
    kappa: Interval
    ece: Interval
    ece_floor: float | None
    classes: tuple[ClassQuality, ...]
    confusion: tuple[tuple[int, ...], ...]
    reliability: tuple[ReliabilityBin, ...]

    def to_dict(self) -> dict[str, object]:
        """A form that JSON can hold, undefined figures as null."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Quality:
        """The reverse of `to_dict`. Raises ValueError where `data` has another shape."""
        return filled(cls, data)
