"""Settings that several commands share; nothing here imports anything heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DEFAULT_ADAPTER: Final = "minilm-druglib"
"""The adapter that scores where none is named; drugmon brings it."""

RULES: Final = ("balanced", "likeliest")
"""How a label is decided: `balanced` weighs the rare label up, `likeliest` takes the largest
probability. See `drugmon.models.adapters.decision`."""

DEFAULT_RULE: Final = "balanced"


@dataclass(frozen=True)
class EngineConfig:
    """How to compute.

    `batch_tokens` None means what suits the device, `threads` None means torch's default.
    """

    device: str = "auto"
    dtype: str = "auto"
    threads: int | None = None
    batch_tokens: int | None = None
