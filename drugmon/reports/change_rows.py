"""Rows that compare a share then and now: words, drugs and conditions that moved, and slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from drugmon.monitoring.checks.summary import Mover, Slice
from drugmon.reports.pages import percent
from drugmon.reports.plots.charts import Mark, Scale, Tick, mark, ticks

KINDS: Final = {"word": "Words", "drug": "Drugs", "condition": "Conditions"}
"""Headings of the movers in their order; a kind of another name comes after them."""

MOST: Final = 10
"""Movers of one kind that are drawn; the table has them all."""


@dataclass(frozen=True)
class MoverRow:
    """A mover with both of its shares drawn on the scale of its list."""

    mover: Mover
    reference: Mark | None
    current: Mark | None


@dataclass(frozen=True)
class MoverList:
    """The movers of one kind, the largest change first."""

    title: str
    rows: tuple[MoverRow, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class SliceRow:
    """A slice with both of its shares drawn from 0 to 100 %."""

    slice: Slice
    reference: Mark | None
    current: Mark | None


WHOLE: Final = Scale(0.0, 1.0)
WHOLE_TICKS: Final = tuple(
    Tick(WHOLE.at(share), percent(share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)
)


def mover_lists(movers: Sequence[Mover]) -> tuple[MoverList, ...]:
    """The `MOST` movers of each kind that changed most, drawn on one scale from 0 a list."""
    kinds = dict.fromkeys([*KINDS, *(mover.kind for mover in movers)])
    return tuple(
        _mover_list(KINDS.get(kind, kind), of_kind)
        for kind in kinds
        if (of_kind := [mover for mover in movers if mover.kind == kind])
    )


def slice_rows(slices: Sequence[Slice]) -> tuple[SliceRow, ...]:
    """The slices in the order in which the summary ranks them."""
    return tuple(
        SliceRow(slice_, mark(slice_.reference, WHOLE), mark(slice_.current, WHOLE))
        for slice_ in slices
    )


def _mover_list(title: str, movers: Sequence[Mover]) -> MoverList:
    movers = sorted(movers, key=lambda mover: -abs(mover.change.value or 0.0))[:MOST]
    ends = [end for mover in movers for end in (mover.current.high, mover.reference.high) if end]
    marks = ticks(0.0, max([*ends, 0.01]), 3)
    scale = Scale(0.0, marks[-1])
    return MoverList(
        title=title,
        rows=tuple(
            MoverRow(mover, mark(mover.reference, scale), mark(mover.current, scale))
            for mover in movers
        ),
        ticks=tuple(Tick(scale.at(at), percent(at, 0 if marks[1] >= 0.01 else 1)) for at in marks),
    )
