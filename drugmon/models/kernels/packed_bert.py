"""BERT's encoder for scoring on a CPU: the function of transformers' BertModel, laid out anew.

RoBERTa and its kin differ from it in where positions begin, MPNet in a relative position bias as
well; `packed_layout.py` has the names of each.

What differs is how it is computed (`docs/decisions/0007-packed-bert.md` has what each gives):

* query, key and value are one product, with the scale of the scores in its weights;
* dense layers hold packed weights, with bias and GELU inside the product;
* attention is two plain products around `exp` (`packed_attention.py`);
* where the CPU has AMX, what is between the dense layers is in kernels of our own, and batches are
  packed without padding (`packed_amx.py`);
* the residual stream has the format of the products (float32 with int8), and is added inside them;
* where the CPU has the units for it and the ranges are known, the dense layers compute in int8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import torch
from torch import nn
from torch.nn import functional

from drugmon.errors import AdapterError
from drugmon.models import internals
from drugmon.models.bases.bases import Base, BaseConfig
from drugmon.models.device import Compute
from drugmon.models.kernels import amx
from drugmon.models.kernels.dense import PLAIN, Dense
from drugmon.models.kernels.int8 import Int8Dense, Int8FeedForward, Int8Projection, Parameters
from drugmon.models.kernels.packed_amx import AmxAttend, AmxGelu, AmxNorm
from drugmon.models.kernels.packed_attention import Attend, AttentionPlan, TorchAttend
from drugmon.models.kernels.packed_layout import LAYOUTS, first_position, has_layout
from drugmon.models.kernels.ranges import ActivationRange, WatchedLayer
from drugmon.models.kernels.relative_bias import RelativeBias

Weights = Mapping[str, torch.Tensor]

_QUANTISED: Final = (
    ("attention", "qkv"),
    ("attention", "out"),
    ("feed_forward", "inner"),
    ("feed_forward", "outer"),
)
"""Where a layer has the products that can be in int8."""


class States(NamedTuple):
    """What BertModel returns, as far as it is used."""

    last_hidden_state: torch.Tensor


class LayerNorm(Protocol):
    """A layer norm of what a dense layer adds to the states."""

    def after(self, dense: Any, states: torch.Tensor, x: torch.Tensor, /) -> torch.Tensor:
        """Return `x` (n, hidden) with what `dense` makes of `found`, normalised.

        x may be written to.
        """


@dataclass(frozen=True)
class Norm:
    """A layer norm in float32."""

    weight: torch.Tensor
    bias: torch.Tensor
    eps: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return normalised (n, hidden), computed in float32, in the format of `x`."""
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)

    def after(
        self, dense: Dense | WatchedLayer | Int8Projection, states: torch.Tensor, x: torch.Tensor
    ) -> torch.Tensor:
        """Return `x` (n, hidden) with what `dense` makes of `found`, normalised."""
        return self(dense.plus(states, x))


@dataclass
class Attention:
    """Self-attention with what is before and behind it.

    Args:
        qkv: query, key and value of all heads in one, scaled so that scores need no scale.
        attend: attention proper.
        out: the projection behind it.
        norm: of the states with what comes out of it.
    """

    qkv: Dense | WatchedLayer | Int8Dense
    attend: Attend
    out: Dense | WatchedLayer | Int8Projection
    norm: LayerNorm

    def __call__(self, x: torch.Tensor, plan: AttentionPlan) -> torch.Tensor:
        """Return the states after it (n, hidden)."""
        return self.norm.after(self.out, self.attend(self.qkv(x), plan), x)


