"""The bars of a class balance: reference and current shares, and the change of every label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from drugmon.monitoring.checks.summary import ClassBalance, LabelShare
from drugmon.reports.pages import points
from drugmon.reports.plots.charts import Mark, Scale, Segment, Tick, mark, stack


@dataclass(frozen=True)
class ShareRow:
    """A label with its shares and the drawn change; None without a reference or without rows."""

    share: LabelShare
    change: Mark | None


@dataclass(frozen=True)
class ShareBars:
    """One target's two bars; `reference` is empty without one, `current` without rows."""

    balance: ClassBalance
    reference_n: int
    current_n: int
    reference: tuple[Segment, ...]
    current: tuple[Segment, ...]
    rows: tuple[ShareRow, ...]
    ticks: tuple[Tick, ...]
    zero: float


def share_bars(balances: Sequence[ClassBalance]) -> tuple[ShareBars, ...]:
    """Lay out the balances; all changes are on one scale, so that targets can be compared."""
    reach = max((_reach(share) for balance in balances for share in balance.shares), default=0.0)
    reach = max(0.05, math.ceil(reach * 20) / 20)
    return tuple(_bars(balance, Scale(-reach, reach), reach) for balance in balances)


def _reach(share: LabelShare) -> float:
    ends = (share.change.low, share.change.high) if share.change else ()
    return max((abs(end) for end in ends if end is not None), default=0.0)


def _bars(balance: ClassBalance, scale: Scale, reach: float) -> ShareBars:
    shown = [s for s in balance.shares if s.label != "none" or s.current_count or s.reference_count]
    return ShareBars(
        balance=balance,
        reference_n=sum(share.reference_count or 0 for share in balance.shares),
        current_n=sum(share.current_count for share in balance.shares),
        reference=stack(
            (s.label, s.reference.value or 0.0) for s in shown if s.reference is not None
        ),
        current=stack((s.label, s.current.value or 0.0) for s in shown),
        rows=tuple(ShareRow(share, mark(share.change, scale)) for share in shown),
        ticks=tuple(Tick(scale.at(end), points(end)) for end in (-reach, 0.0, reach)),
        zero=scale.at(0),
    )
