"""The figures of a quality measurement, and their form in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

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

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold, undefined figures as null."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Quality:
        """The reverse of `to_dict`. Raises KeyError or TypeError where `data` has another shape."""
        return cls(
            n=data["n"],
            resamples=data["resamples"],
            **{name: Interval(**data[name]) for name in SCALARS},
            ece_floor=data["ece_floor"],
            classes=tuple(_class_from_dict(entry) for entry in data["classes"]),
            confusion=tuple(tuple(row) for row in data["confusion"]),
            reliability=tuple(
                ReliabilityBin(**{**entry, "accuracy": Interval(**entry["accuracy"])})
                for entry in data["reliability"]
            ),
        )


def _class_from_dict(data: Mapping[str, Any]) -> ClassQuality:
    intervals = {name: Interval(**data[name]) for name in ("precision", "recall", "f1")}
    return ClassQuality(**{**data, **intervals})
