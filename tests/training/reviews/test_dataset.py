from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.reviews import Texts
from drugmon.errors import TrainingDataError, UsageError
from drugmon.grading import Grading
from drugmon.training.reviews.dataset import LabelledReviews, has_text, read_labelled

DRUGLIB = ["", "urlDrugName", "rating", "effectiveness", "sideEffects", "condition"]
DRUGLIB += ["benefitsReview", "sideEffectsReview", "commentsReview"]
ROWS = [
    ["1", "a", "9", "Highly Effective", "No Side Effects", "pain", "it helped", "None", "took one"],
    ["2", "a", "5", "Ineffective", "Severe Side Effects", "pain", "", "bad &amp; worse", "n/a"],
    ["3", "b", "", "Moderately Effective", "", "flu", "some", "tired", "was fine"],
    ["4", "b", "1", "Ineffective", "Mild Side Effects", "flu", " ", " ", " "],
]


def write(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",").writerows(
            [header, *rows]
        )
    return str(path)


def read(source: str, **more: dict[str, str]) -> LabelledReviews:
    return read_labelled(source, Grading(), **more)  # type: ignore[arg-type]


@pytest.fixture
def druglib(tmp_path: Path) -> LabelledReviews:
    return read(write(tmp_path / "reviews.tsv", DRUGLIB, ROWS))


def test_the_columns_decide_what_is_taught(druglib: LabelledReviews) -> None:
    assert druglib.targets == ("benefits", "side_effects", "comments", "overall")
    assert {target: levels.tolist() for target, levels in druglib.levels.items()} == {
        "benefits": [4, -1, 2, -1],
        "side_effects": [4, 1, -1, -1],
        "comments": [8, 4, -1, -1],
        "overall": [8, 4, -1, -1],
    }
    assert druglib.labels["overall"].tolist() == [2, 1, -1, -1]
    assert druglib.labels["benefits"].tolist() == [2, -1, 1, -1]
    assert druglib.strata is druglib.labels["overall"]


def test_what_is_left_out_is_counted_by_reason(druglib: LabelledReviews) -> None:
    assert druglib.left_out() == {
        "benefits": {"no text": 2, "no grade": 0},
        "side_effects": {"no text": 1, "no grade": 1},
        "comments": {"no text": 1, "no grade": 1},
        "overall": {"no text": 1, "no grade": 1},
    }


def test_what_pandas_reads_as_missing_is_marked_and_can_be_left_out(
    druglib: LabelledReviews,
) -> None:
    # "None"; an empty text and "n/a"; an empty rating; a text of spaces is not missing to pandas
    assert druglib.missing_like_pandas.tolist() == [True, True, True, False]
    kept = druglib.take(~druglib.missing_like_pandas)
    assert len(kept) == 1
    assert kept.texts == [druglib.texts[3]]
    assert kept.left_out()["overall"] == {"no text": 1, "no grade": 0}


def test_none_is_a_text(druglib: LabelledReviews) -> None:
    assert druglib.texts[0].side_effects == "None"
    assert druglib.labels["side_effects"][0] == 2


def test_a_lone_text_teaches_overall(tmp_path: Path) -> None:
    rows = [["good", "8"], ["bad", "2"]]
    reviews = read(write(tmp_path / "a.csv", ["review", "rating"], rows))
    assert reviews.targets == ("overall",)
    assert reviews.texts == [Texts(None, None, None, "good"), Texts(None, None, None, "bad")]
    assert reviews.labels["overall"].tolist() == [2, 0]


