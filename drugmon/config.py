"""Settings that several commands share; nothing here imports anything heavy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from drugmon.errors import UsageError
from drugmon.options import option

DEFAULT_ADAPTER: Final = "minilm-druglib"
"""The adapter that scores where none is named; drugmon brings it."""

DEFAULT_RECIPE: Final = "minilm"
"""The packaged recipe that trains where none is named."""

RULES: Final = ("balanced", "likeliest")
"""How a label is decided: `balanced` weighs the rare label up, `likeliest` takes the largest
probability. See `drugmon.models.adapters.decision`."""

DEFAULT_RULE: Final = "balanced"

DEMO_NIGHTS: Final = 30
"""Of the demonstration: the month that its story is made for."""

AUTO: Final = "auto"
"""The Ray cluster that this machine is in."""

_ADDRESS: Final = re.compile(r"(ray://)?([^\s/:\[\]]+|\[[\da-fA-F:.]+\]):\d{1,5}")

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


DEFAULT_SHARE: Final = 0.2
"""Of the reviews, what goes on to the second adapter of a cascade where nothing else is said."""

LEAST_SENT: Final = 0.001
"""The least --share and --below: for none at all, --then is left out."""


@dataclass(frozen=True)
class CascadeOptions:
    """A second adapter for the reviews of which the first one is least sure; None: there is none.

    Raises:
        UsageError: options that do not fit together.
    """

    then: str | None = option(
        None,
        "An adapter that judges again what the first one is least sure of.",
        kind=str,
        metavar="ADAPTER",
        unset="none",
        key="then",
    )
    share: float | None = option(
        None,
        "Which share of reviews like the held-out ones goes on to --then.",
        kind=float,
        low=LEAST_SENT,
        high=1,
        metavar="SHARE",
        unset=f"{DEFAULT_SHARE:g}",
        key="share",
    )
    below: float | None = option(
        None,
        "Send on what the first adapter is less confident of, in place of a share.",
        kind=float,
        low=LEAST_SENT,
        high=1,
        metavar="CONFIDENCE",
        unset="by --share",
        key="below",
    )

    def __post_init__(self) -> None:
        for name in ("share", "below"):
            value: float | None = getattr(self, name)
            if value is None:
                continue
            if not self.then:
                raise UsageError(f"--{name} is for a cascade; add --then and its second adapter")
            if not LEAST_SENT <= value <= 1:
                raise UsageError(f"--{name} {value:g}: give a number from {LEAST_SENT:g} to 1")
        if self.share is not None and self.below is not None:
            raise UsageError("--share and --below say two things of the same; give one of them")

    def check(self, model: ModelOptions) -> None:
        """Refuse a second adapter behind `model` where that is none.

        Raises:
            UsageError: a base by itself scores first.
        """
        if self.then and model.base:
            raise UsageError("--then goes on where an adapter is not sure; leave out --base")


ENGINES: Final = ("local", "ray")
"""Where a score run computes: in this process, or in workers of a Ray cluster."""

PART_ROWS: Final = 32_768
"""Four windows: the batches are the same as on one machine."""


@dataclass(frozen=True)
class ClusterConfig:
    """What computes: this process, or workers of a Ray cluster.

    Without `ray_address`, a cluster is started on this machine for the one run. `workers` None are
    as many as the cluster has room for at the start; `gpus_per_worker` None is one each where there
    are GPUs.

    Raises:
        UsageError: there are options of a cluster, and none is asked for; the address is none.
    """

    kind: str = option(
        "local",
        "Score in this process, or with the workers of a Ray cluster into a folder of parts.",
        choices=ENGINES,
        flag="--engine",
        key="kind",
    )
    ray_address: str | None = option(
        None,
        "A running cluster: auto, host:port or ray://...",
        kind=str,
        metavar="ADDRESS",
        unset="one for this run",
        key="ray_address",
    )
    workers: int | None = option(
        None,
        "How many workers; each has --threads cores, or one.",
        kind=int,
        low=1,
        high=100_000,
        unset="what fits",
        key="workers",
    )
    gpus_per_worker: float | None = option(
        None,
        "GPUs, or a share of one, of each worker.",
        kind=float,
        low=0.001,
        high=64,
        metavar="GPUS",
        unset="1 where there are any",
        key="gpus_per_worker",
    )
    part_rows: int | None = option(
        None,
        "Rows of a part, which a killed worker loses.",
        kind=int,
        low=1,
        high=10**7,
        unset=str(PART_ROWS),
        key="part_rows",
    )

    def __post_init__(self) -> None:
        for name in ("ray_address", "workers", "gpus_per_worker", "part_rows"):
            if getattr(self, name) is not None and not self.is_remote:
                raise UsageError(f"--{name.replace('_', '-')} is for --engine ray; add that")
        address = self.ray_address
        if address not in (None, AUTO) and not _ADDRESS.fullmatch(address or ""):
            raise UsageError(f"--ray-address {address!r}: give auto, host:6379 or ray://host:10001")

    @property
    def is_remote(self) -> bool:
        """Whether workers are to score."""
        return self.kind == "ray"
