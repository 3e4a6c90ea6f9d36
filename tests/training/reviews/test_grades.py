from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from drugmon.errors import TrainingDataError
from drugmon.grading import Grading
from drugmon.training.reviews.grades import GradeReader, ladder_labels, ladder_of


def levels(cells: list[object], teacher: str, grading: Grading | None = None) -> list[int]:
    reader = GradeReader(teacher, grading or Grading())
    return list(reader.read(cells, where="a.tsv", column="c", start=0))


def test_ratings_come_as_text_or_number_and_may_be_missing() -> None:
    cells = ["1", " 10 ", "7.0", 7, 7.0, Decimal(3), None, "", " ", float("nan")]
    assert levels(cells, "rating") == [0, 9, 6, 6, 6, 2, -1, -1, -1, -1]


def test_a_rating_between_two_levels_is_the_nearest_ones_and_it_is_said() -> None:
    reader = GradeReader("rating", Grading())
    read = reader.read(["3.3", 6.5, Decimal("9.9"), 4], where="a", column="c", start=0)
    assert read.tolist() == [2, 6, 9, 3]
    assert reader.remarks("a.tsv") == (
        "a.tsv: 3 of 4 ratings lie between two levels of the scale 1-10; each is taken for the "
        "nearest one, from the middle upwards"
    )
    whole = GradeReader("rating", Grading())
    whole.read(["3"], where="a", column="c", start=0)
    assert whole.remarks("a.tsv") is None


def test_grades_are_read_whatever_their_case_and_outer_space() -> None:
    cells: list[object] = ["Ineffective", " highly  effective", None, ""]
    assert levels(cells, "effectiveness") == [0, 4, -1, -1]
    assert levels(["No Side Effects"], "side_effects_grade") == [4]


def test_labels_are_words_and_other_words_are_mapped() -> None:
    cells: list[object] = ["negative", " Positive ", "NEUTRAL", None, "", float("nan")]
    assert levels(cells, "overall_label") == [0, 2, 1, -1, -1, -1]
    mapped = Grading().with_words({"Very good": "positive", "0": "negative", "true": "positive"})
    assert levels(["very  GOOD", 0, 0.0, True, "neutral"], "benefits_label", mapped) == [
        *(2, 0, 0, 2, 1)
    ]


@pytest.mark.parametrize("cell", ["0", "11", 10.2, "good", True, "inf", 0.999, [1], 10**400, "7,5"])
def test_what_is_no_rating_is_named_with_its_place(cell: object) -> None:
    reader = GradeReader("rating", Grading())
    with pytest.raises(TrainingDataError) as caught:
        reader.read(["3", cell], where="a.tsv", column="stars", start=100)
    assert str(caught.value).startswith("a.tsv, row 102, column 'stars': ")
    assert "is no rating from 1 to 10; give a number on that scale" in str(caught.value)
    assert "another one with --rating-scale LOW-HIGH, or leave the cell" in str(caught.value)


def test_a_rating_outside_a_declared_scale_is_named_with_its_row() -> None:
    stars = Grading().with_scale("1-5")
    assert levels([1, "2", 3.0, "4", 5], "rating", stars) == [0, 1, 2, 3, 4]
    with pytest.raises(TrainingDataError, match=r"a\.tsv, row 2, .*: 6 is no rating from 1 to 5"):
        levels([1, 6], "rating", stars)


def test_an_unknown_grade_or_word_lists_the_known_ones() -> None:
    with pytest.raises(
        TrainingDataError, match="a value of 9 characters is no effectiveness; give one of Inef"
    ):
        levels(["Wonderful"], "effectiveness")
    with pytest.raises(
        TrainingDataError,
        match="a value of 4 characters is no label; give one of negative, neutral, positive, tell "
        "what a word means "
        "with --label WORD=LABEL, or leave",
    ):
        levels(["good"], "overall_label")


@pytest.mark.parametrize("text", ["my private story " * 10, "my private story"])
def test_a_review_text_in_a_graded_column_is_not_shown(text: str) -> None:
    for teacher in ("rating", "overall_label"):
        with pytest.raises(TrainingDataError) as caught:
            levels([text], teacher)
        assert "private" not in str(caught.value)
        assert f"a value of {len(text)} characters" in str(caught.value)


def doubts(cells: list[object], grading: Grading | None = None) -> str | None:
    reader = GradeReader("rating", grading or Grading())
    reader.read(cells, where="a.tsv", column="c", start=0)
    return reader.doubts("a.tsv")


def test_ratings_of_another_scale_are_doubted_with_the_remedy() -> None:
    assert doubts([1, 2, 3, 4, 5] * 4) == (
        "a.tsv: all 20 ratings lie between 1 and 5, so that none is positive on the scale 1-10; "
        "declare the scale with --rating-scale 1-5 (or 1-10, if it is that)"
    )
    assert doubts([1, 2, 3, 4, 6] * 4) is None
    assert doubts([5, 4] * 4) is None, "a few poor reviews are no proof"
    assert doubts([1, 5] * 20, Grading().with_scale("1-10")) is None, "declared is declared"
    assert doubts([1, 5] * 20, Grading().with_scale("1-5")) is None


def test_labels_follow_the_ladder_and_missing_stays_missing() -> None:
    read = np.array([0, 4, 5, 9, -1])
    ladder = ladder_of("rating", Grading())
    assert ladder_labels(read, ladder).tolist() == [0, 1, 1, 2, -1]
    assert list(ladder_of("effectiveness", Grading()).values()) == [
        *("negative", "negative", "neutral", "positive", "positive")
    ]
    assert list(ladder_of("overall_label", Grading())) == ["negative", "neutral", "positive"]
