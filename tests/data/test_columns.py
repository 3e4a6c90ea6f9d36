from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest

from drugmon.data.columns import FIELDS, ColumnMap, resolve_columns, texts_of
from drugmon.data.reviews import Rows, Texts, is_lone
from drugmon.errors import SourceError, UsageError

DRUGLIB = [
    *("", "urlDrugName", "rating", "effectiveness", "sideEffects", "condition"),
    *("benefitsReview", "sideEffectsReview", "commentsReview"),
]
MAPPED = ColumnMap(
    benefits="benefitsReview",
    side_effects="sideEffectsReview",
    comments="commentsReview",
    rating="rating",
    effectiveness="effectiveness",
    side_effects_grade="sideEffects",
    drug="urlDrugName",
    condition="condition",
    id="",
)


def test_druglib_names() -> None:
    assert resolve_columns(DRUGLIB, {}, "f") == MAPPED


@pytest.mark.parametrize("spelled", ["BENEFITS REVIEW", "benefits_review", "Benefits-Review"])
def test_case_spaces_and_underscores_do_not_matter(spelled: str) -> None:
    assert resolve_columns([spelled], {}, "f").benefits == spelled


def test_drugs_com_names() -> None:
    names = ["uniqueID", "drugName", "condition", "review", "rating", "date", "usefulCount"]
    assert resolve_columns(names, {}, "f") == ColumnMap(
        text="review",
        rating="rating",
        drug="drugName",
        condition="condition",
        date="date",
        id="uniqueID",
    )


def test_plain_names() -> None:
    columns = resolve_columns(["id", "benefits", "side_effects", "comments", "review"], {}, "f")
    assert columns == ColumnMap(
        benefits="benefits",
        side_effects="side_effects",
        comments="comments",
        text="review",
        id="id",
    )


def test_side_effects_is_a_grade_beside_druglib_texts() -> None:
    columns = resolve_columns(["benefitsReview", "sideEffects"], {}, "f")
    assert (columns.side_effects, columns.side_effects_grade) == (None, "sideEffects")


def test_the_users_choice_comes_first() -> None:
    names = ["pros", "cons", "benefits", "text"]
    columns = resolve_columns(names, {"benefits": "pros", "side_effects": "CONS"}, "f")
    assert columns == ColumnMap(benefits="pros", side_effects="cons", text="text")


def test_a_chosen_lone_text_sets_the_aspects_aside() -> None:
    columns = resolve_columns(["story", "comments"], {"text": "story"}, "f")
    assert columns == ColumnMap(text="story")
    both = {"text": "story", "comments": "comments"}
    assert resolve_columns(["story", "comments"], both, "f") == ColumnMap(**both)


@pytest.mark.parametrize("name", ["sentiment", "Label", "overall_label", "Sentiment label"])
def test_a_column_of_labels_is_found_where_no_rating_is(name: str) -> None:
    assert resolve_columns(["review", name], {}, "f").overall_label == name
    beside = resolve_columns(["review", name, "rating"], {}, "f")
    assert (beside.rating, beside.overall_label) == ("rating", None)
    chosen = resolve_columns(["review", name, "rating"], {"overall_label": name}, "f")
    assert chosen.overall_label == name


class Cells:
    """Rows of three columns."""

    names = ("benefits", "comments", "review")

    def __init__(self, *rows: tuple[object, object, object]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def column(self, name: str) -> list[object]:
        return [row[self.names.index(name)] for row in self._rows]

    def to_arrow(self) -> pa.Table:
        raise NotImplementedError

    def filter(self, mask: Sequence[bool]) -> Rows:
        raise NotImplementedError


def test_each_row_is_taken_by_the_texts_that_it_has() -> None:
    rows = Cells(("it helped", None, "all of it"), ("", " ", "a story"), (None, None, None))
    columns = resolve_columns(rows.names, {}, "f")
    read = texts_of(rows, columns, 0, "f")
    assert read == [
        Texts("it helped", None, None, None),
        Texts("", None, " ", "a story"),
        Texts(None, None, None, None),
    ]
    assert [is_lone(review) for review in read] == [False, True, False]


def test_a_number_called_review_beside_aspects_is_no_text() -> None:
    rows = Cells((None, None, 17), ("fine", None, 18))
    read = texts_of(rows, resolve_columns(rows.names, {}, "f"), 0, "f")
    assert [review.text for review in read] == [None, None]
    alone = resolve_columns(["review"], {}, "f")
    with pytest.raises(SourceError, match=r"f: column 'review' holds int \(row 1\), a review text"):
        texts_of(rows, alone, 0, "f")


def test_no_text_column_lists_what_there_is() -> None:
    with pytest.raises(SourceError) as caught:
        resolve_columns(["id", "stars"], {}, "a.csv")
    assert str(caught.value) == (
        "a.csv: no text column among 'id', 'stars'; name one with --column benefits=NAME "
        "(or side_effects, comments, text)"
    )


def test_unknown_fields_and_columns_are_listed() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_columns(["a"], {"pros": "a"}, "a.csv")
    assert str(caught.value) == f"--column pros=a: no such field; use one of {', '.join(FIELDS)}"
    with pytest.raises(UsageError) as caught:
        resolve_columns(["a", "b"], {"benefits": "c"}, "a.csv")
    assert str(caught.value) == "--column benefits=c: a.csv has no such column; it has 'a', 'b'"


def test_two_columns_for_one_field_have_to_be_chosen_from() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_columns(["Comments", "comments"], {}, "a.csv")
    assert str(caught.value) == (
        "a.csv: columns 'Comments', 'comments' could all be comments; "
        "choose with --column comments=NAME"
    )
    chosen = resolve_columns(["Comments", "comments"], {"comments": "comments"}, "a.csv")
    assert chosen == ColumnMap(comments="comments")


def test_a_field_that_is_no_text_is_never_guessed() -> None:
    names = ["text", "Rating", "rating"]
    assert resolve_columns(names, {}, "f") == ColumnMap(text="text")
    assert resolve_columns(names, {"rating": "Rating"}, "f").rating == "Rating"


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("Reviews", "text"),
        ("Drug Review", "text"),
        ("drug_reviews", "text"),
        ("Review Body", "text"),
        ("Patient-Review", "text"),
        ("Pros", "benefits"),
        ("CONS", "side_effects"),
        ("Side effect", "side_effects"),
    ],
)
def test_the_usual_names_of_texts_are_known(name: str, field: str) -> None:
    assert getattr(resolve_columns(["id", name, "rating"], {}, "f"), field) == name


def test_a_source_without_a_header_tells_nothing_of_its_texts() -> None:
    with pytest.raises(SourceError) as caught:
        resolve_columns(["R1", "5", "my secret illness"], {}, "f.csv")
    assert str(caught.value) == (
        "f.csv: no text column among 3 columns, not all with a name (does the first line hold "
        "names?); name one with --column benefits=NAME (or side_effects, comments, text)"
    )
    with pytest.raises(UsageError, match=r"f\.csv has no such column; it has 2 columns, not all"):
        resolve_columns(["5", "my secret illness"], {"text": "body"}, "f.csv")


@pytest.mark.parametrize(("name", "spelled"), [("id;review", "';'"), ("id\treview", "tab")])
def test_another_delimiter_is_told_of(name: str, spelled: str) -> None:
    with pytest.raises(SourceError) as caught:
        resolve_columns([name], {}, "f.csv")
    assert str(caught.value).endswith(
        f"if {spelled} separates its cells, add --delimiter {spelled}"
    )
