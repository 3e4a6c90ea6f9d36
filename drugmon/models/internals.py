"""The fence around private functions of torch and peft: one function for each, tried before use.

They may go or change with any release. `usable` tells which of them still do what they did; where
one does not, the callers take torch's or peft's public way, which is slower and no less right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from peft import LoraConfig

_GONE: Final = (AttributeError, NotImplementedError, RuntimeError, TypeError)
"""What a function that is gone, takes other arguments, or cannot do it here raises."""

Activation = tuple[str, list[float], str]
"""A name, its numbers, and the variant of the formula, as oneDNN has them."""

NOTHING: Final[Activation] = ("none", [], "none")


def usable() -> dict[str, bool]:
    """Which private functions do what they should, by what they are for.

    What this CPU has no units for counts as well: it is not asked for either.
    """
    units = multiplies_int8()
    return {
        "packed products": packs_dense(torch.float32),
        "products in int8": not units or quantised_products(),
        "softmax's gradient": _has_softmax_gradient(),
        "layers for LoRA": _has_custom_layers(),
    }


def has_onednn() -> bool:
    """Whether this torch was built with oneDNN."""
    return bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]


def capability(name: str) -> bool:
    """Whether this CPU has a feature, by torch's name of it, such as `avx512_vnni`."""
    return bool(torch.cpu.get_capabilities().get(name, False))


def multiplies_bf16() -> bool:
    """Whether oneDNN has code for bf16 on this CPU; elsewhere it is emulated."""
    wide = all(map(capability, ("avx512_bw", "avx512_vl", "avx512_dq")))
    return has_onednn() and (wide or capability("avx_ne_convert"))


def multiplies_int8() -> bool:
    """Whether this CPU multiplies int8 without loss; older ones saturate the sums of two."""
    return has_onednn() and capability("avx512_vnni")


@cache
def uses_amx() -> bool:
    """Whether this CPU has AMX and the system lets this process use it."""
    try:
        return capability("amx_tile") and bool(torch.cpu._init_amx())
    except _GONE:
        return False


@cache
def packs_dense(dtype: torch.dtype) -> bool:
    """Whether oneDNN's packed products in `dtype` run here, and give what torch's linear does."""
    generator = torch.Generator().manual_seed(0)
    x, weight, bias, other = (
        torch.randn(*shape, generator=generator).to(dtype)
        for shape in ((4, 32), (16, 32), (16,), (4, 16))
    )
    if not has_onednn():
        return False
    try:
        packed = pack_weight(weight)
        products = [
            dense(x, packed, bias, ("gelu", [], "none")),
            dense_with(x, other, packed, bias, "add"),
            dense_with(x, other, packed, bias, "mul"),
        ]
    except _GONE:
        return False
    plain = functional.linear(x.float(), weight.float(), bias.float())
    expected = (functional.gelu(plain), plain + other.float(), plain * other.float())
    return _all_close(products, expected, 1e-4 if dtype == torch.float32 else 0.1)


def pack_weight(weight: Tensor) -> Tensor:
    """A contiguous weight (out, in) laid out for `dense`."""
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight)
    return packed


def dense(x: Tensor, packed: Tensor, bias: Tensor | None, act: Activation = NOTHING) -> Tensor:
    """act(x W' + b) (n, out) of x (n, in).

    Args:
        x: (n, in).
        packed: W (out, in), laid out by `pack_weight`.
        bias: b (out,); None without.
        act: what goes behind it.
    """
    result: Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, *act)
    return result


def dense_with(x: Tensor, other: Tensor, packed: Tensor, bias: Tensor | None, how: str) -> Tensor:
    """x W' + b with `other` (n, out) added (`add`) or multiplied (`mul`).

    Args:
        x: (n, in).
        other: (n, out).
        packed: W (out, in), laid out by `pack_weight`.
        bias: b (out,); None without.
        how: `add` or `mul`.
    """
    result: Tensor = torch.ops.mkldnn._linear_pointwise.binary(x, other, packed, bias, how)
    return result


