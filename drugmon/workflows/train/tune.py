"""Tune: train one recipe with many settings, and choose by dev reviews. Test is never looked at."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from drugmon.config import DEFAULT_RECIPE, EngineConfig
from drugmon.data.lock import locked
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.errors import DrugmonError, TrainingDataError
from drugmon.grading import GradingChoice
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.bases.bases import resolve_base
from drugmon.training.loop.checkpoint import run_key
from drugmon.training.loop.progress import Progress
from drugmon.training.recipe import Recipe, load_recipe
from drugmon.training.reviews.dataset import LabelledReviews, read_labelled
from drugmon.training.reviews.gathered import Gathered
from drugmon.training.reviews.split import Split, split_rows
from drugmon.training.trials.search import Range, Search, Settings, setting_texts
from drugmon.training.trials.trials import TrialFigures, TrialResult, Trials
from drugmon.workflows.train.fit import Fit
from drugmon.workflows.train.teaching.teach import Classroom, Teaching, teach, teaching_key
from drugmon.workflows.train.teaching.teachers import open_teachers

if TYPE_CHECKING:
    from optuna import Trial


OnProgress: TypeAlias = Callable[[int, int, Settings, Progress], None]
"""Told the trial's place (from 1), how many there are, its settings, and where its training is."""

Measure: TypeAlias = Callable[
    [Recipe, "Material", Path, Callable[[str, Progress], None]], TrialFigures
]
"""Trains with a recipe in a folder of its own, tells where it is, and measures what came of it."""

_WITHOUT_LEXICAL: Final = "lexical.enabled=false"
"""Dev figures are those of the trained model by itself; the lexical model would only take time."""


@dataclass(frozen=True)
class TuneConfig:
    """What to train on, which recipe, what to try, and the folder that keeps the trials."""

    source: str
    out: Path
    search: Search
    recipe: str = DEFAULT_RECIPE
    settings: tuple[str, ...] = ()
    prune: bool = True
    columns: Mapping[str, str] = field(default_factory=dict)
    text_format: TextFormat = DEFAULT_TEXT_FORMAT
    grading: GradingChoice = field(default_factory=GradingChoice)
    engine: EngineConfig = field(default_factory=EngineConfig)


@dataclass(frozen=True)
class TuneResult:
    """All trials so far, those with the highest dev macro-F1, and the command that trains the best.

    Where several trials are `highest`, none is the best, and there is no command.
    """

    trials: tuple[TrialResult, ...]
    highest: tuple[TrialResult, ...]
    command: str | None

    @property
    def best(self) -> TrialResult | None:
        """The one trial with the highest dev macro-F1; None where several tie."""
        return self.highest[0] if len(self.highest) == 1 else None


@dataclass(frozen=True)
class Material:
    """What all trials learn from, and are computed on."""

    reviews: LabelledReviews
    split: Split
    engine: EngineConfig
    teaching: Teaching | None


class _PrunedError(Exception):
    """The trial is given up on after so many epochs."""

    def __init__(self, epoch: int) -> None:
        super().__init__(epoch)
        self.epoch = epoch


