"""What the ratings and labels of a source stand for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from drugmon.grading import GradingChoice
from drugmon.workflows.report.report import ReportResult
from tests.workflows.report.conftest import Make, Run, check, write


def stars_of(table: pa.Table) -> pa.Table:
    """The same reviews with stars of five: of these each label has the same ratings as of ten."""
    stars = [None if r is None else (int(r) + 1) // 2 for r in table["rating"].to_pylist()]
    return table.set_column(table.column_names.index("rating"), "rating", pa.array(stars))


def _rounded(quality: object) -> str:
    return re.sub(r"\d\.\d{10,}", lambda figure: f"{float(figure[0]):.9f}", repr(quality))


def test_stars_of_five_are_doubted_and_measured_as_declared(
    tmp_path: Path, scored_reviews: Make, run: Run, reference: Path
) -> None:
    table = scored_reviews(300, seed=2)
    ten = run(write(tmp_path / "ten.parquet", table), reference=str(reference))
    source = write(tmp_path / "five.parquet", stars_of(table))
    misread = run(source, reference=str(reference))
    assert [note for note in misread.summary.left_out if "scale" in note] == [
        "The ratings lie between 1 and 5 and are read on the scale 1-10: if that is wrong, so is "
        "the quality; declare the scale with --rating-scale 1-5, in nightly.toml with rating_scale."
    ]
    other = write(tmp_path / "five-reference.parquet", stars_of(pq.read_table(reference)))
    choice = GradingChoice("1-5")
    declared = run(source, reference=str(other), grading=choice)
    assert not [note for note in declared.summary.left_out if "scale" in note]
    # Sums of the same numbers differ in the last digits by where they lie in memory.
    assert _rounded(declared.summary.quality) == _rounded(ten.summary.quality)
    assert check(declared, "drift.ratings").says == check(ten, "drift.ratings").says


def test_stars_of_the_reference_are_doubted_too(
    tmp_path: Path, scored_reviews: Make, run: Run, reference: Path
) -> None:
    """Read on the scale of ten, none of its reviews is positive: its quality is no measure."""
    source = write(tmp_path / "ten.parquet", scored_reviews(300, seed=2))
    stars = write(tmp_path / "five.parquet", stars_of(pq.read_table(reference)))
    misread = run(source, reference=str(stars))
    assert [note for note in misread.summary.left_out if "scale" in note] == [
        "In the reference: the ratings lie between 1 and 5 and are read on the scale 1-10: if that "
        "is wrong, so is the quality; declare the scale with --rating-scale 1-5, in nightly.toml "
        "with rating_scale."
    ]
    assert check(misread, "quality.overall").says == (
        "Too few reviews to judge: 0 that are truly positive in the reference, 8 are needed."
    )


def test_ratings_outside_the_scale_and_between_its_levels_are_told(
    tmp_path: Path, scored_reviews: Make, run: Run, reference: Path
) -> None:
    table = scored_reviews(60, seed=2)
    ratings = [3.3, 11.0, *map(float, table["rating"].to_pylist()[2:])]
    place = table.column_names.index("rating")
    source = write(tmp_path / "odd.parquet", table.set_column(place, "rating", pa.array(ratings)))
    notes = run(source, reference=str(reference)).summary.left_out
    assert [note for note in notes if "scale" in note] == [
        "1 of 60 ratings lie outside the scale 1-10: quality leaves them out.",
        "1 of 60 ratings lie between two levels of the scale 1-10: each is taken for the nearest "
        "one, from the middle upwards.",
    ]


def test_ratings_that_are_no_numbers_are_told(
    tmp_path: Path, scored_reviews: Make, run: Run, reference: Path
) -> None:
    table = scored_reviews(60, seed=2)
    ratings = ["8,5", "7,0", "", " ", "nan", "9/10", *map(str, table["rating"].to_pylist()[6:])]
    place = table.column_names.index("rating")
    source = write(tmp_path / "odd.csv", table.set_column(place, "rating", pa.array(ratings)))
    result = run(source, reference=str(reference))
    assert [note for note in result.summary.left_out if "ratings" in note] == [
        "3 of 57 ratings are no numbers, as with a comma in place of the point: quality leaves "
        "them out."
    ]
    (overall,) = [each for each in result.summary.quality if each.target == "overall"]
    assert overall.measured is not None and overall.measured.n == 54


def test_words_without_a_meaning_are_told(
    tmp_path: Path, scored_reviews: Make, run: Run, reference: Path
) -> None:
    table = scored_reviews(60, seed=2).drop_columns("rating")
    words = [*["mixed"] * 7, *["", None], *["Positive"] * 51]
    grades = [*["rather well"] * 4, *["Highly Effective"] * 56]
    worded = table.append_column("sentiment", pa.array(words)).append_column(
        "effectiveness", pa.array(grades)
    )
    source = write(tmp_path / "words.parquet", worded)
    result = run(source, reference=str(reference))
    assert [note for note in result.summary.left_out if "words" in note] == [
        "4 of 60 cells of effectiveness are none of its words: quality leaves them out.",
        "7 of 58 cells of overall_label are none of its words: quality leaves them out; tell what "
        "a word means with --label WORD=LABEL, in nightly.toml with labels.",
    ]
    assert "mixed" not in result.page.read_text() and "rather well" not in result.page.read_text()
    told = run(source, reference=str(reference), grading=GradingChoice(words={"mixed": "neutral"}))
    assert len([note for note in told.summary.left_out if "words" in note]) == 1


def test_labels_in_words_are_what_quality_is_measured_on(
    tmp_path: Path, scored_reviews: Make, run: Run, reference: Path
) -> None:
    table = scored_reviews(200, seed=2)
    ratings = map(int, table["rating"].to_pylist())
    words = ["bad" if r <= 4 else "meh" if r <= 6 else "good" for r in ratings]
    ten = run(write(tmp_path / "ten.parquet", table), reference=str(reference))
    worded = table.drop_columns("rating").append_column("sentiment", pa.array(words))
    source = write(tmp_path / "words.parquet", worded)
    meaning = {"bad": "negative", "meh": "neutral", "good": "positive"}
    found = run(source, reference=str(reference), grading=GradingChoice(words=meaning))

    def measured(result: ReportResult) -> Any:
        return next(each.measured for each in result.summary.quality if each.target == "overall")

    assert measured(found).n == 200
    assert measured(found).accuracy.value == measured(ten).accuracy.value