def test_files_of_a_folder_are_joined_whatever_each_teaches(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", ["review", "rating"], [["good", "8"]])
    header = ["benefitsReview", "effectiveness"]
    write(tmp_path / "b.csv", header, [["helped", "Highly Effective"]])
    reviews = read(str(tmp_path))
    assert {target: labels.tolist() for target, labels in reviews.labels.items()} == {
        "benefits": [-1, 2],
        "overall": [2, -1],
    }
    assert reviews.missing_like_pandas.tolist() == [False, False]


def test_parquet_numbers_are_ratings_and_nulls_are_missing(tmp_path: Path) -> None:
    ratings = pa.array([7.0, None, float("nan")])
    table = pa.table({"comments": ["fine", "so so", None], "rating": ratings})
    pq.write_table(table, tmp_path / "a.parquet")
    reviews = read(str(tmp_path / "a.parquet"))
    assert reviews.targets == ("comments", "overall")
    assert reviews.levels["overall"].tolist() == [6, -1, -1]
    assert reviews.missing_like_pandas.tolist() == [False, True, True]


def test_other_columns_and_labels_may_be_chosen(tmp_path: Path) -> None:
    source = write(tmp_path / "a.csv", ["pros", "stars"], [["good", "7"]])
    mapping = Grading({**Grading().rating, "7": "neutral"})
    reviews = read_labelled(source, mapping, overrides={"text": "pros", "rating": "stars"})
    assert reviews.labels["overall"].tolist() == [1]


def test_a_wrong_rating_is_named_with_file_row_and_column(tmp_path: Path) -> None:
    source = write(tmp_path / "a.csv", ["review", "rating"], [["good", "8"], ["bad", "11"]])
    with pytest.raises(TrainingDataError) as caught:
        read(source)
    assert str(caught.value) == (
        f"{source}, row 2, column 'rating': '11' is no rating from 1 to 10; give a number on that "
        "scale, declare another one with --rating-scale LOW-HIGH, or leave the cell empty"
    )


@pytest.mark.parametrize("header", [["review", "note"], ["review", "rating"]])
def test_nothing_to_learn_from_is_an_error_with_the_remedy(
    tmp_path: Path, header: list[str]
) -> None:
    source = write(tmp_path / "a.csv", header, [["good", ""]])
    with pytest.raises(TrainingDataError, match=r"a\.csv teaches nothing: .* --column rating=NAME"):
        read(source)


def test_standard_input_is_refused() -> None:
    with pytest.raises(UsageError, match="are read from files; name a file, folder or glob, not -"):
        read("-")


def test_the_fingerprint_follows_texts_levels_labels_and_order(tmp_path: Path) -> None:
    source = write(tmp_path / "a.csv", ["review", "rating"], [["good", "8"], ["bad", "2"]])
    reviews = read(source)
    neutral = Grading({**Grading().rating, "8": "neutral"})
    kept = {
        reviews.fingerprint(),
        reviews.take(np.array([1, 0])).fingerprint(),
        read_labelled(source, neutral).fingerprint(),
        read(
            write(tmp_path / "b.csv", ["review", "rating"], [["good", "9"], ["bad", "2"]])
        ).fingerprint(),
        read(
            write(tmp_path / "c.csv", ["review", "rating"], [["Good", "8"], ["bad", "2"]])
        ).fingerprint(),
    }
    assert len(kept) == 5
    assert read(source).fingerprint() == reviews.fingerprint()
    assert len(reviews.fingerprint()) == 32


def test_overall_reads_any_text() -> None:
    assert has_text(Texts(None, " ", "x", None), "overall")
    assert has_text(Texts(None, None, None, "x"), "overall")
    assert not has_text(Texts(None, "&nbsp;", "x", None), "side_effects")


def test_bad_files_of_several_are_all_named_and_none_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", ["review", "rating"], [["good", "8"]])
    write(tmp_path / "b.csv", ["note", "rating"], [["good", "8"]])
    write(tmp_path / "c.csv", ["review", "rating"], [["bad", "11"]])
    with pytest.raises(TrainingDataError) as caught:
        read(str(tmp_path / "*.csv"))
    said = str(caught.value)
    assert said.startswith("2 of 3 files cannot be used, and figures over the others would be of")
    assert "b.csv: no text column" in said
    assert "c.csv, row 1, column 'rating': '11' is no rating" in said
    assert said.endswith("; mend them, or name the others alone")
