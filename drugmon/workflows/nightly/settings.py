"""The tables of a nightly job's settings file, with the default of every key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drugmon.checked import one_of, optional, within
from drugmon.config import DEFAULT_ADAPTER, RULES, EngineConfig
from drugmon.data.textformat import CHECKED, QUOTING
from drugmon.workflows.report.config import OF_ADAPTER


@dataclass(frozen=True)
class Job:
    """Seconds to wait for another run of the job, and the folder of its lock and state.

    `every` is how often the scheduler starts the job: a night that did not run is told by it.
    """

    every: str = "1d"
    lock_wait: float = within(0.0, 0, 86_400)
    state: str = ".drugmon"


@dataclass(frozen=True)
class Engine:
    """How to compute; `threads` and `batch_tokens` 0 mean what suits the machine."""

    device: str = "auto"
    dtype: str = one_of("auto", ("auto", "fp32", "bf16", "int8"))
    threads: int = within(0, 0, 4096)
    batch_tokens: int = within(0, 0, 10**7)

    def config(self) -> EngineConfig:
        """The same as `drugmon score` takes it."""
        return EngineConfig(
            self.device, self.dtype, self.threads or None, self.batch_tokens or None
        )


@dataclass(frozen=True)
class Log:
    """The log file ("" for none), the size at which it is rotated, and how many old ones stay."""

    file: str = optional("nightly.log")
    max_mb: float = within(10.0, 0.001, 10_000)
    keep: int = within(5, 1, 1000)


@dataclass(frozen=True)
class Notify:
    """A URL and a command that are called at start, success and failure, each within `timeout`."""

    url: str = optional(secret=True)
    command: tuple[str, ...] = optional(())
    timeout: float = within(10.0, 0.1, 600)


@dataclass(frozen=True)
class Report:
    """What is reported, against what, what fails, and how many reports are kept.

    `window`: `new` for the rows scored since the last night's report, `all`, or a span as in
    `drugmon report --last`. An empty `fail_on` leaves it to the gate's file.
    """

    out: str = "reports"
    window: str = "new"
    reference: str = OF_ADAPTER
    date_column: str = optional()
    by: tuple[str, ...] = ("drug", "condition")
    fail_on: tuple[str, ...] = optional(())
    gate: str = optional()
    keep: int = within(90, 1, 100_000)
    evidently: bool = True


@dataclass(frozen=True)
class Source:
    """One thing to score and report; what is "" is as `drugmon score` has it without the option.

    `labels` tells what words in a column of labels mean. `report` holds keys of `Report` that
    differ for this source.
    """

    source: str = optional()
    name: str = optional()
    table: str = optional()
    id: str = optional()
    adapter: str = DEFAULT_ADAPTER
    rule: str = one_of("", ("", *RULES))
    columns: Mapping[str, str] = field(default_factory=dict)
    where: str = optional()
    encoding: str = optional()
    quoting: str = one_of(CHECKED, QUOTING)
    delimiter: str = optional()
    rating_scale: str = optional()
    labels: Mapping[str, str] = field(default_factory=dict)
    out: str = optional()
    in_place: bool = False
    overwrite: bool = False
    history: str = optional()
    lock_timeout: float = within(30.0, 0, 86_400)
    report: Mapping[str, Any] = field(default_factory=dict, metadata={"optional": True})
