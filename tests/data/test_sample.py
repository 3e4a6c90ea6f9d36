from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data import sample
from drugmon.errors import SinkError, UsageError

TEXTS = ("benefits", "side_effects", "comments")


def texts() -> list[str | int | None]:
    return [review[name] for review in sample.sample_reviews() for name in TEXTS]


def test_every_review_has_the_columns_in_order_and_an_id_of_its_own() -> None:
    reviews = sample.sample_reviews()
    assert len(reviews) >= 60
    assert all(list(review) == sample.SAMPLE_SCHEMA.names for review in reviews)
    assert len({review["id"] for review in reviews}) == len(reviews)
    for review in reviews:
        assert date.fromisoformat(str(review["date"]))
        assert review["rating"] is None or review["rating"] in range(1, 11)


def test_it_has_the_texts_that_trip_readers() -> None:
    cells = texts()
    joined = "\n".join(str(cell) for cell in cells if cell)
    assert {"None", "N/A", "", None} <= set(cells)
    assert any(isinstance(cell, str) and cell and not cell.strip() for cell in cells)
    assert max(len(cell) for cell in cells if isinstance(cell, str)) > 4500
    for needle in ("&#039;", "&amp;", "\r\n", "\t", '"', "\U0001f389", "痰", "Почти", "Καμία"):
        assert needle in joined


def test_it_covers_every_label_and_the_odd_rows() -> None:
    reviews = sample.sample_reviews()
    ratings = [review["rating"] for review in reviews]
    grades = [rating for rating in ratings if isinstance(rating, int)]
    assert ratings.count(None) >= 3
    assert min(sum(r <= 4 for r in grades), sum(5 <= r <= 6 for r in grades)) >= 10
    assert sum(r >= 7 for r in grades) >= 20
    assert any(not any(str(review[name] or "").strip() for name in TEXTS) for review in reviews)
    assert "<script>alert(1)</script>" in {review["drug"] for review in reviews}


def test_parquet_has_dates_and_nullable_integers(tmp_path: Path) -> None:
    path = tmp_path / "reviews.parquet"
    written = sample.write_sample(path)
    table = pq.read_table(path)
    assert table.num_rows == written
    assert table.schema.field("date").type == pa.date32()
    assert table.schema.field("rating").type == pa.int64()
    assert table.schema.equals(sample.SAMPLE_SCHEMA)
    rows = [{**row, "date": row["date"].isoformat()} for row in table.to_pylist()]
    assert rows == sample.sample_reviews()


@pytest.mark.parametrize(("name", "delimiter"), [("r.csv", ","), ("r.tsv", "\t")])
def test_delimited_text_comes_back_cell_for_cell(tmp_path: Path, name: str, delimiter: str) -> None:
    sample.write_sample(tmp_path / name)
    with (tmp_path / name).open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter=delimiter))
    expected = [
        {key: "" if cell is None else str(cell) for key, cell in review.items()}
        for review in sample.sample_reviews()
    ]
    assert rows == expected


def test_jsonl_has_a_review_a_line(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    sample.write_sample(path)
    lines = path.read_bytes().decode().split("\n")[:-1]
    assert [json.loads(line) for line in lines] == sample.sample_reviews()


@pytest.mark.parametrize("name", ["r.parquet", "r.csv", "r.tsv", "R.JSONL"])
def test_writing_it_twice_changes_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    first = sample.write_sample(path)
    before = path.stat().st_mtime_ns
    assert sample.write_sample(path) == first
    assert path.stat().st_mtime_ns == before


def test_parquet_of_another_writer_counts_as_the_same_sample(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    sample.write_sample(path)
    pq.write_table(pq.read_table(path), path, compression="gzip")
    before = path.read_bytes()
    sample.write_sample(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["r.parquet", "r.csv"])
@pytest.mark.parametrize("mine", [b"", b"mine", b"PAR1mine"])
def test_another_file_is_never_overwritten(tmp_path: Path, name: str, mine: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(mine)
    with pytest.raises(SinkError, match=r"exists and is not the sample; name another file"):
        sample.write_sample(path)
    assert path.read_bytes() == mine


def test_another_table_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    sample.write_sample(path)
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(SinkError, match="exists and is not the sample"):
        sample.write_sample(path)
    assert pq.read_metadata(path).num_rows == len(sample.sample_reviews()) - 1


def test_a_folder_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.csv").mkdir()
    with pytest.raises(SinkError, match="exists and is not the sample"):
        sample.write_sample(tmp_path / "r.csv")


@pytest.mark.parametrize("name", ["reviews", "reviews.xlsx", "reviews.csv.gz"])
def test_an_unknown_extension_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"one of \.parquet, \.csv, \.tsv, \.jsonl"):
        sample.write_sample(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_an_expected_error(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="missing"):
        sample.write_sample(tmp_path / "missing" / "r.csv")


def test_a_name_too_long_is_an_expected_error(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"File name too long; name another file"):
        sample.write_sample(tmp_path / f"{'r' * 300}.csv")
