"""Experiment: train every stage of a plan on the same reviews and compare them on held-out ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeAlias

from drugmon.config import EngineConfig
from drugmon.data.lock import locked
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.data.verdicts.atomic import make_folder, replacing
from drugmon.errors import AdapterError, DrugmonError, RecipeError, TrainingDataError
from drugmon.grading import Grading, GradingChoice
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.models.adapters.zero_shot import open_base
from drugmon.models.bases.bases import resolve_base
from drugmon.reports.comparison import ModelComparison
from drugmon.training import recipe as recipes
from drugmon.training.recipe import load_recipe, recorded_recipe
from drugmon.training.reviews.dataset import LabelledReviews, read_labelled
from drugmon.training.reviews.split import split_rows
from drugmon.training.trials.plan import Plan, PlannedStage
from drugmon.training.trials.search import setting_texts
from drugmon.workflows.compare.compare import compare_models, to_json, write_page
from drugmon.workflows.train.train import TrainConfig, remove_left, train
from drugmon.workflows.train.tune import TuneConfig, failure, tune

ADAPTERS: Final = "adapters"
TRIALS: Final = "trials"
PAGE: Final = "comparison.html"
FIGURES: Final = "comparison.json"

OnProgress: TypeAlias = Callable[[str, int, int, str], None]
"""Told the stage, how much of its current work is done, of how much, and a note."""


@dataclass(frozen=True)
class ExperimentConfig:
    """The plan, how its source is read, and how to compute."""

    plan: Plan
    columns: Mapping[str, str] = field(default_factory=dict)
    text_format: TextFormat = DEFAULT_TEXT_FORMAT
    grading: GradingChoice = field(default_factory=GradingChoice)
    engine: EngineConfig = field(default_factory=EngineConfig)


@dataclass(frozen=True)
class ExperimentResult:
    """The comparison of all stages that have a model, and the page that shows it."""

    comparison: ModelComparison
    page: Path


def experiment(
    config: ExperimentConfig,
    *,
    on_progress: OnProgress = lambda _stage, _done, _total, _note: None,
    warn: Callable[[str], None] = lambda _warning: None,
) -> ExperimentResult:
    """Run the stages that are not done yet, then compare all on the held-out test reviews.

    No stage sees these reviews: not in training, trials or calibration. The split goes by labels,
    which have to be the same for all. A stage that fails is told of on the page, the others go on,
    and the same command tries it again.

    Raises:
        DrugmonError: the plan or source will not do, or no stage has a model.
    """
    plan = config.plan
    reviews = read_labelled(
        plan.source,
        _grading(config),
        overrides=config.columns,
        text_format=config.text_format,
        warn=warn,
    )
    shares = recipes.SplitSection(dev=plan.split.dev, test=plan.split.test)
    split = split_rows(reviews.texts, reviews.strata, shares, plan.split.seed)
    with locked(plan.out):
        models, missing = _models(config, reviews, on_progress, warn)
        if not models:
            title, reason = next(iter(missing.items()))
            raise TrainingDataError(f"no stage has a model to compare; {title}: {reason}")
        comparison = compare_models(
            models,
            reviews.take(split.test),
            source=f"{Path(plan.source).name}, held out",
            engine=config.engine,
            missing=missing,
            on_progress=on_progress,
            warn=warn,
        )
        _write(comparison, plan.out)
    return ExperimentResult(comparison, plan.out / PAGE)


def _grading(config: ExperimentConfig) -> Grading:
    """The label of every level, which must be the same for all: else splits would differ."""
    plan = config.plan
    _first_recipe(plan)  # there is one
    gradings = {
        stage.title: config.grading.over(
            load_recipe(stage.recipe, (*stage.settings, *plan.settings)).grading
        )
        for stage in plan.stages
        if stage.recipe
    }
    (first, grading), *others = gradings.items()
    for title, other in others:
        if not other.same_truth(grading):
            raise RecipeError(
                f"stages {first!r} and {title!r} map grades to labels differently (labels and "
                "rating in their recipes and settings): the split goes by labels, and one would "
                "learn from reviews that the other is compared on"
            )
    return grading


def _models(
    config: ExperimentConfig,
    reviews: LabelledReviews,
    on_progress: OnProgress,
    warn: Callable[[str], None],
) -> tuple[dict[str, Adapter], dict[str, str]]:
    """The model of each stage by title, and why the others have none."""
    models, missing = {}, {}
    for stage in config.plan.stages:
        try:
            models[stage.title] = _Stage(config, stage, reviews, on_progress, warn).model()
        except Exception as error:  # whatever it is: the other stages are worth as much without it
            missing[stage.title] = failure(error)
            warn(f"stage {stage.title!r} failed: {missing[stage.title]}")
    return models, missing


class _Stage:
    """One stage at work."""

    def __init__(
        self,
        config: ExperimentConfig,
        stage: PlannedStage,
        reviews: LabelledReviews,
        on_progress: OnProgress,
        warn: Callable[[str], None],
    ) -> None:
        self._config, self._plan, self._stage = config, config.plan, stage
        self._reviews, self._on_progress, self._warn = reviews, on_progress, warn

    def model(self) -> Adapter:
        """The stage's model, trained unless an earlier run did that."""
        plan, stage = self._plan, self._stage
        if stage.recipe is None:
            return open_base(plan.base or load_recipe(_first_recipe(plan)).base.name)
        base = resolve_base(plan.base or load_recipe(stage.recipe, stage.settings).base.name)
        settings = plan.stage_settings(stage, base.model_type)
        if stage.trials:
            settings += self._best_settings(settings)
        folder = plan.out / ADAPTERS / stage.slug
        remove_left(folder)
        if folder.exists():
            return self._made_before(folder, settings)
        make_folder(folder.parent)
        return train(
            TrainConfig(
                plan.source,
                folder,
                stage.recipe,
                settings,
                columns=self._config.columns,
                text_format=self._config.text_format,
                grading=self._config.grading,
                engine=self._config.engine,
            ),
            on_progress=lambda _stage, progress: self._told(
                progress.step, progress.steps, progress.note
            ),
            warn=self._warn,
        ).adapter

    def _best_settings(self, settings: tuple[str, ...]) -> tuple[str, ...]:
        """What does best on dev of the stage's trials, of several that tie the first.

        Those that are done are not run again.
        """
        stage = self._stage
        assert stage.recipe is not None
        assert stage.trials is not None
        result = tune(
            TuneConfig(
                self._plan.source,
                self._plan.out / TRIALS / stage.slug,
                stage.trials,
                stage.recipe,
                settings,
                columns=self._config.columns,
                text_format=self._config.text_format,
                grading=self._config.grading,
                engine=self._config.engine,
            ),
            on_progress=lambda number, total, _settings, progress: self._told(
                progress.step, progress.steps, f"trial {number} of {total}"
            ),
            warn=self._warn,
        )
        first = result.highest[0]
        if result.best is None:
            self._warn(
                f"{stage.title}: {len(result.highest)} trials tie on dev, none is the best; the "
                f"first of them, {first.number + 1}, is trained"
            )
        return setting_texts(first.settings)

    def _made_before(self, folder: Path, settings: tuple[str, ...]) -> Adapter:
        """The adapter of an earlier run, if it is what this one would make."""
        adapter = open_adapter(str(folder))
        recipe = load_recipe(str(self._stage.recipe), settings).graded_by(self._config.grading)
        made_by = recorded_recipe(adapter.manifest.recipe, str(folder))
        data = adapter.manifest.data
        same = data is not None and data.fingerprint == self._reviews.fingerprint()
        # As a manifest tells them: it has neither the folders of teachers nor other sources.
        told, asked = (replace(each, sources=()).to_dict() for each in (made_by, recipe))
        if told != asked or not same:
            raise AdapterError(
                f"{folder} was trained by another recipe or on other reviews; remove it, or name "
                "another --out"
            )
        return adapter

    def _told(self, done: int, total: int, note: str) -> None:
        self._on_progress(self._stage.title, done, total, note)


def _first_recipe(plan: Plan) -> str:
    """The recipe that tells labels and base where a stage has none."""
    recipes = [stage.recipe for stage in plan.stages if stage.recipe]
    if not recipes:
        raise DrugmonError("the experiment trains nothing: give a stage with a recipe")
    return recipes[0]


def _write(comparison: ModelComparison, out: Path) -> None:
    write_page(comparison, out / PAGE)
    with replacing(out / FIGURES) as temporary:
        text = json.dumps(to_json(comparison), indent=2, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
