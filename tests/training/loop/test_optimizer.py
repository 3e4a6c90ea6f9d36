from __future__ import annotations

import pytest
import torch

from drugmon.training.loop.optimizer import Optimizer, schedule
from drugmon.training.recipe import Train


def test_the_rate_rises_then_falls_to_nothing() -> None:
    factors = [schedule(step, 100, 0.1) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == factors[10] == 1
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == 0


@pytest.mark.parametrize("warmup", [0.0, 1.0])
def test_the_ends_of_the_warm_up_range_work(warmup: float) -> None:
    assert all(0 < schedule(step, 7, warmup) <= 1 for step in range(7))


def test_heads_learn_at_their_own_rate_and_gradients_are_clipped() -> None:
    parameters = {
        name: torch.nn.Parameter(torch.zeros(1)) for name in ("lora.a", "heads.overall.weight")
    }
    settings = Train(learning_rate=0.01, head_learning_rate=0.1, warmup=0.0, max_grad_norm=1e-3)
    optimizer = Optimizer(parameters, settings, steps=10)
    loss = sum((1000 * parameter).sum() for parameter in parameters.values())
    assert isinstance(loss, torch.Tensor)
    optimizer.begin()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step(0)
    # AdamW's first step moves by the rate, whatever the size of the gradient
    assert parameters["lora.a"].item() == pytest.approx(-0.01, rel=1e-3)
    assert parameters["heads.overall.weight"].item() == pytest.approx(-0.1, rel=1e-3)
    norm = torch.cat([p.grad for p in parameters.values() if p.grad is not None]).norm()
    assert norm.item() == pytest.approx(1e-3, rel=1e-2)
