"""The tables of a nightly job's settings file, with the default of every key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from drugmon.checked import optional, optional_texts, within
from drugmon.config import ClusterConfig, EngineConfig
from drugmon.options import NO_FLAG, group, option
from drugmon.reports.keep import Keep
from drugmon.workflows.report.options import JudgementOptions, PageOptions


@dataclass(frozen=True)
class JobSettings:
    """Seconds to wait for another run of the job, and the folder of its lock and state.

    `every` is how often the scheduler starts the job: a night that did not run is told by it.
    """

    every: str = "1d"
    lock_wait: float = within(0.0, 0, 86_400)
    state: str = ".drugmon"


@dataclass(frozen=True)
class EngineSettings:
    """How to compute, and where."""

    engine: EngineConfig = group(EngineConfig)
    cluster: ClusterConfig = group(ClusterConfig)


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
    command: tuple[str, ...] = optional_texts()
    timeout: float = within(10.0, 0.1, 600)


@dataclass(frozen=True)
class NightPages(PageOptions):
    """Where the pages of nights go; not all of them stay."""

    keep: Keep | int | None = option(
        Keep(reports=90),
        "So many reports stay, or as many as fit into a size.",
        flag=NO_FLAG,
        key="keep",
        parse=Keep.parse,
        written="90",
    )


@dataclass(frozen=True)
class ReportSettings:
    """What is reported, against what, what fails, and how many reports are kept.

    `window`: `new` for the rows that are new or changed since the last night, `all`, or a span as
    in `drugmon report --last`. An empty `fail_on` leaves it to the gate's file.
    """

    window: str = option("new", "Which rows.", flag=NO_FLAG, key="window")
    judgement: JudgementOptions = group(JudgementOptions)
    pages: NightPages = group(NightPages)


@dataclass(frozen=True)
class SourceSettings:
    """One thing to score and report, beside the keys of `ScoreConfig`.

    `report` holds keys of `ReportSettings` that differ for this source.
    """

    source: str = optional()
    name: str = optional()
    report: Mapping[str, Any] = field(default_factory=dict, metadata={"optional": True})
