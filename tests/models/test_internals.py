"""Private functions: what they do is what the public ones do, and without them nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.nn import functional

from drugmon.models import internals
from drugmon.models.kernels.dense import Dense


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Each test asks anew, and what a test broke is forgotten."""
    probes: tuple[Any, ...] = (
        *(internals.packs_dense, internals.quantised_products, internals.uses_amx),
        *(internals._has_softmax_gradient, internals._has_custom_layers),
    )
    for probe in probes:
        probe.cache_clear()
    yield
    for probe in probes:
        probe.cache_clear()


def gone(*_arguments: Any, **_options: Any) -> Any:
    raise AttributeError("no such function")


def test_all_are_usable_with_the_pinned_releases() -> None:
    assert set(internals.usable().values()) == {True}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("broken", [False, True])
def test_a_dense_layer_is_right_without_the_packed_products(
    dtype: torch.dtype, broken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bf16 has none on CPUs with AVX2 alone."""
    if broken:
        monkeypatch.setattr(internals, "dense", gone)
    x, weight, bias, other = (
        torch.randn(*shape).to(dtype) for shape in ((3, 8), (5, 8), (5,), (3, 5))
    )
    layer = Dense(weight, bias, "gelu")
    assert layer._packed is (internals.packs_dense(dtype) and not broken)
    plain = functional.linear(x.float(), weight.float(), bias.float())
    close: Any = {"atol": 1e-4 if dtype == torch.float32 else 0.05, "rtol": 0.02}
    torch.testing.assert_close(layer(x).float(), functional.gelu(plain), **close)
    torch.testing.assert_close(layer.plus(x, other).float(), plain + other.float(), **close)
    torch.testing.assert_close(layer.times(x, other).float(), plain * other.float(), **close)


def test_products_that_give_something_else_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    right = internals.dense
    monkeypatch.setattr(internals, "dense", lambda *arguments: right(*arguments) + 1)
    assert internals.packs_dense(torch.float32) is False
    assert internals.usable()["packed products"] is False


@pytest.mark.parametrize("broken", [False, True])
def test_softmax_has_its_gradient(broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if broken:
        monkeypatch.setattr(torch, "_softmax_backward_data", gone)
    scores = torch.randn(2, 3, 4, requires_grad=True)
    weights, grad = scores.softmax(dim=2), torch.randn(2, 3, 4)
    weights.backward(grad)  # type: ignore[no-untyped-call]
    found = internals.softmax_gradient(grad, weights.detach())
    torch.testing.assert_close(found, scores.grad)
    assert internals.usable()["softmax's gradient"] is not broken


def test_peft_makes_its_own_layers_where_it_takes_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from peft import LoraConfig

    from drugmon.models.adapters.lora import add_lora
    from drugmon.models.kernels.lora_linear import LoraLinear

    monkeypatch.delattr(LoraConfig, "_register_custom_module")
    net = torch.nn.Sequential(torch.nn.Linear(4, 4))
    wrapped = add_lora(net, r=2, alpha=4, dropout=0, target_modules=["0"])
    assert not any(isinstance(module, LoraLinear) for module in wrapped.modules())
    assert internals.usable()["layers for LoRA"] is False


def test_features_of_the_cpu_are_told_and_unknown_ones_are_not_there() -> None:
    assert internals.capability("no such feature") is False
    assert internals.uses_amx() in (True, False)
    assert internals.multiplies_bf16() in (True, False)


def test_system_that_keeps_amx_back_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(internals, "capability", lambda _name: True)
    monkeypatch.setattr(torch.cpu, "_init_amx", lambda: False)
    assert internals.uses_amx() is False
    internals.uses_amx.cache_clear()
    monkeypatch.setattr(torch.cpu, "_init_amx", gone)
    assert internals.uses_amx() is False
