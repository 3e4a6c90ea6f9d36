"""T5 for scoring: the encoder and the decoder's first step, laid out anew.

The same function as transformers' `T5ForConditionalGeneration` at the decoder's first position, in
fewer operations:

* the gain of each norm is multiplied into the matrices behind it, so that a norm is one factor per
  token; the residual stream stays float32;
* query, key and value are one product; activation and gate are inside the products on a CPU;
* position bias and padding become one mask, made once for all layers;
* the decoder stands at its first position, so its self-attention sees itself alone and is one
  matrix, W_o W_v. Its cross-attention never projects the tokens: q (W_k s) = (W_k' q) s, and the
  mean of W_v s is W_v of the mean of s. That leaves out two products over all tokens in each layer
  (the matrices are absorbed as in DeepSeek-AI, "DeepSeek-V2", 2024, section 2.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from drugmon.models.device import Compute
from drugmon.models.kernels.dense import ACTIVATIONS, PLAIN, Dense
from drugmon.models.kernels.relative_bias import by_position, distance_buckets

if TYPE_CHECKING:
    from transformers.models.t5.modeling_t5 import T5LayerNorm


class RootMeanSquareNorm:
    """Root mean square norm without its gain (Zhang and Sennrich, 2019), in float32."""

    def __init__(self, layer: T5LayerNorm) -> None:
        self._eps = layer.variance_epsilon

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return normalised (..., d) of float32 `x`."""
        square = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_()
        normed: torch.Tensor = x * square.div_(x.shape[-1]).add_(self._eps).rsqrt_()
        return normed