def tune(
    config: TuneConfig,
    *,
    on_progress: OnProgress = lambda _number, _total, _settings, _progress: None,
    warn: Callable[[str], None] = lambda _warning: None,
    measure: Measure | None = None,
) -> TuneResult:
    """Run every trial that is not finished yet; one that was interrupted goes on where it was.

    A trial that fails is recorded with its reason and the others go on. The same command tries it
    again.

    Args:
        config: what to try.
        on_progress: told where a trial is.
        warn: told of what the user should know although the search goes on.
        measure: trains with a recipe and measures what came of it; None for `measure_trial`.

    Raises:
        DrugmonError: the recipe, source or search will not do, or no trial has finished.
    """
    settings = (*config.settings, _WITHOUT_LEXICAL)
    recipe = load_recipe(config.recipe, settings).graded_by(config.grading)
    _check(config)
    reviews = read_labelled(
        config.source,
        recipe.grading,
        overrides=config.columns,
        text_format=config.text_format,
        warn=warn,
    )
    split = split_rows(reviews.texts, reviews.strata, recipe.split, recipe.train.seed)
    teachers = open_teachers(recipe)
    key = _key(recipe, reviews, split, teachers)
    with locked(config.out):
        trials = Trials(config.out, key, recipe.train.seed, prune=config.prune)
        trials.plan(config.search)
        finished = sum(trial.state in ("done", "pruned") for trial in trials.results())
        total = finished + trials.left()
        room = Classroom(config.out, config.engine, partial(_judging, on_progress, total), warn)
        _, teaching = teach(teachers, recipe.teacher, Gathered(reviews, None, ()), room)
        for doubt in teaching.doubts([np.concatenate([split.dev, split.test])]) if teaching else ():
            warn(doubt)
        material = Material(reviews, split, config.engine, teaching)
        while (chosen := trials.next()) is not None:
            told = partial(on_progress, total - trials.left(), total)
            _run(config, material, trials, chosen, told, warn, measure or measure_trial)
        results = tuple(trials.results())
    highest = _highest(results)
    # Which of several that tie is trained is for a person to say, not for their order.
    command = winner_command(config, highest[0].settings) if len(highest) == 1 else None
    return TuneResult(results, highest, command)


def winner_command(config: TuneConfig, settings: Settings) -> str:
    """The line that trains an adapter with the settings of a trial."""
    words = ["drugmon", "train", config.source, "--recipe", config.recipe]
    for setting in (*config.settings, *setting_texts(settings)):
        words += ["--set", setting]
    for name, column in config.columns.items():
        words += ["--column", f"{name}={column}"]
    words += config.text_format.options()
    words += config.grading.words_of_command()
    return shlex.join([*words, "--out", "adapters/best"])


def to_rows(result: TuneResult) -> list[dict[str, object]]:
    """The trials as flat rows, for JSON and CSV: settings first, then what came of them."""
    keys = list(dict.fromkeys(key for trial in result.trials for key in trial.settings))
    return [_row(trial, keys, best=trial is result.best) for trial in result.trials]


def _row(trial: TrialResult, keys: list[str], *, best: bool) -> dict[str, object]:
    measured = trial.measured
    return {
        "trial": trial.number + 1,
        **{key: trial.settings.get(key) for key in keys},
        "state": trial.state,
        "best": best,
        "average_loss": measured.average_loss if measured else None,
        "dev_accuracy": measured.dev_accuracy if measured else None,
        "dev_macro_f1": measured.dev_macro_f1 if measured else None,
        "best_epoch": measured.best_epoch if measured else None,
        "epochs": measured.epochs if measured else None,
        "trainable_parameters": measured.trainable_parameters if measured else None,
        "trainable_share": measured.trainable_share if measured else None,
        "seconds": measured.seconds if measured else None,
        "peak_memory": measured.peak_memory if measured else None,
        "reason": trial.reason,
    }


def _key(
    recipe: Recipe, reviews: LabelledReviews, split: Split, teachers: Sequence[Adapter]
) -> str:
    """What trials must have in common to compare: all but their settings, dev reviews above all."""
    sides = str([rows.tolist() for rows in split])
    parts = [reviews.fingerprint(), sides, resolve_base(recipe.base.name).sha256]
    return run_key(recipe, *parts, *([teaching_key(teachers)] if teachers else []))


def _check(config: TuneConfig) -> None:
    """Find a wrong key or value before the first training, not after hours."""
    ends = [
        {key: values.low if isinstance(values, Range) else values[0]}
        for key, values in (config.search.ranges or {}).items()
    ]
    for settings in (*config.search.listed, *ends):
        _recipe(config, settings)


def _judging(on_progress: OnProgress, total: int, _stage: str, progress: Progress) -> None:
    """Teachers are at work before the first trial."""
    on_progress(0, total, {}, progress)


