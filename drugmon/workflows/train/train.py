"""Train: from labelled reviews and a recipe to an adapter, measured on held-out reviews."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from drugmon.config import DEFAULT_RECIPE, EngineConfig
from drugmon.data.lock import locked
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.data.verdicts.atomic import move_into_place
from drugmon.errors import RunningError, SinkError, UsageError
from drugmon.grading import Grading, GradingChoice
from drugmon.labels import LABELS
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.statistics.quality import Quality
from drugmon.training.loop.progress import Progress
from drugmon.training.recipe import Recipe, load_recipe
from drugmon.training.reviews.dataset import LabelledReviews, read_labelled
from drugmon.training.reviews.gathered import Gathered, gather
from drugmon.training.reviews.sampling import label_counts
from drugmon.training.reviews.seen import count_seen
from drugmon.training.settings import setting_value
from drugmon.training.sources import TARGET, Source
from drugmon.workflows.train.adapter_folder import finished
from drugmon.workflows.train.fit import Fit
from drugmon.workflows.train.held_out import FEWEST_LONE
from drugmon.workflows.train.measure import Bench, measure_in_turns, measure_once
from drugmon.workflows.train.preflight import check_base, check_writable, rehearse
from drugmon.workflows.train.teaching.teach import Classroom, teach
from drugmon.workflows.train.teaching.teachers import open_teachers

OnProgress: TypeAlias = Callable[[str, Progress], None]
"""Told the stage (`measured`, `fold-1`, `refit`, ...) and where its training is."""


@dataclass(frozen=True)
class TrainConfig:
    """What to train on, how, and where to put the adapter.

    `source` is a target, read as `columns`, `encoding` and `grading` say; `sources` tell for
    themselves how they are read. Where neither names one, the recipe's sources are taken. With
    `hashes`, the adapter keeps a short hash of each review that it learned from.
    """

    source: str | None
    out: Path
    recipe: str = DEFAULT_RECIPE
    settings: tuple[str, ...] = ()
    eval_source: str | None = None
    data_card: Path | None = None
    hashes: bool = True
    columns: Mapping[str, str] = field(default_factory=dict)
    text_format: TextFormat = DEFAULT_TEXT_FORMAT
    grading: GradingChoice = field(default_factory=GradingChoice)
    sources: tuple[Source, ...] = ()
    engine: EngineConfig = field(default_factory=EngineConfig)


@dataclass(frozen=True)
class TrainResult:
    """The adapter, and how good its verdicts are on reviews that it has not seen."""

    adapter: Adapter
    measured_on: str
    seconds: float

    @property
    def qualities(self) -> Mapping[str, Quality]:
        """By target, under the rule that the adapter decides by."""
        return self.adapter.manifest.qualities


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
    recipe = _recipe(config, warn)
    _refuse_existing(config.out)
    base = check_base(recipe)
    check_writable(config.out)
    teachers = open_teachers(recipe)
    gathered, evaluated = _gathered(config, recipe, teachers, warn)
    work = _work_of(config.out)
    with locked(work):
        if config.out.exists():  # another process has made it meanwhile
            shutil.rmtree(work)
        _refuse_existing(config.out)
        room = Classroom(work, config.engine, on_progress, warn)
        gathered, teaching = teach(teachers, recipe.teacher, gathered, room)
        fit = Fit(
            recipe,
            base,
            gathered.targets,
            work,
            config.engine,
            on_progress,
            warn,
            gathered.help,
            teaching,
        )
        rehearse(fit, work / "rehearsal")
        measure = measure_in_turns if recipe.split.folds else measure_once
        measured = measure(Bench(fit, work, config.engine, warn, gathered.lone), evaluated)
        made = work / "adapter"
        finished(
            made,
            config.out.name,
            fit,
            measured=measured,
            data=gathered.record(),
            command=_command(config),
            hashes=config.hashes,
        )
        move_into_place(made, config.out)
        shutil.rmtree(work)
    adapter = open_adapter(str(config.out))
    return TrainResult(adapter, measured.held.name, time.monotonic() - began)


def _recipe(config: TrainConfig, warn: Callable[[str], None]) -> Recipe:
    """The recipe with the settings and sources of the command line."""
    plain = load_recipe(config.recipe, config.settings)
    recipe = plain.graded_by(config.grading)
    sources = chosen_sources(config, recipe)
    if config.source is None:
        _refuse_unheard(config, plain, sources)
    if recipe.sources and sources != recipe.sources:
        warn(f"recipe {recipe.name} names sources, but the command line's are taken instead")
    return replace(recipe, sources=sources)


def chosen_sources(config: TrainConfig, recipe: Recipe) -> tuple[Source, ...]:
    """Return what to learn from: what the command line names, else what the recipe does.

    Raises:
        UsageError: there is no source, or none that is a target.
    """
    named = config.sources
    if config.source is not None:
        target = Source(
            path=config.source,
            scale=recipe.rating.scale,
            columns=config.columns,
            labels=recipe.grading.to_dict(),
            encoding=config.text_format.encoding or "",
            quoting=config.text_format.quoting,
            delimiter=config.text_format.delimiter or "",
            card=str(config.data_card or ""),
        )
        named = (target, *named)
    sources = named or recipe.sources
    if not any(source.role == TARGET for source in sources):
        raise UsageError(
            "there are no reviews to be measured on: name SOURCE, or a target in [[source]] of the "
            "recipe"
        )
    return sources


def _refuse_unheard(config: TrainConfig, recipe: Recipe, sources: Sequence[Source]) -> None:
    """See that nothing is said of SOURCE where none is named; all but the card is of --eval too."""
    said = {
        "--column": config.columns,
        "--rating-scale": config.grading.rating_scale,
        "--label": config.grading.words,
        **dict.fromkeys(config.text_format.options()[:1], True),
    }
    flags = [flag for flag, value in said.items() if value and not config.eval_source]
    if flags := [*flags, *(["--data-card"] if config.data_card else [])]:
        raise UsageError(
            f"{flags[0]} is about SOURCE, and none is named: say it of each source by itself, in "
            "--source (rating=NAME, scale=1-5, label.WORD=LABEL, card=FILE) or in [[source]]"
        )
    own = recipe.grading
    graded = [source.grading for source in sources if source.role == TARGET]
    if not own.same_truth(Grading()) and not all(map(own.same_truth, graded)):
        raise UsageError(
            f"recipe {recipe.name}: [rating] and [labels] are about SOURCE, and none is named: "
            "give each [[source]] its own scale and labels"
        )


def _gathered(
    config: TrainConfig,
    recipe: Recipe,
    teachers: Sequence[Adapter],
    warn: Callable[[str], None],
) -> tuple[Gathered, LabelledReviews | None]:
    """The reviews of the recipe's sources and those of `--eval`, with what speaks against them."""
    evaluated = _evaluated(config, recipe, warn)
    gathered = gather(recipe.sources, evaluated, warn)
    for doubt in (
        *lacking_labels(gathered.targets),
        *_too_few(gathered.lone),
        *_known_to(teachers, evaluated, "reviews of --eval"),
        *_known_to(teachers, gathered.lone, "lone texts that are held out"),
    ):
        warn(doubt)
    return gathered, evaluated


