"""Attention for scoring on a CPU without kernels of our own: two plain products around `exp`.

With heads of 32 numbers that takes half the time of torch's fused one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

import torch

from drugmon.models.kernels.relative_bias import RelativeBias

_SCORES: Final = 2**22
"""Scores of attention at a time. Beyond 32 MiB, the C library asks the system for a tensor's memory
each time anew, and the system clears it page by page."""

_SAFE_SUMS: Final = (1e-30, 1e35)
"""Between these no term of a sum of exponentials that matters was lost, and none overflowed."""


class Group(NamedTuple):
    """Reviews of a batch whose attention is computed at a time.

    Args:
        reviews: which.
        shortest: tokens of the shortest; only behind them is there padding.
        padding: bool (b, 1, 1, L - shortest), true where there is.
    """

    reviews: slice
    shortest: int
    padding: torch.Tensor

    def mask(self, scores: torch.Tensor, value: float) -> torch.Tensor:
        """Overwrite what `scores` (b, heads, L, L) say of padding."""
        scores[..., self.shortest :].masked_fill_(self.padding, value)
        return scores


def groups_of(kept: torch.Tensor, heads: int) -> list[Group]:
    """Split a batch; `kept` is bool (b, L), false at the end of reviews that are padded."""
    b, length = kept.shape
    step = max(1, _SCORES // (heads * length**2))
    lengths = kept.sum(dim=1).tolist()
    groups = []
    for start in range(0, b, step):
        reviews = slice(start, min(b, start + step))
        shortest = min(lengths[reviews])
        groups.append(Group(reviews, shortest, ~kept[reviews, None, None, shortest:]))
    return groups


class AttentionPlan(Protocol):
    """How the tokens of a batch lie, which has b reviews of at most L tokens."""

    def pack(self, values: torch.Tensor, /) -> torch.Tensor:
        """Bring what is known of the tokens, (b, L), to that order, (n,)."""

    def unpack(self, states: torch.Tensor, /) -> torch.Tensor:
        """Bring states (n, hidden) back, (b, L, hidden)."""


class Attend(Protocol):
    """Attention proper: from queries, keys and values of a batch to what its tokens get."""

    def plan(self, kept: torch.Tensor, dtype: torch.dtype, /) -> AttentionPlan:
        """How it wants a batch.

        `kept` is bool (b, L), false where there is padding; `dtype` is that of queries and keys.
        """

    def __call__(self, qkv: torch.Tensor, plan: Any, /) -> torch.Tensor:
        """Return (n, hidden), finite where there is no token, of `qkv` (n, 3 * hidden)."""


class Padded(NamedTuple):
    """A batch as it is, padding included.

    Args:
        shape: (b, L).
        groups: what is computed at a time.
        bias: added to the scores (heads, L, L), if any.
    """

    shape: torch.Size
    groups: Sequence[Group]
    bias: torch.Tensor | None

    def pack(self, values: torch.Tensor) -> torch.Tensor:
        """Values (b, L) as (b * L,)."""
        return values.flatten()

    def unpack(self, states: torch.Tensor) -> torch.Tensor:
        """States (b * L, hidden) as (b, L, hidden)."""
        return states.view(*self.shape, -1)


class TorchAttend:
    """Two plain products around `exp`, for any format and CPU.

    Args:
        heads: how many.
        bias: added to the scores, if any.
    """

    def __init__(self, heads: int, bias: RelativeBias | None = None) -> None:
        self._heads, self._bias = heads, bias
        self._shift: torch.Tensor | None = None
        self._by_row = False

    def plan(self, kept: torch.Tensor, dtype: torch.dtype = torch.float32) -> Padded:
        """As the batch is, padding included, `kept` (b, L), for queries and keys in `dtype`."""
        bias = self._bias.by_position(kept.shape[1], dtype) if self._bias else None
        return Padded(kept.shape, groups_of(kept, self._heads), bias)

    def __call__(self, qkv: torch.Tensor, plan: Padded) -> torch.Tensor:
        """Return (b * L, hidden) of `qkv` (b * L, 3 * hidden), in its format."""
        split = qkv.view(*plan.shape, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = split.contiguous()
        attended = torch.empty_like(q.transpose(1, 2), memory_format=torch.contiguous_format)
        for group in plan.groups:
            queries, keys, values = (part[group.reviews].flatten(0, 1) for part in (q, k, v))
            weights, sums = self._weights(queries, keys.transpose(1, 2), group, plan.bias)
            into = attended[group.reviews].transpose(1, 2)
            torch.div(torch.bmm(weights, values).view(into.shape), sums, out=into)
        return attended.view(len(qkv), -1)

    def _weights(
        self, q: torch.Tensor, k: torch.Tensor, group: Group, bias: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Exponentials of the scores (b * heads, L, L), 0 at padding, and sums (b, heads, L, 1).

        Softmax takes each row's largest score off before `exp`. Most layers' scores are small
        enough as they are. The first batch in which they are not finds a number for each head to
        take off instead; where that does not do either, rows get their own from then on.
        """
        by_head = self._scores(q, k, bias)
        if self._by_row:
            by_head -= group.mask(by_head, -torch.inf).amax(dim=3, keepdim=True)
        elif self._shift is not None:
            by_head -= self._shift
        group.mask(by_head.exp_(), 0)
        sums = by_head.sum(dim=3, keepdim=True)
        low, high = sums.aminmax()
        if self._by_row or (_SAFE_SUMS[0] < float(low) and float(high) < _SAFE_SUMS[1]):
            return by_head.flatten(0, 1), sums
        if self._shift is None:
            again = group.mask(self._scores(q, k, bias), -torch.inf)
            largest = again.amax(dim=3, keepdim=True).float()
            shift = (largest.amin((0, 2), True) + largest.amax((0, 2), True)) / 2
            self._shift = shift.to(again.dtype)  # torch subtracts another format far slower
        else:
            self._by_row = True
        return self._weights(q, k, group, bias)

    def _scores(self, q: torch.Tensor, k: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """Scores (b, heads, L, L)."""
        scores = torch.bmm(q, k)
        by_head = scores.view(-1, self._heads, *scores.shape[1:])
        return by_head if bias is None else by_head.add_(bias)
