"""Results on their way from the device to the host."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch

T = TypeVar("T")


class Flight:
    """The copy of float32 `values` to the host, begun but not waited for.

    On a CPU they are there already. From a GPU they go to pinned memory when the kernels before
    them are done; the host queues more work meanwhile.
    """

    def __init__(self, values: torch.Tensor) -> None:
        # From a GPU, torch takes pinned memory for a copy that does not block.
        self._values = values.to("cpu", non_blocking=True)
        self._landed: torch.cuda.Event | None = None
        if values.device.type == "cuda":
            self._landed = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._landed.record(torch.cuda.current_stream(values.device))

    def land(self) -> npt.NDArray[np.float32]:
        """The values, in any shape that was sent, waited for."""
        if self._landed:
            self._landed.synchronize()
        values: npt.NDArray[np.float32] = self._values.numpy()
        return values


def later(launched: Iterator[T], number: int) -> Iterator[T]:
    """Yield each one when `number` more are launched; at once where that is 0."""
    waiting: deque[T] = deque()
    for one in launched:
        waiting.append(one)
        if len(waiting) > number:
            yield waiting.popleft()
    yield from waiting
