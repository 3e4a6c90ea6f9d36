"""Micro-batches: the parts of a batch that go through the model one after the other.

Their gradients add up to those of the whole batch, so that the memory bounds the part and the
recipe alone decides on the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from drugmon.errors import DeviceError, is_out_of_memory
from drugmon.models.device import CPU_TOKENS
from drugmon.models.tokens.inputs import token_batches

Rows = NDArray[np.int64]

DEFAULT_TOKENS: Final = {"cpu": CPU_TOKENS, "cuda": 65_536}
"""Tokens of a micro-batch: on a CPU what its caches still serve, on a GPU what fills its units."""


class MicroBatches:
    """Cuts batches into parts of at most `tokens` tokens, padding included.

    Args:
        lengths: tokens of each example (n,).
        tokens: the budget, 0 for the default of the device.
        device: where the model is.
        warn: is told, once and in one sentence, that the parts had to shrink.
    """

    def __init__(
        self, lengths: Rows, tokens: int, device: torch.device, warn: Callable[[str], None]
    ) -> None:
        self._lengths, self._device, self._warn = lengths, device, warn
        self._warned = False
        self.tokens = tokens or DEFAULT_TOKENS[device.type]

    def run(self, rows: Rows, begin: Callable[[], None], learn: Callable[[Rows], float]) -> float:
        """Call `begin`, then `learn` on each part of `rows`; return the sum of what it gives.

        Where a part does not fit the memory, the budget is halved for good (twice as many parts of
        the same batch), and the batch begins again.

        Raises:
            DeviceError: a single example does not fit.
        """
        while True:
            begin()
            total, part = 0.0, rows
            try:
                for part in self._parts(rows):
                    total += learn(part)
                return total
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Outside the except block: the error holds the failed part's tensors until it is gone.
            self._shrink(part)

    def _parts(self, rows: Rows) -> list[Rows]:
        lengths = self._lengths[rows].tolist()
        return [rows[part] for part in token_batches(lengths, self.tokens)]

    def _shrink(self, failed: Rows) -> None:
        longest = int(self._lengths[failed].max())
        if len(failed) == 1:
            raise DeviceError(
                f"training on one review of {longest} tokens does not fit the memory of "
                f"{self._device}: set train.gradient_checkpointing=true or a smaller "
                "model.max_length, or use another --device"
            )
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        self.tokens = longest * (len(failed) // 2)
        if not self._warned:
            self._warn(
                f"out of memory on {self._device}: going on with smaller micro-batches, which add "
                f"up to the same batches (train.micro_tokens={self.tokens} avoids the failure)"
            )
        self._warned = True
