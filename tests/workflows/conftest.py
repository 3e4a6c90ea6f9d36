"""What the score tests share: invented reviews, and how verdicts are looked at."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ASPECTS = ("benefits", "side_effects", "comments")


def make_reviews(count: int, mark: str = "") -> list[dict[str, str]]:
    """Reviews with an id, three texts and a rating; `mark` makes the texts other ones."""
    words = ("useless", "so so", "wonderful")
    return [
        {
            "id": f"{number:05}",
            **{aspect: f"{words[number % 3]} {aspect} {number} {mark}" for aspect in ASPECTS},
            "rating": str(1 + number % 10),
        }
        for number in range(count)
    ]


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write `rows` as CSV."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read CSV as text."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def files_of(folder: Path) -> set[str]:
    """Every file and folder below `folder`."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.fixture(scope="session", name="reviews")
def _reviews() -> Callable[..., list[dict[str, str]]]:
    return make_reviews


@pytest.fixture(scope="session", name="to_csv")
def _to_csv() -> Callable[..., Path]:
    return write_csv


@pytest.fixture(scope="session", name="from_csv")
def _from_csv() -> Callable[..., list[dict[str, str]]]:
    return read_csv


@pytest.fixture(scope="session", name="files")
def _files() -> Callable[[Path], set[str]]:
    return files_of


@pytest.fixture(name="score")
def _score(adapter: Path) -> Callable[..., Any]:
    """Scores a source with the tiny adapter: `score(path, out=...)`."""
    from drugmon.workflows.score import ScoreConfig, score

    def run(source: object, **options: Any) -> Any:
        return score(ScoreConfig(str(source), adapter=str(adapter), **options))

    return run
