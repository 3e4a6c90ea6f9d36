"""A teacher and what it is asked: its training, and reviews that it knows or does not."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from drugmon.config import EngineConfig
from drugmon.models.adapters.adapter import Adapter
from drugmon.training.loop.progress import Progress
from drugmon.training.reviews.examples import Words
from drugmon.training.reviews.gathered import Gathered
from drugmon.training.sources import Source
from drugmon.training.teacher import TeacherSection
from drugmon.workflows.train.teaching.teach import Classroom, Teaching, teach
from drugmon.workflows.train.train import TrainConfig, TrainResult, train
from tests.tiny_recipe import TINY

SETTINGS = (*TINY, "lexical.min_df=1", "split.folds=2", "help.epochs=0", "help.replay=1")
CPU = EngineConfig(device="cpu")
WORDS = {1: "useless and awful", 5: "mixed feelings", 9: "wonderful, recommended"}
RATINGS = tuple(WORDS)


def lone(path: Path, first: int, count: int, rated: bool = True) -> Path:
    """`count` lone texts from number `first` on, with a rating or without."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["rating", "review"])
        for number in range(first, first + count):
            rating = RATINGS[number % 3]
            writer.writerow([rating if rated else "", f"{WORDS[rating]} lone {number}"])
    return path


def fit(out: Path, source: object, *settings: str, **options: Any) -> TrainResult:
    told = {key: options.pop(key) for key in ("on_progress", "warn") if key in options}
    return train(TrainConfig(str(source), out, settings=SETTINGS + settings, **options), **told)


def sources(labelled: Path, tmp_path: Path) -> list[Source]:
    """All 120 reviews; lone texts, of which the teacher learned from 30; others without labels."""
    helping = lone(tmp_path / "lone.csv", 0, 40)
    unlabelled = lone(tmp_path / "more.csv", 20, 40, rated=False)
    return [
        Source(path=str(labelled)),
        Source(path=str(helping), role="help"),
        Source(path=str(unlabelled), role="unlabelled"),
    ]


def words_of(teaching: Teaching) -> tuple[Words, Words | None]:
    """What a training hears that leaves no review out."""
    return teaching.heard(np.array([], np.int64))


def asked(
    teachers: list[Adapter],
    gathered: Gathered,
    work: Path,
    on_progress: Callable[[str, Progress], None] = lambda _stage, _progress: None,
    warn: Callable[[str], None] = lambda _warning: None,
) -> tuple[Gathered, Teaching]:
    room = Classroom(work, CPU, on_progress, warn)
    gathered, teaching = teach(teachers, TeacherSection(("large",)), gathered, room)
    assert teaching is not None
    return gathered, teaching
