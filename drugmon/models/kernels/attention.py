"""Attention for training on a CPU, where torch's fused kernel is slow at gradients.

Its backward pass in bf16 took five to ten times as long as the matrix products that it consists of
(benchmarks/README.md). Here they are taken as such, over buffers that are written in place, and
only the attention weights are kept for the backward pass.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

NAME: Final = "drugmon_training"
"""What `attn_implementation` calls it, once registered."""

ATTENDED: Final = frozenset({"albert", "bert", "distilbert", "electra", "roberta", "xlm-roberta"})
"""The model types that let another attention in, and ask nothing else of it."""


def register_attention() -> str:
    """Make it known to transformers; return its name."""
    from transformers.masking_utils import AttentionMaskInterface, eager_mask
    from transformers.modeling_utils import AttentionInterface

    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, eager_mask)
    return NAME


def _attend(
    _module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attend: queries, keys and values (b, heads, L, d) to (b, L, heads, d), as transformers asks.

    `attention_mask` is added to the scores: (b, 1 or heads, L, L), or None. Attention weights are
    not dropped out and grouped keys are not repeated, as the bases that are trained need neither.
    """
    if dropout or query.shape[1] != key.shape[1] or getattr(attention_mask, "requires_grad", False):
        raise NotImplementedError("attention dropout, grouped keys or a trained position bias")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    attended = _Attention.apply(query, key, value, attention_mask, scale)  # type: ignore[no-untyped-call]
    return attended.transpose(1, 2), None


class _Attention(torch.autograd.Function):
    """softmax(scale q k' + mask) v."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
    ) -> Tensor:
        shape = (*query.shape[:3], value.shape[3])
        query, key, value = (each.flatten(0, 1) for each in (query * scale, key, value))
        scores = torch.bmm(query, key.transpose(1, 2))
        if mask is not None:
            scores.view(*shape[:3], -1).add_(mask)
        weights = scores.softmax(dim=2)
        ctx.save_for_backward(query, key, value, weights)
        ctx.scale = scale
        return torch.bmm(weights, value).view(shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, weights = ctx.saved_tensors
        heads = grad.shape[:2]
        grad = grad.flatten(0, 1)
        of_value = torch.bmm(weights.transpose(1, 2), grad)
        of_weights = torch.bmm(grad, value.transpose(1, 2))
        of_scores = torch._softmax_backward_data(of_weights, weights, 2, weights.dtype)
        of_query = torch.bmm(of_scores, key).mul_(ctx.scale)
        of_key = torch.bmm(of_scores.transpose(1, 2), query)  # the saved query is scaled already
        found = (each.unflatten(0, heads) for each in (of_query, of_key, of_value))  # type: ignore[no-untyped-call]
        return (*found, None, None)
