"""What the ratings and labels that are learned from stand for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from drugmon.errors import TrainingDataError
from drugmon.grading import GradingChoice, RatingScale
from drugmon.models.files import CARD, REFERENCE
from drugmon.monitoring.profiles.profile import read_profile
from drugmon.workflows.train.train import TrainResult
from tests.workflows.train.conftest import write


def stars(rows: list[dict[str, str]], path: Path, scale: dict[str, str]) -> Path:
    """The reviews with one text and their ratings on another scale."""
    renamed = [{"review": row["commentsReview"], "rating": scale[row["rating"]]} for row in rows]
    return write(path, renamed)


OF_FIVE = {"2": "1", "5": "3", "9": "5"}


def test_stars_of_five_end_a_training_that_takes_them_for_ten(
    fit: Callable[..., TrainResult], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    source = stars(rows, tmp_path / "stars.csv", OF_FIVE)
    with pytest.raises(
        TrainingDataError,
        match=r"stars\.csv: all 120 ratings lie between 1 and 5, .* --rating-scale 1-5 \(or 1-10",
    ):
        fit("mine", source=source)
    assert not (tmp_path / "mine").exists()


def test_a_declared_scale_is_learned_and_kept(
    fit: Callable[..., TrainResult], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    source = stars(rows, tmp_path / "stars.csv", OF_FIVE)
    made = fit("mine", source=source, grading=GradingChoice("1-5")).adapter
    assert made.manifest.levels["overall"] == [
        *("negative", "negative", "neutral", "positive", "positive")
    ]
    assert made.manifest.grading.scale == RatingScale(1, 5)
    assert made.manifest.training is not None
    assert made.manifest.training.label_counts.before["overall"] == [16, 16, 16]
    assert "--rating-scale 1-5" in (made.folder / CARD).read_text(encoding="utf-8")
    ratings = read_profile(made.folder / REFERENCE).ratings
    assert ratings is not None
    assert list(ratings) == ["1", "2", "3", "4", "5", "other", "none"]


def test_labels_in_words_are_learned(
    fit: Callable[..., TrainResult], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    words = {"2": "bad", "5": "so so", "9": "good"}
    labelled = [{"text": row["commentsReview"], "label": words[row["rating"]]} for row in rows]
    source = write(tmp_path / "words.csv", labelled)
    meaning = {"bad": "negative", "so so": "neutral", "good": "positive"}
    made = fit("mine", source=source, grading=GradingChoice(words=meaning)).adapter
    assert made.manifest.levels == {"overall": ["negative", "neutral", "positive"]}
    assert made.manifest.grading.words["good"] == "positive"
    with pytest.raises(TrainingDataError, match=r"row 1, column 'label': a value of 3 char"):
        fit("other", source=source)


def test_each_target_may_have_labels_of_its_own(
    fit: Callable[..., TrainResult], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    label = {"2": "negative", "5": "neutral", "9": "positive"}
    for row in rows:
        row["benefits_label"] = row["tone"] = label[row["rating"]]
        row["rating"] = row["effectiveness"] = ""
    source = write(tmp_path / "own.csv", rows)
    chosen = {"overall_label": "tone"}
    made = fit("mine", source=source, columns=chosen).adapter
    assert made.manifest.levels["benefits"] == ["negative", "neutral", "positive"]
    assert len(made.manifest.levels["side_effects"]) == 5
    assert made.manifest.levels["overall"] == ["negative", "neutral", "positive"]


def test_a_label_that_no_review_has_is_told(
    fit: Callable[..., TrainResult], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    told: list[str] = []
    source = stars(rows, tmp_path / "poor.csv", {"2": "2", "5": "9", "9": "9"})
    fit("mine", source=source, warn=told.append)
    assert [each for each in told if "no training review" in each] == [
        "no training review is neutral on overall: the adapter cannot learn that label, and its "
        "figures do not show it; check the column, --rating-scale and --label"
    ]