def _recipe(config: TuneConfig, settings: Settings) -> Recipe:
    texts = (*config.settings, *setting_texts(settings), _WITHOUT_LEXICAL)
    return load_recipe(config.recipe, texts).graded_by(config.grading)


def _run(
    config: TuneConfig,
    material: Material,
    trials: Trials,
    chosen: tuple[Trial, Settings],
    on_progress: Callable[[Settings, Progress], None],
    warn: Callable[[str], None],
    measure: Measure,
) -> None:
    """Run one trial, and record what came of it."""
    trial, settings = chosen
    work = config.out / f"trial-{_digest(settings)}"
    recipe = _recipe(config, settings)

    def watch(_stage: str, progress: Progress) -> None:
        on_progress(settings, progress)
        epoch = (progress.step - 1) * recipe.train.epochs // progress.steps
        if progress.dev_macro_f1 is not None and epoch not in seen:
            seen.add(epoch)
            trial.report(progress.dev_macro_f1, epoch)
            if trial.should_prune():
                raise _PrunedError(epoch)

    seen: set[int] = set()
    try:
        trials.done(trial, measure(recipe, material, work, watch))
    except _PrunedError as pruned:
        trials.pruned(trial, pruned.epoch)
    except Exception as error:  # whatever it is: the other trials are worth as much without it
        reason = failure(error)
        trials.failed(trial, reason)
        warn(f"trial {trial.number + 1} ({', '.join(setting_texts(settings))}) failed: {reason}")
    shutil.rmtree(work, ignore_errors=True)


def measure_trial(
    recipe: Recipe, material: Material, work: Path, watch: Callable[[str, Progress], None]
) -> TrialFigures:
    """Train with a recipe, and measure what came of it on the reviews of dev.

    Args:
        recipe: with the settings of the trial.
        material: what is learned from, and measured on.
        work: keeps checkpoints.
        watch: told the stage and where its training is.

    Raises:
        DrugmonError: the recipe does not do for the base or the reviews.
    """
    base, split = resolve_base(recipe.base.name), material.split
    teaching = material.teaching
    fit = Fit(recipe, base, material.reviews, work, material.engine, watch, teaching=teaching)
    fitted = fit.run("trial", split.train, split.dev)
    figures, record = fit.validate(fitted.model, split.dev), fitted.record
    trained, whole = record.parameters
    best = record.outcome.best
    return TrialFigures(
        average_loss=record.outcome.epochs[best].loss,
        dev_accuracy=float(np.mean([of_target["accuracy"] for of_target in figures.values()])),
        dev_macro_f1=float(np.mean([of_target["macro_f1"] for of_target in figures.values()])),
        targets=figures,
        best_epoch=best + 1,
        epochs=len(record.outcome.epochs),
        trainable_parameters=trained,
        all_parameters=whole,
        seconds=round(record.seconds, 1),
        peak_memory=record.peak_memory,
    )


def _highest(results: tuple[TrialResult, ...]) -> tuple[TrialResult, ...]:
    """The finished trials with the highest dev macro-F1: one, or several that tie.

    Raises:
        TrainingDataError: none has finished.
    """
    done = [(trial.measured.dev_macro_f1, trial) for trial in results if trial.measured]
    if done:
        top = max(score for score, _ in done)
        return tuple(trial for score, trial in done if math.isclose(score, top, abs_tol=1e-9))
    failed = [trial.reason for trial in results if trial.reason]
    raise TrainingDataError(
        f"none of {len(results)} trials has finished"
        + (f"; the first: {failed[0]}" if failed else "")
    )


def failure(error: Exception) -> str:
    """What an error says in one line; for one that is not expected, with its kind."""
    said = " ".join(str(error).split())[:300]
    return said if isinstance(error, DrugmonError) else f"{type(error).__name__}: {said}"


def _digest(settings: Settings) -> str:
    canon = json.dumps(dict(settings), sort_keys=True)
    return hashlib.sha256(canon.encode()).hexdigest()[:12]
