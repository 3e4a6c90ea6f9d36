"""Training on several sources: targets are measured on, help is learned from, in stages."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drugmon.data.textformat import TextFormat
from drugmon.errors import UsageError
from drugmon.grading import GradingChoice
from drugmon.models.files import CARD, SEEN
from drugmon.training.loop.progress import Progress
from drugmon.training.loop.trainer import Replay
from drugmon.training.sources import Source
from drugmon.workflows.train.train import TrainConfig, TrainResult, train
from tests.tiny_recipe import TINY

SETTINGS = (*TINY, "lexical.min_df=1", "split.folds=2")
MIXED = ("help.epochs=0", "help.replay=1", "help.lexical=false")
IN_STAGES = ("help.epochs=1", "help.lexical=false", "help.replay=0.25", "help.replay_weight=0.5")
HELP_ROWS = 40


@pytest.fixture(name="stars")
def _stars(tmp_path: Path) -> Source:
    path = tmp_path / "stars.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["stars", "review"])
        words = {1: "useless and awful", 3: "mixed feelings", 5: "wonderful, recommended"}
        writer.writerows([star, f"{words[star]} x{n}"] for n in range(20) for star in (1, 5))
    return Source(path=str(path), role="help", scale="1-5", weight=0.5, columns={"rating": "stars"})


class Watch:
    """Tells the stages and their number of steps; raises KeyboardInterrupt once, where asked."""

    def __init__(self, stage: str = "", step: int = 0) -> None:
        self.at, self.steps = (stage, step), dict[str, int]()

    def __call__(self, stage: str, progress: Progress) -> None:
        self.steps[stage] = progress.steps
        if (stage, progress.step) == self.at:
            raise KeyboardInterrupt


@pytest.fixture(name="fit")
def _fit(labelled: Path, models: Path, tmp_path: Path) -> Callable[..., TrainResult]:
    assert models.is_dir()

    def run(name: str, *settings: str, **options: Any) -> TrainResult:
        told = {key: options.pop(key) for key in ("on_progress", "warn") if key in options}
        source = options.pop("source", str(labelled))
        return train(
            TrainConfig(source, tmp_path / name, settings=SETTINGS + settings, **options), **told
        )

    return run


def test_help_is_mixed_in_and_never_measured(
    fit: Callable[..., TrainResult], stars: Source
) -> None:
    watch = Watch()
    result = fit("mixed", *MIXED, sources=(stars,), on_progress=watch)
    assert watch.steps == {"fold-1": 7, "fold-2": 7, "refit": 10}, "60 (120) and 40 reviews by 16"
    assert result.qualities["overall"].n == 120
    manifest = result.adapter.manifest
    assert manifest.levels["overall"] == [
        *["negative"] * 4,
        *["neutral"] * 2,
        *["positive"] * 4,
    ], "the head is that of the target's scale"
    assert manifest.training is not None
    assert (manifest.training.rows_help, manifest.training.help_epochs) == (HELP_ROWS, 0)
    assert manifest.grading.scale.high == 10
    card = (result.adapter.folder / CARD).read_text(encoding="utf-8")
    assert "| stars.csv (not stated) | help | 40 | 0 | 0 | 1-5 | 0.5 | not stated |" in card
    assert "--source stars.csv,role=help,weight=0.5,scale=1-5,rating=stars" in card
    seen = (result.adapter.folder / SEEN).read_text(encoding="ascii").split()
    assert len(seen) == 160


def test_stages_run_once_and_go_on_where_they_were_killed(
    fit: Callable[..., TrainResult], stars: Source
) -> None:
    whole_watch = Watch()
    whole = fit("whole", *IN_STAGES, sources=(stars,), on_progress=whole_watch)
    assert whole_watch.steps == {"help": 3, "fold-1": 5, "fold-2": 5, "refit": 9}
    for place in (("help", 2), ("fold-2", 3)):
        with pytest.raises(KeyboardInterrupt):
            fit("cut", *IN_STAGES, sources=(stars,), on_progress=Watch(*place))
    last = Watch()
    resumed = fit("cut", *IN_STAGES, sources=(stars,), on_progress=last)
    assert set(last.steps) == {"fold-2", "refit"}, "what is done is not trained again"
    assert resumed.adapter.manifest.digest == whole.adapter.manifest.digest
    other = fit("other", *IN_STAGES, "help.epochs=0", sources=(stars,))
    assert other.adapter.manifest.digest != whole.adapter.manifest.digest


def test_without_replay_help_is_only_where_training_starts(
    fit: Callable[..., TrainResult], stars: Source
) -> None:
    watch = Watch()
    settings = ("help.epochs=1", "help.replay=0", "help.lexical=true", "split.folds=0")
    fit("first", *settings, sources=(stars,), on_progress=watch)
    assert watch.steps == {"help": 3, "measured": 6, "refit": 8}


def test_lone_texts_that_are_held_out_get_a_calibration_of_their_own(
    fit: Callable[..., TrainResult], tmp_path: Path
) -> None:
    path = tmp_path / "lone.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        words = {1: "useless and awful", 5: "mixed feelings", 9: "wonderful, recommended"}
        writer.writerow(["rating", "review"])
        writer.writerows([rating, f"{words[rating]} x{n}"] for n in range(170) for rating in words)
    source = Source(path=str(path), role="help", held_out=0.8)
    made = fit("lone", "split.folds=0", sources=(source,)).adapter
    assert made.manifest.data is not None
    held_out = made.manifest.data.sources[1].held_out
    assert 375 <= held_out <= 440
    overall = made.manifest.calibrations()["overall"]
    assert overall.lone is not None
    assert set(overall.lone.weights) == {"comments", "overall"}
    assert {rule: own.n for rule, own in made.manifest.metrics_lone.items()} == {
        "balanced": held_out,
        "likeliest": held_out,
    }
    card = (made.folder / CARD).read_text(encoding="utf-8")
    assert f"| `balanced` | {held_out} |" in card
    assert "| Overall of a lone text |" in card
    assert "held_out=0.8" in card


def test_a_few_lone_texts_that_are_held_out_for_nothing_are_told(
    fit: Callable[..., TrainResult], tmp_path: Path
) -> None:
    path = tmp_path / "lone.csv"
    lines = [f"{1 + 8 * (n % 2)},what I say of it is {n}" for n in range(60)]
    path.write_text("\n".join(["rating,review", *lines]), encoding="utf-8")
    told: list[str] = []
    source = Source(path=str(path), role="help", held_out=0.5)
    made = fit("few", *MIXED, sources=(source,), warn=told.append).adapter
    assert made.manifest.data is not None
    held_out = made.manifest.data.sources[1].held_out
    assert 20 < held_out < 40
    assert made.manifest.metrics_lone == {}
    assert f"{held_out} lone texts are held out, and it takes 375 to calibrate and" in told[-1]


def test_the_evaluation_source_is_graded_as_the_target_is(
    fit: Callable[..., TrainResult], labelled: Path, tmp_path: Path
) -> None:
    """The mapping of a target source that SOURCE does not name was not that of `--eval`."""
    other = tmp_path / "other.csv"
    other.write_text(
        labelled.read_text(encoding="utf-8")
        .replace(" number ", " of number ")
        .replace(",rating,", ",stars,"),
        encoding="utf-8",
    )
    target = tmp_path / "target.csv"
    target.write_text(
        labelled.read_text(encoding="utf-8").replace(",rating,", ",stars,"), encoding="utf-8"
    )
    source = Source(
        path=str(target), columns={"rating": "stars"}, labels={"rating": {"5": "negative"}}
    )
    made = fit("own", source=None, sources=(source,), eval_source=str(other)).adapter
    support = [of_label.support for of_label in made.manifest.metrics["overall"].classes]
    assert support == [80, 0, 40]
    assert made.manifest.grading.rating["5"] == "negative"


def test_sources_of_the_recipe_are_taken_where_the_command_line_names_none(
    fit: Callable[..., TrainResult], stars: Source, labelled: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        f'[[source]]\npath = "{labelled}"\n[[source]]\npath = "stars.csv"\nrole = "help"\n'
        'scale = "1-5"\ncolumns = {rating = "stars"}\n',
        encoding="utf-8",
    )
    made = fit("mine", source=None, recipe=str(recipe)).adapter.manifest
    assert made.data is not None
    assert [(each.name, each.rows) for each in made.data.sources] == [
        ("labelled.csv", 120),
        ("stars.csv", 40),
    ]
    told: list[str] = []
    alone = fit("alone", recipe=str(recipe), warn=told.append).adapter.manifest
    assert alone.data is not None
    assert len(alone.data.sources) == 1
    assert told == ["recipe mine names sources, but the command line's are taken instead"]
    with pytest.raises(UsageError, match="there are no reviews to be measured on: name SOURCE, or"):
        fit("none", source=None, sources=(stars,))


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ({"columns": {"rating": "id"}}, "--column is about SOURCE, and none is named"),
        ({"grading": GradingChoice("0-10")}, "--rating-scale is about SOURCE"),
        ({"text_format": TextFormat("latin-1")}, "--encoding is about SOURCE"),
        ({"data_card": Path("card.toml"), "eval_source": "x.csv"}, "--data-card is about SOURCE"),
        (
            {"settings": ("labels.rating.5=positive",)},
            r"\[rating\] and \[labels\] are about SOURCE",
        ),
        ({"settings": ("rating.scale=0-10",)}, r"give each \[\[source\]\] its own scale"),
    ],
)
def test_what_is_said_of_a_source_that_is_not_named_is_refused(
    labelled: Path, models: Path, tmp_path: Path, said: dict[str, Any], refused: str
) -> None:
    """It was not heeded, and a column or a scale that nobody meant was learned from."""
    assert models.is_dir()
    settings = (*SETTINGS, *said.pop("settings", ()))
    config = TrainConfig(
        None, tmp_path / "none", settings=settings, sources=(Source(path=str(labelled)),), **said
    )
    with pytest.raises(UsageError, match=refused):
        train(config)


def test_a_replay_takes_another_part_every_epoch() -> None:
    rows = np.arange(100, 140)
    everything = np.concatenate([np.arange(60), rows])
    replay = Replay(60, 0.25)
    parts = [replay.rows(everything, epoch, seed=0)[60:] for epoch in range(5)]
    assert [len(part) for part in parts] == [10] * 5
    assert sorted(np.concatenate(parts[:4]).tolist()) == rows.tolist()
    assert parts[4].tolist() == parts[0].tolist()
    assert replay.rows(everything, 0, seed=1)[60:].tolist() != parts[0].tolist()
    assert replay.rows(everything, 0, seed=0)[:60].tolist() == list(range(60))
