from __future__ import annotations

import pytest
import torch

from drugmon.models.device import CPU_TOKENS
from drugmon.scoring.budget import MOST_TOKENS, TRIAL_TOKENS, TokenBudget

CUDA = torch.device("cuda")


class FakeGpu:
    """The memory of a GPU: `free` bytes, of which a token takes `each` while it is computed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, free: int, each: int) -> None:
        self.free, self.each = free, each
        self.weights, self.peak = 7_000, 9_999_999  # of what ran before
        self.tried: list[int] = []
        self.emptied = 0
        for name in (
            "reset_peak_memory_stats",
            "memory_allocated",
            "max_memory_allocated",
            "mem_get_info",
            "empty_cache",
        ):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))

    def run(self, tokens: int) -> None:
        self.tried.append(tokens)
        self.peak = max(self.peak, self.weights + tokens * self.each)

    def reset_peak_memory_stats(self, _device: torch.device) -> None:
        self.peak = self.weights

    def memory_allocated(self, _device: torch.device) -> int:
        return self.weights

    def max_memory_allocated(self, _device: torch.device) -> int:
        return self.peak

    def mem_get_info(self, _device: torch.device) -> tuple[int, int]:
        assert self.emptied, "what the trial has left in the cache is free memory too"
        return self.free, 10 * self.free

    def empty_cache(self) -> None:
        self.emptied += 1


def untried(_tokens: int) -> None:
    raise AssertionError("the budget is known")


def test_a_cpu_and_a_user_need_no_trial() -> None:
    assert TokenBudget(torch.device("cpu"), None, pytest.fail).tokens(untried) == CPU_TOKENS
    assert TokenBudget(torch.device("cpu"), 99, pytest.fail).tokens(untried) == 99
    assert TokenBudget(CUDA, 99, pytest.fail).tokens(untried) == 99


def test_one_trial_tells_what_the_free_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = FakeGpu(monkeypatch, free=1_000_000, each=40)
    budget = TokenBudget(CUDA, None, pytest.fail)
    assert budget.tokens(gpu.run) == 20_000
    assert budget.tokens(untried) == 20_000
    assert gpu.tried == [TRIAL_TOKENS]


def test_more_than_fills_the_units_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = FakeGpu(monkeypatch, free=10**12, each=40)
    assert TokenBudget(CUDA, None, pytest.fail).tokens(gpu.run) == MOST_TOKENS


@pytest.mark.parametrize("each", [0, 10**9])
def test_a_trial_that_tells_nothing_still_gives_a_budget(
    monkeypatch: pytest.MonkeyPatch, each: int
) -> None:
    gpu = FakeGpu(monkeypatch, free=1_000_000, each=each)
    found = TokenBudget(CUDA, None, pytest.fail).tokens(gpu.run)
    assert found == (MOST_TOKENS if not each else 1)


def test_a_trial_that_does_not_fit_lowers_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = FakeGpu(monkeypatch, free=10**9, each=1)
    warnings: list[str] = []
    budget = TokenBudget(CUDA, None, warnings.append)

    def run(tokens: int) -> None:
        gpu.run(tokens // 2)
        budget.lower(tokens // 2)

    assert budget.tokens(run) == TRIAL_TOKENS // 2
    assert len(warnings) == 1


def test_it_only_ever_gets_lower_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = FakeGpu(monkeypatch, free=1_000_000, each=40)
    warnings: list[str] = []
    budget = TokenBudget(CUDA, 1000, warnings.append)
    for tokens in (500, 800, 300):
        budget.lower(tokens)
    assert budget.tokens(untried) == 300
    assert warnings == [
        "out of memory on cuda: going on with smaller batches "
        "(--batch-tokens 500 avoids the first failure)"
    ]
    assert gpu.emptied == 3
