"""What measuring and comparing are asked for. Light to import, as the commands' help shows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drugmon.config import RULES, EngineConfig, ModelOptions
from drugmon.data.options import SourceOptions
from drugmon.errors import UsageError
from drugmon.grading import GradingChoice
from drugmon.options import group, option


@dataclass(frozen=True)
class EvaluateConfig:
    """What to measure on what."""

    source: str
    model: ModelOptions = group(ModelOptions)
    drop_missing_like_pandas: bool = option(
        False,
        "Leave out rows with a cell that pandas reads as missing, as published figures did.",
    )
    html: Path | None = option(None, "Write the figures as a page that opens offline.", kind=Path)
    reading: SourceOptions = group(SourceOptions)
    grading: GradingChoice = group(GradingChoice)
    engine: EngineConfig = group(EngineConfig)


@dataclass(frozen=True)
class CompareConfig:
    """What to compare on what: bases by themselves, then adapters; the first is the baseline.

    With `rules`, every model is measured under each of them.

    Raises:
        UsageError: there are less than two models.
    """

    source: str
    rules: tuple[str, ...] = option(
        (),
        "Measure every model under this decision rule; may be repeated.",
        flag="--rule",
        choices=RULES,
        is_repeated=True,
    )
    adapters: tuple[str, ...] = option(
        (), "A shipped adapter, or a folder; may be repeated.", flag="--adapter", is_repeated=True
    )
    bases: tuple[str, ...] = option(
        (),
        "A base by itself (zero-shot): flan-t5-base, a folder, or a hub id; may be repeated.",
        flag="--base",
        metavar="NAME",
        is_repeated=True,
    )
    then: str | None = option(
        None,
        "Compare this adapter too, and what it gains behind the first --adapter, by share sent on.",
        kind=str,
        metavar="ADAPTER",
        unset="none",
    )
    card: bool = option(
        False, "Put what --then gains into the card of the first --adapter; its digest stays."
    )
    html: Path | None = option(
        None, "Write the comparison as a page that opens offline.", kind=Path
    )
    reading: SourceOptions = group(SourceOptions)
    grading: GradingChoice = group(GradingChoice)
    engine: EngineConfig = group(EngineConfig)

    def __post_init__(self) -> None:
        if self.then and not self.adapters:
            raise UsageError("--then stands behind an adapter that judges first; add --adapter")
        if self.card and not self.then:
            raise UsageError("--card tells what --then gains; add it and its adapter")
        if self.then and self.then == self.adapters[0]:
            raise UsageError(f"--then {self.then} is the adapter that judges first")
        models = len(self.bases) + len(self.compared)
        if models * max(1, len(self.rules)) < 2:
            raise UsageError(
                "a comparison needs two models or more: repeat --adapter, give --base too, or "
                "name two rules with --rule"
            )

    @property
    def compared(self) -> tuple[str, ...]:
        """The adapters, that of `then` among them."""
        there = self.then is None or self.then in self.adapters
        return self.adapters if there else (*self.adapters, str(self.then))
