from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch

from drugmon.errors import DeviceError
from drugmon.training.loop.micro import MicroBatches, Rows

CPU = torch.device("cpu")
LENGTHS = np.array([9, 2, 3, 4, 5, 6, 7, 8])


class Memory:
    """Learns parts of at most `holds` tokens; a larger one raises `error`."""

    def __init__(self, holds: int, error: Exception | None = None) -> None:
        self.holds, self.error = holds, error or MemoryError()
        self.begun, self.learnt = 0, list[list[int]]()

    def begin(self) -> None:
        self.begun, self.learnt = self.begun + 1, []

    def learn(self, rows: Rows) -> float:
        if LENGTHS[rows].max() * len(rows) > self.holds:
            raise self.error
        self.learnt.append(rows.tolist())
        return float(len(rows))


def make(tokens: int, said: list[str]) -> MicroBatches:
    return MicroBatches(LENGTHS, tokens, CPU, said.append)


def test_parts_hold_the_batch_within_the_budget() -> None:
    said: list[str] = []
    memory, rows = Memory(16), np.array([1, 3, 5, 7, 0])
    assert make(16, said).run(rows, memory.begin, memory.learn) == 5
    assert sorted(chain.from_iterable(memory.learnt)) == [0, 1, 3, 5, 7]
    assert len(memory.learnt) > 1
    assert memory.begun == 1
    assert said == []


def test_out_of_memory_halves_the_parts_and_tells_it_once() -> None:
    said: list[str] = []
    memory, micro = Memory(10, RuntimeError("can't allocate memory: 1 TB")), make(64, said)
    for _ in range(2):
        assert micro.run(np.arange(8), memory.begin, memory.learn) == 8
        assert sorted(chain.from_iterable(memory.learnt)) == list(range(8))
    assert len(said) == 1
    assert "out of memory on cpu: going on with smaller micro-batches" in said[0]
    assert micro.tokens <= 10
    begun = memory.begun
    micro.run(np.arange(8), memory.begin, memory.learn)
    assert memory.begun == begun + 1, "the smaller budget is kept"


def test_one_example_that_does_not_fit_ends_the_run() -> None:
    memory = Memory(8)
    with pytest.raises(DeviceError, match=r"one review of 9 tokens does not fit .*checkpointing"):
        make(64, []).run(np.arange(8), memory.begin, memory.learn)


def test_other_errors_are_not_hidden() -> None:
    memory = Memory(0, RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes"):
        make(64, []).run(np.arange(8), memory.begin, memory.learn)
