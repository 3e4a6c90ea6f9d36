"""Settings that several commands share; nothing here imports anything heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from drugmon.options import option

DEFAULT_ADAPTER: Final = "minilm-druglib"
"""The adapter that scores where none is named; drugmon brings it."""

RULES: Final = ("balanced", "likeliest")
"""How a label is decided: `balanced` weighs the rare label up, `likeliest` takes the largest
probability. See `drugmon.models.adapters.decision`."""

DEFAULT_RULE: Final = "balanced"

DEMO_NIGHTS: Final = 30
"""Of the demonstration: the month that its story is made for."""

LOCK_TIMEOUT: Final = 30.0
"""Seconds to wait for a database that another process has open."""


@dataclass(frozen=True)
class EngineConfig:
    """How to compute.

    `batch_tokens` None means what suits the device, `threads` None means torch's default.
    """

    device: str = option("auto", "auto, cpu, cuda or cuda:N.", key="device")
    dtype: str = option(
        "auto",
        "Number format; auto is the fastest that the hardware multiplies.",
        choices=("auto", "fp32", "bf16", "int8"),
        key="dtype",
    )
    threads: int | None = option(
        None, "CPU threads.", kind=int, low=1, high=4096, unset="all cores", key="threads"
    )
    batch_tokens: int | None = option(
        None,
        "Tokens in one batch.",
        kind=int,
        low=64,
        high=10**7,
        unset="by device",
        key="batch_tokens",
    )


@dataclass(frozen=True)
class ModelOptions:
    """What scores, an adapter or a base by itself, and how it decides.

    Without `adapter` and `base` it is the default adapter; `rule` None is the adapter's own.
    """

    adapter: str | None = option(
        None, "A shipped adapter, or a folder.", kind=str, unset=DEFAULT_ADAPTER, key="adapter"
    )
    base: str | None = option(
        None,
        "Score with a base by itself (zero-shot): flan-t5-base, a folder, or a hub id.",
        kind=str,
        metavar="NAME",
    )
    rule: str | None = option(
        None,
        "What decides the label: balanced is fair to the rare neutral, likeliest takes the largest "
        "probability and is right most often.",
        kind=str,
        choices=RULES,
        unset="the adapter's own",
        key="rule",
    )