class GatedFeedForward:
    """Norm, inner layer (gated or not), outer layer."""

    def __init__(self, layer: Any, act: str, to: Compute) -> None:
        dense, gain = layer.DenseReluDense, layer.layer_norm.weight
        gated = hasattr(dense, "wi_1")
        self._norm = RootMeanSquareNorm(layer.layer_norm)
        self._inner = _joined([dense.wi_0 if gated else dense.wi], gain, to, act)
        self._gate = _joined([dense.wi_1], gain, to) if gated else None
        self._outer = _dense(dense.wo.weight, dense.wo.bias, to)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return what is added to `x` (n, d)."""
        x = self._norm(x).to(self._inner.dtype)
        inner = self._inner(x)
        return self._outer(self._gate.times(x, inner) if self._gate else inner)


class SelfAttention:
    """The encoder's: norm, attention of every token to all, output."""

    def __init__(self, layer: Any, to: Compute) -> None:
        attention = layer.SelfAttention
        self._heads = attention.n_heads
        self._norm = RootMeanSquareNorm(layer.layer_norm)
        self._qkv = _joined([attention.q, attention.k, attention.v], layer.layer_norm.weight, to)
        self._out = _dense(attention.o.weight, attention.o.bias, to)

    def __call__(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return what is added to `x` (b * L, d); `mask` (b, heads, L, L) is added to scores."""
        b, _, length, _ = mask.shape
        qkv = self._qkv(self._norm(x)).view(b, length, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind()
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0)
        return self._out(attended.transpose(1, 2).reshape(b * length, -1))


class FirstStep:
    """One layer of the decoder at its first position."""

    def __init__(self, block: Any, act: str, to: Compute) -> None:
        attention, cross, feed = block.layer
        value, out = attention.SelfAttention.v, attention.SelfAttention.o
        self._norm = RootMeanSquareNorm(attention.layer_norm)
        self._alone = _dense(
            out.weight @ (value.weight * attention.layer_norm.weight), _behind(value, out), to
        )
        source = cross.EncDecAttention
        self._heads = source.n_heads
        self._cross_norm = RootMeanSquareNorm(cross.layer_norm)
        self._query = _joined([source.q], cross.layer_norm.weight, to)
        # A key's bias would move all scores of a head alike: the softmax drops it.
        self._keys = self._by_head(source.k, to)
        self._values = self._by_head(source.v, to)
        self._out = _dense(source.o.weight, _behind(source.v, source.o), to)
        self._feed = GatedFeedForward(feed, act, to)

    def __call__(
        self, x: torch.Tensor, states: torch.Tensor, padding: torch.Tensor
    ) -> torch.Tensor:
        """Return the next `x` float32 (b, d) from `states` (b, L, d).

        `padding` float32 (b, 1, L) is added to the scores.
        """
        x = x + self._alone(self._norm(x))
        query = self._query(self._cross_norm(x)).view(len(x), self._heads, -1)
        absorbed = torch.einsum("bhk,hkd->bhd", query, self._keys)
        scores = torch.bmm(absorbed, states.transpose(1, 2)).float() + padding
        mean = torch.bmm(scores.softmax(dim=-1).to(states.dtype), states)
        x = x + self._out(torch.einsum("bhd,hkd->bhk", mean, self._values).flatten(1))
        return x + self._feed(x)

    def _by_head(self, layer: nn.Linear, to: Compute) -> torch.Tensor:
        """The weights of each head apart (heads, d_kv, d)."""
        weight: torch.Tensor = layer.weight.to(to.device, to.dtype)
        return weight.view(self._heads, -1, weight.shape[1]).contiguous()


class OneStepT5(nn.Module):
    """From prompts to the logits of a few words at the first position of the answer.

    Args:
        model: a `T5ForConditionalGeneration` or its like in float32 that `takes` allows, with LoRA
            merged; its linear layers may have a bias.
        words: the tokens of the words.
        start: the token that the decoder starts with.
        to: the device, and the format of the products.
    """

    @torch.no_grad()
    def __init__(self, model: Any, words: Sequence[int], start: int, to: Compute) -> None:
        super().__init__()
        config, encoder, decoder = model.config, model.encoder, model.decoder
        act = config.dense_act_fn
        self._dtype = to.dtype

        def table(weight: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
            return weight.to(to.device, dtype, copy=True)

        first = encoder.block[0].layer[0].SelfAttention
        self._farthest = int(first.relative_attention_max_distance)
        self._places = table(first.relative_attention_bias.weight)
        self._embedded = table(model.shared.weight, to.dtype)
        self._start = table(model.shared.weight[start])
        self._attention = [SelfAttention(block.layer[0], to) for block in encoder.block]
        self._feeds = [GatedFeedForward(block.layer[1], act, to) for block in encoder.block]
        self._norm = RootMeanSquareNorm(encoder.final_layer_norm)
        self._gain = table(encoder.final_layer_norm.weight)
        self._steps = [FirstStep(block, act, to) for block in decoder.block]
        self._last_norm = RootMeanSquareNorm(decoder.final_layer_norm)
        # T5 scales where input and output embeddings are one matrix; T5 1.1, Flan and mT5 do not.
        scale = config.d_model**-0.5 if getattr(config, "scale_decoder_outputs", False) else 1.0
        words_read = model.lm_head.weight[list(words)]
        self._words = table(words_read * decoder.final_layer_norm.weight * scale)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return logits float32 (b, words) of prompts `ids` with `mask`, int64 (b, L)."""
        padding = torch.zeros(mask.shape, device=mask.device).masked_fill_(mask == 0, -torch.inf)
        states = self._encode(ids, padding)
        x = self._start.expand(len(ids), -1)
        for step in self._steps:
            x = step(x, states, padding[:, None])
        return self._last_norm(x) @ self._words.T

    def _encode(self, ids: torch.Tensor, padding: torch.Tensor) -> torch.Tensor:
        """The encoder's states (b, L, d); `padding` float32 (b, L) is added to scores."""
        mask = (self._position_bias(ids.shape[1]) + padding[:, None, None]).to(self._dtype)
        x = functional.embedding(ids.flatten(), self._embedded).to(torch.float32, copy=True)
        for attention, feed in zip(self._attention, self._feeds, strict=True):
            x += attention(x, mask)
            x += feed(x)
        return (self._norm(x) * self._gain).to(self._dtype).view(*ids.shape, -1)

    def _position_bias(self, length: int) -> torch.Tensor:
        """Float32 (heads, L, L): what a token's distance adds to the score of another."""
        buckets = distance_buckets(length, len(self._places), self._farthest)
        return by_position(self._places[buckets.to(self._places.device)].T)


def takes(model: Any) -> bool:
    """Whether `OneStepT5` computes what `model` does: it knows its activation and its parts."""
    config = model.config
    return config.model_type in ("t5", "mt5") and config.dense_act_fn in ACTIVATIONS


def _joined(
    layers: Sequence[nn.Linear], gain: torch.Tensor, to: Compute, act: str = PLAIN
) -> Dense:
    """The layers as one, with the norm's gain (in,) that stands before them."""
    weight = torch.cat(tuple(layer.weight for layer in layers)) * gain
    if all(layer.bias is None for layer in layers):
        return _dense(weight, None, to, act)
    biases = tuple(
        layer.weight.new_zeros(len(layer.weight)) if layer.bias is None else layer.bias
        for layer in layers
    )
    return _dense(weight, torch.cat(biases), to, act)


def _dense(weight: torch.Tensor, bias: torch.Tensor | None, to: Compute, act: str = PLAIN) -> Dense:
    """A layer on its device, in the format of the products."""
    # The bias is LoRA's; T5 has none.
    moved_bias = None if bias is None else bias.to(to.device, to.dtype)
    return Dense(weight.to(to.device, to.dtype), moved_bias, act)


def _behind(inner: nn.Linear, outer: nn.Linear) -> torch.Tensor | None:
    """The biases of two layers in a row as one behind the outer layer, None where none has one."""
    bias: torch.Tensor | None = outer.bias
    if inner.bias is None:
        return bias
    moved: torch.Tensor = outer.weight @ inner.bias
    return moved if bias is None else moved + bias
