"""A linear layer with LoRA whose gradient costs little more than the frozen layer's own.

peft's layer computes the low-rank branch in float32 whatever the base is in: it copies every
activation there and back, and autograd keeps those copies. Here base and branch are multiplied in
the base's number format and added in place; only the two small matrices are kept, and get their
gradients, in float32.
"""

from __future__ import annotations

from typing import Protocol

import torch
from peft.tuners.lora.layer import Linear
from torch import Tensor

from drugmon.models.internals import AutogradContext


class LoraLinear(Linear):
    """peft's layer with a forward of its own; weights, names and files are peft's."""

    def forward(self, x: Tensor, *_: object, **__: object) -> Tensor:
        """Return base(x) + scaling * B A dropout(x) in the format of x, (..., out) of (..., in)."""
        (name,) = self.active_adapters
        base = self.get_base_layer()
        down, up = self.lora_A[name].weight, self.lora_B[name].weight
        flat = x.reshape(-1, x.shape[-1])
        branch = self.lora_dropout[name](flat)
        dropped = branch if self.training and branch is not flat else None
        y: Tensor = _LowRank.apply(  # type: ignore[no-untyped-call]
            flat, dropped, base.weight, base.bias, down, up, self.scaling[name]
        )
        # Out here: some bases scale it in place, which autograd forbids of a view made in there.
        return y.view(*x.shape[:-1], -1)


class _LowRankContext(AutogradContext, Protocol):
    scale: float
    dropout: bool


class _LowRank(torch.autograd.Function):
    """y = x W' + b + s (z A') B', (n, out) of x (n, in), of a frozen W and b.

    z is x, or x after dropout.
    """

    @staticmethod
    def forward(
        ctx: _LowRankContext,
        x: Tensor,
        dropped: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        down: Tensor,
        up: Tensor,
        scale: float,
    ) -> Tensor:
        branch = x if dropped is None else dropped
        down, up = down.to(x.dtype), up.to(x.dtype) * scale
        inner = branch @ down.T
        y = x @ weight.T if bias is None else torch.addmm(bias, x, weight.T)
        y.addmm_(inner, up.T)
        ctx.save_for_backward(branch, inner, weight, down, up)
        ctx.scale, ctx.dropout = scale, dropped is not None
        return y

    @staticmethod
    def backward(ctx: _LowRankContext, grad: Tensor) -> tuple[Tensor | None, ...]:
        branch, inner, weight, down, up = ctx.saved_tensors
        of_inner = grad @ up
        of_down = (of_inner.T @ branch).float()
        of_up = (grad.T @ inner).float() * ctx.scale
        of_x = of_dropped = None
        if ctx.needs_input_grad[0]:
            of_x = grad @ weight
            if not ctx.dropout:
                of_x.addmm_(of_inner, down)
        if ctx.dropout:
            of_dropped = of_inner @ down
        return of_x, of_dropped, None, None, of_down, of_up, None
