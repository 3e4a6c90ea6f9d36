"""How many tokens a batch may hold: what suits the device, found once, lowered where it must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch

from drugmon.models.device import CPU_TOKENS

MOST_TOKENS: Final = 131_072
"""A GPU's units are filled long before; more would only wait longer for the last review."""

TRIAL_TOKENS: Final = 8_192
SHARE: Final = 0.8
"""Of a GPU's free memory: the rest is for what the trial does not show, and for other processes."""


class TokenBudget:
    """The tokens that a batch on one device may hold, padding included.

    Args:
        device: where batches are computed.
        given: what the user asked for; None for what suits the device.
        warn: is told, in one sentence, when batches have to shrink.
    """

    def __init__(
        self, device: torch.device, given: int | None, warn: Callable[[str], None]
    ) -> None:
        self._device, self._warn = device, warn
        self._tokens = given or (CPU_TOKENS if device.type == "cpu" else None)
        self._warned = False

    def tokens(self, run: Callable[[int], None]) -> int:
        """Return the budget.

        The first call for a GPU measures it: what `run` of a batch of so many tokens takes says
        how many the free memory holds.
        """
        if self._tokens is None:
            bytes_of_token = self._memory_of(run) / TRIAL_TOKENS
            torch.cuda.empty_cache()
            free, _ = torch.cuda.mem_get_info(self._device)
            held = int(SHARE * free / max(1.0, bytes_of_token))
            # The trial itself may have run out of memory and lowered the budget.
            self._tokens = self._tokens or max(1, min(held, MOST_TOKENS))
        return self._tokens

    def lower(self, tokens: int) -> None:
        """Keep later batches within `tokens`, as more did not fit; the user is told once."""
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        if not self._warned:
            self._warn(
                f"out of memory on {self._device}: going on with smaller batches "
                f"(--batch-tokens {tokens} avoids the first failure)"
            )
        self._warned = True
        self._tokens = min(tokens, self._tokens or tokens)

    def _memory_of(self, run: Callable[[int], None]) -> int:
        """Bytes that a batch of `TRIAL_TOKENS` takes beyond what was taken before."""
        torch.cuda.reset_peak_memory_stats(self._device)
        before = torch.cuda.memory_allocated(self._device)
        run(TRIAL_TOKENS)
        return torch.cuda.max_memory_allocated(self._device) - before
