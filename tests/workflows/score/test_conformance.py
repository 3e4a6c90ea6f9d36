"""One suite for every kind of source: the same reviews get the same verdicts, and stay intact."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.sources import FileSource
from drugmon.data.verdicts.columns import VERDICT_COLUMNS
from drugmon.labels import LABELS, TARGETS
from drugmon.options import build
from drugmon.workflows.score.config import ScoreConfig
from drugmon.workflows.score.score import ScoreResult, score

NAMES = ("id", "benefits", "side_effects", "comments", "note")
CELLS = (
    ("001", "wonderful", "None", "recommended", "1.10"),
    ("002", "", "awful", "   ", "2020-01-01"),
    ("003", "useless &amp; dear, it&#039;s", 'it "burns"', "two\nlines", ""),
    ("004", "so so 💊", "N/A", "mixed\tfeelings", " padded "),
    ("005", "", "", "", "007"),
    ("006", "wonderful " * 300, "none at all", "never again", "long"),
    ("007", "wonderful", "None", "recommended", "the same texts as 001"),
)
ROWS = [dict(zip(NAMES, cells, strict=True)) for cells in CELLS]
TEXTS = {"csv": ",", "tsv": "\t"}
Rows = list[dict[str, Any]]


class InFile:
    """Reviews in a file of some format, scored into another of the same."""

    def __init__(self, folder: Path, adapter: Path, kind: str) -> None:
        self.path, self.adapter = folder / f"reviews.{kind}", adapter
        self.format = FileSource.of(self.path).format
        self.compression = FileSource.of(self.path).compression
        self.scored = folder / f"reviews.scored.{kind}"

    def write(self, rows: Rows) -> None:
        if self.format == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), self.path)
            return
        text = io.StringIO(newline="")
        if self.format == "jsonl":
            text.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.writer(text, delimiter=TEXTS[self.format])
            writer.writerows([NAMES, *(row.values() for row in rows)])
        with pa.output_stream(str(self.path), compression=self.compression) as stream:
            stream.write(text.getvalue().encode())

    def score(self) -> ScoreResult:
        return score(build(ScoreConfig, source=str(self.path), adapter=str(self.adapter)))

    def read(self) -> Rows:
        if self.format == "parquet":
            rows: Rows = pq.read_table(self.scored).to_pylist()
            return rows
        with pa.input_stream(str(self.scored), compression=self.compression) as stream:
            text = stream.read().decode()
        if self.format == "jsonl":
            return [json.loads(line) for line in text.splitlines()]
        lines = io.StringIO(text, newline="")
        return list(csv.DictReader(lines, delimiter=TEXTS[self.format]))


class OnStandardInput:
    """Reviews as JSONL on one stream, their verdicts on another."""

    def __init__(self, _folder: Path, adapter: Path, _kind: str) -> None:
        self.adapter, self.out = adapter, io.BytesIO()

    def write(self, rows: Rows) -> None:
        self.lines = "".join(json.dumps(row) + "\n" for row in rows).encode()

    def score(self) -> ScoreResult:
        config = build(ScoreConfig, source="-", adapter=str(self.adapter))
        return score(config, stdin=io.BytesIO(self.lines), stdout=self.out)

    def read(self) -> Rows:
        return [json.loads(line) for line in self.out.getvalue().decode().splitlines()]


# What an owner does between two nights: other columns are left alone.
GONE = "DELETE FROM reviews WHERE id NOT IN (SELECT unnest($ids))"
CHANGED = """
    UPDATE reviews
    SET benefits = $benefits, side_effects = $side_effects, comments = $comments, note = $note
    WHERE id = $id
"""
NEW = """
    INSERT INTO reviews BY NAME
    SELECT $id AS id, $benefits AS benefits, $side_effects AS side_effects, $comments AS comments,
        $note AS note
    WHERE NOT EXISTS (SELECT 1 FROM reviews WHERE id = $id)
