from __future__ import annotations

import pytest

from drugmon.errors import UsageError
from drugmon.grading import TEN, Grading, GradingChoice, RatingScale, doubt, parse_scale


@pytest.mark.parametrize(
    ("text", "negative", "neutral", "positive"),
    [
        ("1-10", range(1, 5), range(5, 7), range(7, 11)),
        ("1-5", range(1, 3), range(3, 4), range(4, 6)),
        ("0-10", range(4), range(4, 7), range(7, 11)),
        ("0-100", range(34), range(34, 67), range(67, 101)),
        ("1-7", range(1, 4), range(4, 5), range(5, 8)),
        ("1-3", range(1, 2), range(2, 3), range(3, 4)),
        ("-1-1", range(-1, 0), range(1), range(1, 2)),
        ("0-1", range(1), range(0), range(1, 2)),
    ],
)
def test_labels_go_by_thirds_of_the_scale(
    text: str, negative: range, neutral: range, positive: range
) -> None:
    expected = {str(n): "negative" for n in negative}
    expected |= {str(n): "neutral" for n in neutral} | {str(n): "positive" for n in positive}
    assert parse_scale(text).labels() == expected
    assert list(expected) == list(parse_scale(text).levels)


@pytest.mark.parametrize("text", ["5-1", "1-1", "ten", "", "1-5-9", "1-100000", "0.5-5"])
def test_what_is_no_scale_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(UsageError, match=r"rating scale .* give its worst and its best rating"):
        parse_scale(text)


def test_the_spellings_of_a_scale() -> None:
    assert parse_scale("1-5") == parse_scale(" 1..5 ") == parse_scale("1:5") == RatingScale(1, 5)
    assert str(parse_scale("-2..2")) == "-2-2"
    assert parse_scale("-2-2") == RatingScale(-2, 2)


def test_a_rating_finds_its_nearest_level() -> None:
    assert [TEN.index(rating) for rating in (1, 3.3, 3.5, 10)] == [0, 2, 3, 9]
    for outside in (0.9, 10.1, float("nan")):
        with pytest.raises(ValueError, match="is outside 1-10"):
            TEN.index(outside)


def test_a_grading_survives_its_record_and_reads_those_without_words() -> None:
    grading = Grading().with_scale("1-5").with_words({"Good": "positive"})
    again = Grading.from_dict(grading.to_dict())
    assert again.same_truth(grading)
    assert again.scale == RatingScale(1, 5)
    assert again.words["good"] == "positive"
    old = {name: own for name, own in Grading().to_dict().items() if name != "words"}
    assert Grading.from_dict(old) == Grading()


def test_a_declared_scale_keeps_labels_that_are_its_own() -> None:
    strict = Grading({**Grading().rating, "7": "neutral"})
    assert strict.with_scale("1-10").rating["7"] == "neutral"
    assert strict.with_scale("1-5").rating == {
        **{"1": "negative", "2": "negative", "3": "neutral"},
        **{"4": "positive", "5": "positive"},
    }
    assert not strict.declared
    assert strict.with_scale("1-10").declared


def test_a_word_for_no_label_is_refused_when_it_is_said() -> None:
    with pytest.raises(UsageError, match=r"--label good=great: 'great' is no label; map to one of"):
        GradingChoice(words={"good": "great"})
    with pytest.raises(UsageError, match="rating scale 'x' will not do"):
        GradingChoice("x")


@pytest.mark.parametrize(
    ("low", "high", "likely"),
    [
        (1, 5, "1-5"),
        (0, 5, "0-5"),
        (0, 1, "0-1"),
        (0, 0.9, "0-1"),
        (2, 5, "1-5"),
        (0, 100, "0-100"),
        (3, 87, "0-100"),
        (0, 10, "0-10"),
        (1, 6, None),
        (1, 11, None),
        (-5, 1000, None),
        (-2, 2, None),
        (-1, 1, None),
    ],
)
def test_scales_that_ratings_look_like(low: float, high: float, likely: str | None) -> None:
    found = doubt(low, high, 50, TEN)
    assert (str(found) if found else None) == likely
    assert doubt(low, high, 9, TEN) is None, "too few to say so"
    assert doubt(low, high, 50, RatingScale(1, 5)) is None