@cache
def quantised_products() -> bool:
    """Whether products in int8 run here, and give what products of the same numbers do."""
    if not has_onednn():
        return False
    steps = torch.arange(64, dtype=torch.uint8).view(2, 32)
    weight = torch.arange(-64, 64, dtype=torch.int8).view(4, 32)
    scales, bias = torch.full((4,), 0.01), torch.arange(4.0)
    zeros = torch.zeros(4, dtype=torch.int64)
    expected = 0.5 * (steps.float() - 3) @ (weight.float() * 0.01).T + bias
    try:
        packed = pack_quantised(weight)
        product = quantised(
            *(steps, (0.5, 3), packed, scales, zeros, bias),
            into=(1.0, 0, torch.float32),
            act="none",
        )
        added = add_quantised(torch.ones(2, 4), steps, (0.5, 3), packed, scales, zeros, bias)
    except _GONE:
        return False
    return _all_close([product, added], (expected, expected + 1), 1e-3)


def pack_quantised(weight: Tensor) -> Tensor:
    """An int8 weight (out, in) laid out for `quantised`."""
    packed: Tensor = torch.ops.onednn.qlinear_prepack(weight, None)
    return packed


def quantised(
    x: Tensor,
    steps: tuple[float, int],
    packed: Tensor,
    scales: Tensor,
    zeros: Tensor,
    bias: Tensor,
    *,
    into: tuple[float, int, torch.dtype],
    act: str,
) -> Tensor:
    """act(x W' + b) (n, out).

    Args:
        x: uint8 (n, in).
        steps: what x is: the first times (x - the second).
        packed: the weight, see `pack_quantised`.
        scales: of the weight's rows, float32 (out,).
        zeros: of the weight's rows, int64 (out,).
        bias: float32 (out,).
        into: scale, zero and format of the result.
        act: its name.
    """
    result: Tensor = torch.ops.onednn.qlinear_pointwise(
        *(x, *steps, packed, scales, zeros, bias),
        *into,
        *(act, [], "none"),
    )
    return result


def add_quantised(
    other: Tensor,
    x: Tensor,
    steps: tuple[float, int],
    packed: Tensor,
    scales: Tensor,
    zeros: Tensor,
    bias: Tensor,
) -> Tensor:
    """Add x W' + b to `other` (n, out), in place; the rest as in `quantised`.

    Args:
        other: (n, out), float32, changed.
        x: (n, in), uint8.
        steps: what x is: the first times (x - the second).
        packed: W (out, in), int8, see `pack_quantised`.
        scales: of the rows of W (out,).
        zeros: of the rows of W (out,).
        bias: b (out,), float32.
    """
    result: Tensor = torch.ops.onednn.qlinear_pointwise.binary(
        *(x, *steps, packed, scales, zeros, other, bias),
        *(1.0, 0, other.dtype),
        *(1.0, 0, "sum", 1.0, "none", [], ""),
    )
    return result


class AutogradContext(Protocol):
    """What torch hands to both passes of an autograd function, as far as it is used."""

    saved_tensors: tuple[Tensor, ...]
    needs_input_grad: tuple[bool, ...]

    def save_for_backward(self, *tensors: Tensor) -> None:
        """Keep what the backward pass needs, of any shapes (...,)."""


def softmax_gradient(grad: Tensor, weights: Tensor) -> Tensor:
    """The gradient of what softmax over the last dimension gave `weights` for, all of any shape."""
    if _has_softmax_gradient():
        return torch._softmax_backward_data(grad, weights, weights.dim() - 1, weights.dtype)
    scaled = grad * weights
    return scaled.sub_(weights * scaled.sum(dim=-1, keepdim=True))


@cache
def _has_softmax_gradient() -> bool:
    weights = torch.tensor([[0.25, 0.75]])
    try:
        gradient = torch._softmax_backward_data(
            torch.tensor([[1.0, 0.0]]), weights, 1, weights.dtype
        )
    except _GONE:
        return False
    return _all_close([gradient], (torch.tensor([[0.1875, -0.1875]]),), 1e-6)


def put_layers(config: LoraConfig, layers: Mapping[type, type]) -> None:
    """Have peft make LoRA's layers of other classes; where it cannot, it makes its own.

    Args:
        config: a `LoraConfig`.
        layers: the class of a base's layer -> a class of ours that holds peft's weights.
    """
    if _has_custom_layers():
        config._register_custom_module(dict(layers))


@cache
def _has_custom_layers() -> bool:
    from peft import LoraConfig

    return callable(getattr(LoraConfig, "_register_custom_module", None))


def _all_close(computed: Sequence[Tensor], expected: Sequence[Tensor], within: float) -> bool:
    return all(
        one.shape == other.shape and torch.allclose(one.float(), other, atol=within, rtol=within)
        for one, other in zip(computed, expected, strict=True)
    )