"""


class InTable:
    """Reviews in a DuckDB table, scored into its companion or into itself."""

    def __init__(self, folder: Path, adapter: Path, kind: str) -> None:
        self.path, self.adapter = folder / "reviews.duckdb", adapter
        self.in_place = kind == "table in place"

    def write(self, rows: Rows) -> None:
        with duckdb.connect(self.path) as connection:
            columns = ", ".join(f"{name} VARCHAR" for name in NAMES)
            connection.execute(f"CREATE TABLE IF NOT EXISTS reviews ({columns})")
            connection.execute(GONE, {"ids": [row["id"] for row in rows]})
            connection.executemany(CHANGED, rows)
            connection.executemany(NEW, rows)

    def score(self) -> ScoreResult:
        options: dict[str, Any] = {"table": "reviews", "in_place": self.in_place}
        return score(
            build(ScoreConfig, source=str(self.path), adapter=str(self.adapter), **options)
        )

    def read(self) -> Rows:
        with duckdb.connect(self.path) as connection:
            # A view over a join promises no order; ids grow in the order of the reviews.
            query = "reviews" if self.in_place else "reviews_scored ORDER BY id"
            rows: Rows = connection.sql(f"FROM {query}").to_arrow_table().to_pylist()
            return rows


FILES = ("csv", "tsv", "jsonl", "parquet", "csv.gz", "jsonl.zst")
KINDS: dict[str, Callable[[Path, Path, str], Any]] = {
    **dict.fromkeys(FILES, InFile),
    "table": InTable,
    "table in place": InTable,
    "-": OnStandardInput,
}


@pytest.fixture(params=KINDS, ids=str, name="source")
def _source(request: pytest.FixtureRequest, tmp_path: Path, adapter: Path) -> Any:
    return KINDS[request.param](tmp_path, adapter, request.param)


@pytest.fixture(scope="module", name="expected")
def _expected(tmp_path_factory: pytest.TempPathFactory, adapter: Path) -> Rows:
    """The verdicts of the reviews scored alone, one after another."""
    rows: Rows = []
    for number, row in enumerate(ROWS):
        folder = tmp_path_factory.mktemp(f"alone{number}")
        alone = InFile(folder, adapter, "parquet")
        alone.write([row])
        alone.score()
        rows += alone.read()
    return rows


def own(rows: Rows) -> Rows:
    return [{name: row[name] for name in NAMES} for row in rows]


def labels(rows: Rows) -> list[list[str | None]]:
    return [[row[f"{target}_sentiment"] or None for target in TARGETS] for row in rows]


def probabilities(rows: Rows) -> list[list[float]]:
    names = [f"{target}_p_{label}" for target in TARGETS for label in LABELS]
    cells = [[row[name] for name in names] for row in rows]
    return [[-1.0 if cell in (None, "") else float(cell) for cell in row] for row in cells]


def test_the_same_reviews_get_the_same_verdicts(source: Any, expected: Rows) -> None:
    source.write(ROWS)
    result = source.score()
    assert (result.total, result.scored, result.reused, result.empty) == (7, 6, 0, 1)
    found = source.read()
    assert own(found) == ROWS
    assert all(list(row) == [*NAMES, *VERDICT_COLUMNS] for row in found)
    assert labels(found) == labels(expected)
    for got, wanted in zip(probabilities(found), probabilities(expected), strict=True):
        assert got == pytest.approx(wanted, abs=0.02)
    for name in ("drugmon_adapter", "drugmon_fingerprint"):
        assert [row[name] for row in found] == [row[name] for row in expected]


@pytest.mark.parametrize("source", [kind for kind in KINDS if kind != "-"], indirect=True)
def test_the_next_nights_score_only_what_is_new(source: Any) -> None:
    source.write(ROWS)
    source.score()
    first = source.read()
    again = source.score()
    assert (again.scored, again.reused, again.empty, again.compute) == (0, 6, 1, None)
    assert source.read() == first

    gone, changed, *kept = ROWS
    changed = {**changed, "side_effects": "awful, and a rash"}
    new = {**gone, "id": "008", "benefits": "something new"}
    source.write([changed, *kept, new])
    night = source.score()
    assert (night.total, night.scored, night.reused, night.empty) == (7, 2, 4, 1)
    found = source.read()
    assert own(found) == [changed, *kept, new]
    verdicts = [[row[name] for name in VERDICT_COLUMNS] for row in found]
    assert verdicts[1:-1] == [[row[name] for name in VERDICT_COLUMNS] for row in first[2:]]
    assert first[1]["drugmon_fingerprint"] != found[0]["drugmon_fingerprint"]
