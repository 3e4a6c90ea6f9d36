"""Settings that several commands share; nothing here imports anything heavy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineConfig:
    """How to compute.

    `batch_tokens` None means what suits the device, `threads` None means torch's default.
    """

    device: str = "auto"
    dtype: str = "auto"
    threads: int | None = None
    batch_tokens: int | None = None
