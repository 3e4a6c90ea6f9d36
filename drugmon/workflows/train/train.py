"""Train: from labelled reviews and a recipe to an adapter, measured on held-out reviews."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from drugmon.config import EngineConfig
from drugmon.data.lock import locked
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.errors import SinkError
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.statistics.quality import Quality
from drugmon.training.loop.progress import Progress
from drugmon.training.recipe import Recipe, load_recipe
from drugmon.training.reviews.data_card import DataCard, read_data_card
from drugmon.training.reviews.dataset import LabelledReviews, read_labelled
from drugmon.workflows.train.adapter_folder import finished
from drugmon.workflows.train.fit import Fit
from drugmon.workflows.train.measure import Bench, measure_in_turns, measure_once
from drugmon.workflows.train.preflight import check_base, check_writable, rehearse

OnProgress: TypeAlias = Callable[[str, Progress], None]
"""Told the stage (`measured`, `fold-1`, `refit`, ...) and where its training is."""


@dataclass(frozen=True)
class TrainConfig:
    """What to train on, how, and where to put the adapter.

    With `hashes`, the adapter keeps a short hash of each review that it learned from.
    """

    source: str
    out: Path
    recipe: str = "minilm"
    settings: tuple[str, ...] = ()
    eval_source: str | None = None
    data_card: Path | None = None
    hashes: bool = True
    columns: Mapping[str, str] = field(default_factory=dict)
    text_format: TextFormat = DEFAULT_TEXT_FORMAT
    engine: EngineConfig = field(default_factory=EngineConfig)


@dataclass(frozen=True)
class TrainResult:
    """The adapter, and how good it is on reviews that it has not seen."""

    adapter: Adapter
    qualities: Mapping[str, Quality]
    measured_on: str
    seconds: float


def train(
    config: TrainConfig,
    *,
    on_progress: OnProgress = lambda _stage, _progress: None,
    warn: Callable[[str], None] = lambda _warning: None,
) -> TrainResult:
    """Train an adapter, continuing an interrupted run of the same configuration.

    What is measured never saw the reviews that it is measured on, see `measure_once` and
    `measure_in_turns`. A model that was then trained on all reviews has the calibration of the
    measured ones.

    What its end needs is looked at before its first step, see `preflight`.

    Raises:
        RunningError: another process is training into the same folder.
        DrugmonError: any expected failure; what was trained so far is kept for the next run.
    """
    began = time.monotonic()
    recipe = load_recipe(config.recipe, config.settings)
    _refuse_existing(config.out)
    base = check_base(recipe)
    check_writable(config.out)
    unnamed = DataCard(Path(config.source).name)
    card = read_data_card(config.data_card) if config.data_card else unnamed
    reviews = _read(config.source, recipe, config)
    evaluated = _read(config.eval_source, recipe, config) if config.eval_source else None
    work = config.out.with_name(f".{config.out.name}.training")
    with locked(work):
        _refuse_existing(config.out)  # another process may have made it meanwhile
        fit = Fit(recipe, base, reviews, work, config.engine, on_progress, warn)
        rehearse(fit, work / "rehearsal")
        measure = measure_in_turns if recipe.split.folds else measure_once
        measured = measure(Bench(fit, work, config.engine, warn), evaluated)
        made = work / "adapter"
        finished(
            made,
            config.out.name,
            fit,
            measured=measured,
            card=card,
            command=_command(config),
            hashes=config.hashes,
        )
        made.replace(config.out)
        shutil.rmtree(work)
    adapter = open_adapter(str(config.out))
    held = measured.held
    return TrainResult(adapter, held.qualities, held.name, time.monotonic() - began)


def _read(source: str, recipe: Recipe, config: TrainConfig) -> LabelledReviews:
    return read_labelled(
        source, recipe.labels, overrides=config.columns, text_format=config.text_format
    )


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise SinkError(f"{out} exists: an adapter is never overwritten; name another --out")


def _command(config: TrainConfig) -> str:
    """The line that trains it again, without the paths of this machine."""
    recipe = Path(config.recipe).name if config.recipe.endswith(".toml") else config.recipe
    words = ["drugmon", "train", Path(config.source).name, "--recipe", recipe]
    words += ["--out", f"adapters/{config.out.name}"]
    for setting in config.settings:
        key, _, name = setting.partition("=")
        words += ["--set", f"{key}={Path(name).name}" if key == "base.name" else setting]
    for field_name, column in config.columns.items():
        words += ["--column", f"{field_name}={column}"]
    words += config.text_format.options()
    if config.eval_source:
        words += ["--eval", Path(config.eval_source).name]
    if config.data_card:
        words += ["--data-card", f"adapters/{config.data_card.name}"]
    if not config.hashes:
        words.append("--no-hashes")
    return shlex.join(words)
