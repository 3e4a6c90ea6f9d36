"""A model that is measured hears nothing from one that learned what it is measured on."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest

from drugmon.models.adapters.adapter import Adapter
from drugmon.models.bases.bases import resolve_base
from drugmon.models.files import CARD
from drugmon.training.recipe import load_recipe
from drugmon.training.reviews.examples import has_word
from drugmon.training.reviews.gathered import Gathered, gather
from drugmon.training.reviews.split import fold_rows
from drugmon.workflows.train.fit import Fit
from drugmon.workflows.train.teaching.lessons import Lesson
from drugmon.workflows.train.teaching.teach import Teaching
from tests.teaching import CPU, SETTINGS, asked, fit, sources, words_of


@pytest.fixture(name="lesson")
def _lesson() -> Lesson:
    """Reviews 0-2 were held out by model 0, 3-5 by model 1; 6 was learned; 7 and 8 are new to it.

    8 was held out by the kept model, number 2, as lone texts are.
    """
    fold = np.array([0, 0, 0, 1, 1, 1, -1, -1, 2])
    learned = np.arange(9) < 7
    words = np.zeros((9, 4, 3), np.float32)
    return Lesson(cast(Adapter, None), words, fold >= 0, learned, ~learned & (fold < 0), fold)


@pytest.mark.parametrize(
    ("left_out", "heard"),
    [
        ([], [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ([7, 8], [0, 1, 2, 3, 4, 5, 6, 7, 8]),  # no model of it learned these
        ([0, 1], [0, 1, 2]),
        ([4, 7], [3, 4, 5]),
        ([0, 3], []),
        ([6], []),
        ([0, 6], []),
    ],
)
def test_models_that_learned_what_is_left_out_are_not_heard(
    lesson: Lesson, left_out: list[int], heard: list[int]
) -> None:
    rows = np.array(left_out, np.int64)
    assert np.flatnonzero(lesson.apart_from(rows)).tolist() == heard


@pytest.fixture(name="taught")
def _taught(teacher: Adapter, labelled: Path, tmp_path: Path) -> tuple[Gathered, Teaching]:
    return asked([teacher], gather(sources(labelled, tmp_path), None), tmp_path / "work")


def test_blocks_are_what_one_model_held_out(taught: tuple[Gathered, Teaching]) -> None:
    gathered, teaching = taught
    numbers, counts = np.unique(teaching.blocks, return_counts=True)
    assert numbers.tolist()[0] == -1
    assert counts.tolist() == [42, 39, 39], "what the teacher has never seen, and its two folds"
    assert len(teaching.blocks) == len(gathered.targets)


def test_folds_hear_the_rest_of_their_block(taught: tuple[Gathered, Teaching]) -> None:
    gathered, teaching = taught
    reviews, blocks = gathered.targets, teaching.blocks
    whole, whole_help = words_of(teaching)
    assert has_word(whole["overall"]).all()
    for rows in fold_rows(reviews.texts, reviews.strata, 4, 0, blocks):
        words, of_help = teaching.heard(rows)
        (block,) = set(blocks[rows].tolist()) - {-1}
        heard = has_word(words["overall"])
        assert np.array_equal(heard, blocks == block)
        assert np.array_equal(words["overall"][heard], whole["overall"][heard])
        assert of_help is not None
        assert whole_help is not None
        assert np.isnan(of_help["overall"]).all(), "the kept model learned every fold"
        assert has_word(whole_help["overall"]).any()


def test_the_kept_model_hears_as_much_as_measured_ones(
    taught: tuple[Gathered, Teaching], tmp_path: Path
) -> None:
    gathered, teaching = taught
    recipe = load_recipe("minilm", (*SETTINGS, "train.epochs=1", "help.epochs=1"))
    stages: list[str] = []
    student = Fit(
        recipe,
        resolve_base("tiny-base"),
        gathered.targets,
        tmp_path / "student",
        CPU,
        lambda stage, _progress: stages.append(stage),
        helping=gathered.help,
        teaching=teaching,
    )
    everything = np.arange(len(gathered.targets))
    (rows, *_) = fold_rows(gathered.targets.texts, gathered.targets.strata, 4, 0, teaching.blocks)
    measured = student.run("fold-1", np.setdiff1d(everything, rows), None).record
    share = measured.taught / len(measured.learned)
    kept = student.run("refit", everything, None, share_heard=share).record
    block = teaching.blocks[rows].max()
    assert measured.taught == np.sum(teaching.blocks == block) - np.sum(
        teaching.blocks[rows] == block
    )
    assert kept.taught == round(share * len(everything)) < len(everything)
    assert list(dict.fromkeys(stages)) == ["help-apart", "fold-1", "refit"]


def test_of_help_reviews_the_kept_model_hears_what_measured_ones_may(
    taught: tuple[Gathered, Teaching],
) -> None:
    gathered, teaching = taught
    count = len(gathered.targets)
    whole, whole_help = words_of(teaching)
    none = np.array([], np.int64)
    words, of_help = teaching.heard(none, 0.25, 7)
    heard = has_word(words["overall"])
    assert heard.sum() == round(0.25 * count)
    assert np.array_equal(words["overall"][heard], whole["overall"][heard])
    assert np.array_equal(heard, has_word(teaching.heard(none, 0.25, 7)[0]["overall"]))
    assert not np.array_equal(heard, has_word(teaching.heard(none, 0.25, 8)[0]["overall"]))
    assert of_help is not None
    assert whole_help is not None
    assert np.isnan(of_help["overall"]).all()
    assert has_word(whole_help["overall"]).any()
    assert not has_word(teaching.heard(none, 0.0)[0]["overall"]).any()


def test_the_card_tells_how_much_was_heard(
    teacher: Adapter, labelled: Path, tmp_path: Path
) -> None:
    made = fit(
        tmp_path / "small", labelled, f"teacher.adapters={teacher.folder}", "split.folds=4"
    ).adapter
    training = made.manifest.training
    assert training is not None
    assert 0 < training.taught_measured < 40
    assert training.taught_kept == pytest.approx(
        120 * training.taught_measured / training.rows_measured, abs=2
    )
    card = " ".join((made.folder / CARD).read_text(encoding="utf-8").split())
    assert (
        f"heard a teacher on {training.taught_measured} of their {training.rows_measured} reviews, "
        f"the one that is kept on {training.taught_kept}"
    ) in card