@dataclass
class FeedForward:
    """Two dense layers, the first with GELU."""

    inner: Dense | AmxGelu | WatchedLayer
    outer: Dense | WatchedLayer
    norm: LayerNorm

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return the states after it (n, hidden)."""
        return self.norm.after(self.outer, self.inner(x), x)


@dataclass(frozen=True)
class Layer:
    """One layer of the encoder."""

    attention: Attention
    feed_forward: FeedForward | Int8FeedForward

    def __call__(self, x: torch.Tensor, plan: AttentionPlan) -> torch.Tensor:
        """Return the next states (n, hidden); x may be written to."""
        return self.feed_forward(self.attention(x, plan))


class PackedBert(nn.Module):
    """BertModel or its like without pooler, on a CPU, for scoring only.

    Args:
        bert: a model in float32 that `packs` allows, or its parameters in modules of its names.
        config: its `config.json`.
        dtype: the format of the products.
        ranges: those of the dense layers' inputs, for products in int8; None for none of them.

    Raises:
        AdapterError: the ranges are not those of this model's layers.
    """

    dtype: torch.dtype

    def __init__(
        self,
        bert: nn.Module,
        config: BaseConfig,
        dtype: torch.dtype,
        ranges: Mapping[str, ActivationRange] | None = None,
    ) -> None:
        super().__init__()
        weights = {name: weight.detach() for name, weight in bert.named_parameters()}
        self._heads = int(config["num_attention_heads"])
        self._eps = float(config["layer_norm_eps"])
        self.dtype = dtype
        self._has_kernels = amx.computes(dtype, int(config["hidden_size"]), self._heads)
        # What goes into int8 products is scaled in float32.
        self._states = dtype if ranges is None else torch.float32
        self._layout = layout = LAYOUTS[config["model_type"]]
        self._bias = RelativeBias(weights[layout.bias]) if layout.bias else None
        self._words = weights[layout.words]
        self._places = weights[layout.places][first_position(config) :]
        if layout.types:
            self._places = self._places + weights[layout.types][0]
        self._norm = self._norm_of(weights, layout.norm)
        self._layers = [
            self._layer_of(weights, number, ranges)
            for number in range(int(config["num_hidden_layers"]))
        ]

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> States:
        """Token states float32 (b, L, hidden) of `input_ids` and `attention_mask`, int64 (b, L)."""
        plan = self._layers[0].attention.attend.plan(attention_mask > 0, self.dtype)
        places = torch.arange(input_ids.shape[1]).expand_as(input_ids)
        words, places = plan.pack(input_ids), plan.pack(places)
        x = functional.embedding(words, self._words) + functional.embedding(places, self._places)
        x = self._norm(x).to(self._states)
        for layer in self._layers:
            x = layer(x, plan)
        return States(plan.unpack(x).float())

    @property
    def pads(self) -> bool:
        """Whether padding takes as long as tokens do."""
        return not self._has_kernels

    def watch(self) -> dict[str, WatchedLayer]:
        """From now on, record the ranges that products in int8 need, by the layers' names."""
        watched: dict[str, WatchedLayer] = {}
        for number, layer in enumerate(self._layers):
            for owner, part in _QUANTISED:
                holder = getattr(layer, owner)
                watched[f"{number}.{part}"] = WatchedLayer(getattr(holder, part))
                setattr(holder, part, watched[f"{number}.{part}"])
        return watched

    def _layer_of(
        self, weights: Weights, number: int, ranges: Mapping[str, ActivationRange] | None
    ) -> Layer:
        layout = self._layout
        name = layout.layer(number)
        of_layer = {key.removeprefix(name): w for key, w in weights.items() if key.startswith(name)}
        qkv = self._qkv_of(of_layer)
        out, inner, outer = (
            (of_layer[f"{part}.weight"], of_layer[f"{part}.bias"])
            for part in (layout.out, layout.inner, layout.outer)
        )
        kind = AmxAttend if self._has_kernels else TorchAttend
        attend = kind(self._heads, self._bias)
        after_attention, after = (
            self._norm_of(of_layer, part) for part in (layout.after_attention, layout.after)
        )
        if ranges is not None:
            inputs = _ranges_of(number, ranges)
            projection = Int8Projection(out, inputs[1])
            quantised = Int8Dense(_with_values(qkv, projection.values), inputs[0], self.dtype)
            return Layer(
                Attention(quantised, attend, projection, after_attention),
                Int8FeedForward(inner, outer, inputs[2], inputs[3], after),
            )
        if self._has_kernels:
            return Layer(
                Attention(self._dense(qkv), attend, self._dense(out), _compiled(after_attention)),
                FeedForward(AmxGelu(self._dense(inner)), self._dense(outer), _compiled(after)),
            )
        return Layer(
            Attention(self._dense(qkv), attend, self._dense(out), after_attention),
            FeedForward(self._dense(inner, "gelu"), self._dense(outer), after),
        )

    def _qkv_of(self, of_layer: Weights) -> Parameters:
        layout = self._layout
        size = of_layer[f"{layout.query}.weight"].shape[0] // self._heads
        scales = {layout.query: size**-0.5, layout.key: 1.0, layout.value: 1.0}
        weight, bias = (
            torch.cat([of_layer[f"{part}.{kind}"] * scale for part, scale in scales.items()])
            for kind in ("weight", "bias")
        )
        return weight, bias

    def _dense(self, layer: Parameters, act: str = PLAIN) -> Dense:
        weight, bias = (part.to(self.dtype) for part in layer)
        return Dense(weight, bias, act)

    def _norm_of(self, weights: Weights, name: str) -> Norm:
        return Norm(weights[f"{name}.weight"], weights[f"{name}.bias"], self._eps)


def _compiled(norm: Norm) -> AmxNorm:
    return AmxNorm(norm.weight, norm.bias, norm.eps)


def _with_values(qkv: Parameters, change: Callable[[Parameters], Parameters]) -> Parameters:
    """Query, key and value in one, with the part that gives the values changed."""
    weights, biases = (part.chunk(3) for part in qkv)
    weight, bias = change((weights[2], biases[2]))
    return torch.cat([*weights[:2], weight]), torch.cat([*biases[:2], bias])


def _ranges_of(number: int, ranges: Mapping[str, ActivationRange]) -> list[ActivationRange]:
    """The ranges of one layer, in the order of `_QUANTISED`."""
    try:
        return [ranges[f"{number}.{part}"] for _, part in _QUANTISED]
    except KeyError as error:
        raise AdapterError(
            f"no ranges of layer {error}: train the adapter again (--dtype bf16 or fp32 need none)"
        ) from None


def packs(base: Base, compute: Compute) -> bool:
    """Whether `PackedBert` computes what `base` does, on `compute`."""
    on_cpu = compute.device.type == "cpu" and internals.has_onednn()
    return on_cpu and has_layout(base.config)
