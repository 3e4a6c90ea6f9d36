from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from drugmon.models.adapters.lora import add_lora
from drugmon.models.kernels.lora_linear import LoraLinear

SETTINGS: dict[str, Any] = {"r": 2, "lora_alpha": 6, "target_modules": ["first", "second"]}


class Net(nn.Module):
    """Two layers, one of them without a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 5, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(self.first(x).tanh())
        return out


def both(dtype: torch.dtype = torch.float32, dropout: float = 0.0) -> tuple[nn.Module, nn.Module]:
    """The same layers with our LoRA and with peft's own, B not zero."""
    torch.manual_seed(0)
    net = Net().to(dtype)
    ours = add_lora(
        copy.deepcopy(net), r=2, alpha=6, dropout=dropout, target_modules=["first", "second"]
    )
    theirs = get_peft_model(net, LoraConfig(**SETTINGS, lora_dropout=dropout))
    for name, own in ours.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(own)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def gradients(model: nn.Module, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Output, and gradients of all that is trained and of the input."""
    x = x.clone().requires_grad_()
    torch.manual_seed(1)
    out: Tensor = model(x)
    (out.float() * torch.arange(out.numel()).reshape(out.shape).cos()).sum().backward()  # type: ignore[no-untyped-call]
    found = {n: p.grad for n, p in model.named_parameters() if p.requires_grad}
    assert x.grad is not None
    assert all(grad is not None and grad.dtype == torch.float32 for grad in found.values())
    return out, {"x": x.grad, **found}  # type: ignore[dict-item]


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_values_and_gradients_are_those_of_peft(dropout: float) -> None:
    ours, theirs = both(dropout=dropout)
    x = torch.randn(3, 4, 6)
    (got, own), (expected, other) = gradients(ours, x), gradients(theirs, x)
    assert torch.allclose(got, expected, atol=1e-5)
    assert own.keys() == other.keys()
    for name, grad in own.items():
        assert torch.allclose(grad, other[name], atol=1e-4), name


def test_a_bf16_base_keeps_float32_matrices() -> None:
    ours, theirs = both(torch.bfloat16)
    x = torch.randn(3, 4, 6).bfloat16()
    (got, own), (expected, other) = gradients(ours, x), gradients(theirs, x)
    assert got.dtype == torch.bfloat16
    assert torch.allclose(got.float(), expected.float(), atol=0.1)
    for name, grad in own.items():
        assert torch.allclose(grad.float(), other[name].float(), atol=0.3), name


def test_it_stands_where_peft_put_its_own() -> None:
    ours, theirs = both()
    assert sum(isinstance(module, LoraLinear) for module in ours.modules()) == 2
    assert list(ours.state_dict()) == list(theirs.state_dict())
