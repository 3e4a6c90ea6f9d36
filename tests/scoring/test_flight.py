from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch

from drugmon.scoring.flight import Flight, later


def test_results_of_a_cpu_are_there_at_once() -> None:
    values = torch.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(Flight(values).land(), values.numpy())


class FakeTensor:
    """Values on a GPU, whose copy holds them once its event has come."""

    device = torch.device("cuda", 1)

    def __init__(self, log: list[Any]) -> None:
        self._log = log

    def to(self, device: str, non_blocking: bool) -> FakeTensor:
        self._log.append(("copy", device, non_blocking))
        return self

    def numpy(self) -> str:
        self._log.append("read")
        return "values"


def test_results_of_a_gpu_are_waited_for_when_they_land(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[Any] = []

    class FakeEvent:
        def record(self, stream: object) -> None:
            log.append(("record", stream))

        def synchronize(self) -> None:
            log.append("wait")

    monkeypatch.setattr(torch.cuda, "Event", FakeEvent)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"stream of {device}")
    flight = Flight(cast(torch.Tensor, FakeTensor(log)))
    assert log == [("copy", "cpu", True), ("record", "stream of cuda:1")]
    assert cast(str, flight.land()) == "values"
    assert log[2:] == ["wait", "read"]


@pytest.mark.parametrize("number", [0, 2, 9])
def test_later_keeps_order_and_distance(number: int) -> None:
    taken: list[int] = []

    def source() -> Any:
        for one in range(5):
            taken.append(one)
            yield one

    found = []
    for one in later(source(), number):
        assert taken[-1] == min(4, one + number)
        found.append(one)
    assert found == list(range(5))