def _evaluated(
    config: TrainConfig, recipe: Recipe, warn: Callable[[str], None]
) -> LabelledReviews | None:
    """The reviews of `--eval`, read as the first target source is: the adapter keeps its grading.

    What the command line says of columns, grades and text goes first.
    """
    if config.eval_source is None:
        return None
    target = next(source for source in recipe.sources if source.role == TARGET)
    as_written = config.text_format != DEFAULT_TEXT_FORMAT
    return read_labelled(
        config.eval_source,
        config.grading.over(target.grading),
        overrides={**target.columns, **config.columns},
        text_format=config.text_format if as_written else target.text_format,
        warn=warn,
    )


def lacking_labels(reviews: LabelledReviews) -> list[str]:
    """Sentences on the labels that no training review has, so that no verdict will be right."""
    return [
        f"no training review is {label} on {target}: the adapter cannot learn that label, and its "
        "figures do not show it; check the column, --rating-scale and --label"
        for target, counts in label_counts(reviews.labels).items()
        for label, count in zip(LABELS, counts, strict=True)
        if not count
    ]


def _too_few(lone: LabelledReviews | None) -> Iterator[str]:
    """A sentence where lone texts were held out for nothing."""
    if lone and len(lone) < FEWEST_LONE:
        yield (
            f"{len(lone):,} lone texts are held out, and it takes {FEWEST_LONE} to calibrate and "
            "measure on: nothing is made of them; give a larger held_out, or none"
        )


def _known_to(
    teachers: Sequence[Adapter], evaluated: LabelledReviews | None, name_of_these: str
) -> Iterator[str]:
    """Sentences on the teachers that learned from reviews that the student is measured on."""
    for adapter in teachers if evaluated else ():
        assert evaluated is not None
        data, name = adapter.manifest.data, adapter.manifest.name
        if data and (learned := count_seen(adapter.folder, evaluated, data.fingerprint)):
            yield (
                f"teacher {name} learned from {learned:,} of the {name_of_these}: figures of "
                "what it teaches may be better than on new reviews"
            )


def remove_left(out: Path) -> None:
    """Remove what a run left that was killed when its adapter `out` was whole already."""
    work = _work_of(out)
    if out.exists() and work.exists():
        with contextlib.suppress(RunningError), locked(work):
            shutil.rmtree(work)


def _work_of(out: Path) -> Path:
    return out.with_name(f".{out.name}.training")


def _refuse_existing(out: Path) -> None:
    if out.exists():
        remove_left(out)
        raise SinkError(f"{out} exists: an adapter is never overwritten; name another --out")


def _command(config: TrainConfig) -> str:
    """The line that trains it again, without the paths of this machine."""
    recipe = Path(config.recipe).name if config.recipe.endswith(".toml") else config.recipe
    words = ["drugmon", "train"]
    words += [Path(config.source).name] if config.source else []
    for source in config.sources:
        words += ["--source", source.to_text()]
    words += ["--recipe", recipe, "--out", f"adapters/{config.out.name}"]
    for setting in config.settings:
        words += ["--set", _without_folders(setting)]
    for field_name, column in config.columns.items():
        words += ["--column", f"{field_name}={column}"]
    words += config.text_format.options()
    words += config.grading.words_of_command()
    if config.eval_source:
        words += ["--eval", Path(config.eval_source).name]
    if config.data_card:
        words += ["--data-card", f"adapters/{config.data_card.name}"]
    if not config.hashes:
        words.append("--no-hashes")
    return shlex.join(words)


def _without_folders(setting: str) -> str:
    """A setting of the recipe, its paths by their last names."""
    key, _, text = setting.partition("=")
    if key not in ("base.name", "teacher.adapters"):
        return setting
    names = setting_value(text)
    names = names.split(",") if isinstance(names, str) else names
    return f"{key}={','.join(Path(name.strip()).name for name in names)}"
