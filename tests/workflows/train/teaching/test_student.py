"""A student with few labels gets better by a teacher who knows more than these."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from drugmon.config import EngineConfig
from drugmon.labels import TARGETS
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.bases.bases import resolve_base
from drugmon.training.recipe import load_recipe
from drugmon.training.reviews.gathered import Gathered, gather
from drugmon.training.sources import Source
from drugmon.workflows.train.fit import Fit
from drugmon.workflows.train.teaching.lessons import Lesson
from drugmon.workflows.train.teaching.teach import Spoken, Teaching

SETTINGS = (
    "base.name=tiny-base",
    "lora.r=2",
    "model.max_length=16",
    "train.epochs=12",
    "train.batch_size=16",
    "train.learning_rate=1e-2",
    "train.head_learning_rate=5e-2",
    "lexical.enabled=false",
    "help.epochs=0",
    "help.replay=1",
)
CPU = EngineConfig(device="cpu")
RATINGS = (2, 5, 9)
WORDS, LABELLED = 24, 6


@pytest.fixture(name="gathered")
def _gathered(tiny_base: Path, tmp_path: Path) -> Gathered:
    """A word tells the label. Six are labelled, all are measured, all are there unlabelled."""
    vocabulary = json.loads((tiny_base / "tokenizer.json").read_text(encoding="utf-8"))
    known = [word for word in vocabulary["model"]["vocab"] if word.isalpha() and len(word) > 3]
    words = known[:WORDS]
    assert len(words) == WORDS
    target, more = tmp_path / "target.csv", tmp_path / "more.csv"
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["rating", "review"])
        rows = [*range(LABELLED), *range(WORDS)]
        writer.writerows(
            [RATINGS[n % 3], f"{3 * f'{words[n]} '}{place}"] for place, n in enumerate(rows)
        )
    with more.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["review"])
        writer.writerows([f"{3 * f'{words[n % WORDS]} '}{100 + n}"] for n in range(6 * WORDS))
    return gather([Source(path=str(target)), Source(path=str(more), role="unlabelled")], None)


def macro_f1(
    gathered: Gathered, work: Path, teaching: Teaching | None, settings: tuple[str, ...] = SETTINGS
) -> float:
    """On the reviews that were not learned from."""
    recipe = load_recipe("minilm", settings)
    fit = Fit(
        recipe,
        resolve_base(recipe.base.name),
        gathered.targets,
        work,
        CPU,
        lambda _stage, _progress: None,
        helping=gathered.help if teaching else None,
        teaching=teaching,
    )
    fitted = fit.run("student", np.arange(LABELLED), None)
    assert fitted.record.examples == LABELLED
    return fit.validate(fitted.model, np.arange(LABELLED, LABELLED + WORDS))["overall"]["macro_f1"]


def taught(gathered: Gathered) -> Teaching:
    """By somebody who is right nine times of ten, on the unlabelled reviews alone."""
    assert gathered.help is not None
    rng = np.random.default_rng(0)
    labels = np.arange(len(gathered.help)) % 3
    wrong = rng.random(len(labels)) < 0.1
    labels = np.where(wrong, (labels + 1) % 3, labels)
    said = np.where(np.eye(3)[labels] == 1, 0.9, 0.05).astype(np.float32)
    targets, count = len(gathered.targets), len(gathered.targets) + len(gathered.help)
    words = np.full((count, len(TARGETS), 3), np.nan, np.float32)
    words[targets:, TARGETS.index("overall")] = said
    nothing, everything = np.zeros(count, dtype=bool), np.ones(count, dtype=bool)
    unseen = Lesson(
        cast(Adapter, None), words, nothing, nothing, everything, np.full(count, -1, np.int64)
    )
    return Teaching(gathered, (Spoken(unseen, words),), "somebody", ())


def test_what_a_teacher_knows_beyond_the_labels_is_learned(
    gathered: Gathered, tmp_path: Path
) -> None:
    alone = macro_f1(gathered, tmp_path / "alone", None)
    better = macro_f1(gathered, tmp_path / "taught", taught(gathered))
    assert better > 0.75
    assert better > alone + 0.2


def test_a_first_stage_on_unlabelled_reviews_is_taught_too(
    gathered: Gathered, tmp_path: Path
) -> None:
    stages = ("help.epochs=12", "help.learning_rate=1e-2", "help.head_learning_rate=5e-2")
    slow = ("train.epochs=1", "train.learning_rate=1e-4", "train.head_learning_rate=1e-4")
    settings = (*SETTINGS, *stages, *slow, "help.replay=0")
    assert macro_f1(gathered, tmp_path / "stages", taught(gathered), settings) > 0.65
