"""Attention for training on a CPU, where torch's fused kernel is slow at gradients.

Its backward pass in bf16 took five to ten times as long as the matrix products that it consists of
(benchmarks/README.md). Here they are taken as such, over buffers that are written in place, and
only the attention weights are kept for the backward pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import torch
from torch import Tensor, nn

from drugmon.models import internals
from drugmon.models.kernels.relative_bias import by_position, distance_buckets

if TYPE_CHECKING:
    from transformers.models.mpnet.modeling_mpnet import MPNetSelfAttention

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
    _module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: object,
) -> tuple[Tensor, None]:
    """Attend: queries, keys and values (b, heads, L, d) to (b, L, heads, d), as transformers asks.

    `attention_mask` is added to the scores: (b, 1 or heads, L, L), or None. Attention weights are
    not dropped out and grouped keys are not repeated, as the bases that are trained need neither.
    """
    if dropout or query.shape[1] != key.shape[1] or getattr(attention_mask, "requires_grad", False):
        raise NotImplementedError("attention dropout, grouped keys or a trained position bias")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return attention(query, key, value, attention_mask, None, scale).transpose(1, 2), None


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    scale: float,
) -> Tensor:
    """softmax(scale q k' + mask + bias) v, (b, heads, L, d).

    Args:
        query, key, value: (b, heads, L, d).
        mask: (b, 1 or heads, 1 or L, L), not trained.
        bias: (heads, L, L), which may be.
        scale: of the scores.
    """
    attended: Tensor = _Attention.apply(query, key, value, mask, bias, scale)  # type: ignore[no-untyped-call]
    return attended


class _AttentionContext(internals.AutogradContext, Protocol):
    scale: float


class _Attention(torch.autograd.Function):
    """See `attention`."""

    @staticmethod
    def forward(
        ctx: _AttentionContext,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        bias: Tensor | None,
        scale: float,
    ) -> Tensor:
        shape = (*query.shape[:3], value.shape[3])
        query, key, value = (states.flatten(0, 1) for states in (query * scale, key, value))
        scores = torch.bmm(query, key.transpose(1, 2))
        if mask is not None:
            scores.view(*shape[:3], -1).add_(mask)
        if bias is not None:
            scores.view(*shape[:3], -1).add_(bias)
        weights = scores.softmax(dim=2)
        ctx.save_for_backward(query, key, value, weights)
        ctx.scale = scale
        return torch.bmm(weights, value).view(shape)

    @staticmethod
    def backward(ctx: _AttentionContext, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, weights = ctx.saved_tensors
        heads = grad.shape[:2]
        grad = grad.flatten(0, 1)
        of_value = torch.bmm(weights.transpose(1, 2), grad)
        of_weights = torch.bmm(grad, value.transpose(1, 2))
        of_scores = internals.softmax_gradient(of_weights, weights)
        of_query = torch.bmm(of_scores, key).mul_(ctx.scale)
        of_key = torch.bmm(of_scores.transpose(1, 2), query)  # the saved query is scaled already
        gradients = (gradient.unflatten(0, heads) for gradient in (of_query, of_key, of_value))  # type: ignore[no-untyped-call]
        of_bias = of_scores.unflatten(0, heads).sum(dim=0) if ctx.needs_input_grad[4] else None  # type: ignore[no-untyped-call]
        return (*gradients, None, of_bias, None)


class _MPNetAttention(nn.Module):
    """MPNet's self-attention, which transformers lets nothing else in for; names are its own."""

    def __init__(self, attn: MPNetSelfAttention) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = attn.q, attn.k, attn.v, attn.o
        self._heads = attn.num_attention_heads

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        position_bias: Tensor | None = None,
        **_: object,
    ) -> tuple[Tensor]:
        """The states (b, L, hidden); `position_bias` (1, heads, L, L) is that of all reviews."""
        b, length, _hidden = hidden_states.shape
        query, key, value = (
            layer(hidden_states).view(b, length, self._heads, -1).transpose(1, 2)
            for layer in (self.q, self.k, self.v)
        )
        bias = None if position_bias is None else position_bias[0]
        scale = query.shape[-1] ** -0.5
        attended = attention(query, key, value, attention_mask, bias, scale)
        return (self.o(attended.transpose(1, 2).flatten(2)),)


def attend_mpnet(backbone: Any) -> None:
    """Put the attention of this module into a transformers' MPNetModel, in place.

    Its position bias is made once for a batch, not copied for every review of it.
    """
    encoder = backbone.encoder

    def compute_position_bias(x: Tensor, **_: object) -> Tensor:
        buckets = distance_buckets(x.shape[1]).to(x.device)
        return by_position(encoder.relative_attention_bias(buckets).T)[None]

    for layer in encoder.layer:
        layer.attention.attn = _MPNetAttention(layer.attention.attn)
    encoder.compute_position_bias = compute_position_bias
