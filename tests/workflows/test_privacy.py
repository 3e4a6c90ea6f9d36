"""Fifty phrases of reviews are looked for in all that nights leave: only outputs may have them."""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

SYLLABLES = ("zor", "vix", "quam", "plend", "brisk", "wulf", "gnar", "tosk", "yelp", "murd")
SETTINGS = """
[report]
evidently = false
{options}
[[source]]
source = "r.csv"
adapter = "{adapter}"
{more}
[[source]]
source = "r.duckdb"
name = "table"
table = "reviews"
adapter = "{adapter}"
"""


def phrases(count: int = 50) -> list[str]:
    """Made-up phrases of three words, none of which is a word of a page."""
    chance = random.Random(50)
    words = ["".join(chance.sample(SYLLABLES, 3)) for _ in range(3 * count)]
    return [" ".join(words[3 * n : 3 * n + 3]) for n in range(count)]


PHRASES = phrases()
WORDS = re.compile("|".join(word for phrase in PHRASES for word in phrase.split()).encode())


class Delivery:
    """A file and a table with the phrases as reviews, and a job over both."""

    def __init__(self, folder: Path, forker: Any, adapter: Path) -> None:
        self.folder, self.forker, self.adapter = folder, forker, adapter
        self.source, self.database = folder / "r.csv", folder / "r.duckdb"
        self.said: list[str] = []

    def write(self, *, header: bool = True) -> None:
        rows = [
            (str(n), "aspirin", str(1 + n % 10), phrase, f"then {phrase}", f"{phrase} again")
            for n, phrase in enumerate(PHRASES)
        ]
        names = ("id", "drug", "rating", "benefits", "side_effects", "comments")
        with self.source.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([names, *rows] if header else rows)
        with duckdb.connect(self.database) as connection:
            connection.execute(
                "CREATE OR REPLACE TABLE reviews (id TEXT, drug TEXT, rating TEXT, benefits TEXT, "
                "side_effects TEXT, comments TEXT)"
            )
            connection.executemany("INSERT INTO reviews VALUES (?, ?, ?, ?, ?, ?)", rows)

    def night(self, *, more: str = "", options: str = "", die_at: str | None = None) -> int:
        """Run a night; what it says is kept."""
        settings = SETTINGS.format(adapter=self.adapter, more=more, options=options)
        (self.folder / "job.toml").write_text(settings)
        return self.run("nightly", self.folder / "job.toml", die_at=die_at)

    def run(self, *arguments: object, die_at: str | None = None) -> int:
        self.forker.start(*arguments, die_at=die_at)
        code: int = self.forker.end()
        self.said.append(self.forker.log.read_text())
        return code

    def found(self) -> list[str]:
        """Where words of a phrase are, but in what holds reviews by its purpose."""
        meant = {self.source, self.database, self.folder / "r.scored.csv"}
        places = [*self.folder.rglob("*"), *self.forker.aside.rglob("*")]
        files = [path for path in places if path.is_file() and path not in meant]
        assert files
        told = [f"said: {said}" for said in self.said if WORDS.search(said.encode())]
        return told + [str(path) for path in files if WORDS.search(path.read_bytes())]

    def found_in_history(self) -> list[str]:
        """The same of the history, whose file is compressed: in what is read of it."""
        found = []
        for path in (self.folder / ".drugmon/history.duckdb", self.database):
            if not path.exists():
                continue
            with duckdb.connect(path, read_only=True) as connection:
                tables = connection.execute(
                    "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'drugmon'"
                ).fetchall()
                for (name,) in tables:
                    rows = connection.execute(f"FROM drugmon.{name}").fetchall()
                    if WORDS.search(repr(rows).encode()):
                        found.append(f"{path.name}: {name}")
        return found


@pytest.fixture(name="delivery")
def _delivery(tmp_path: Path, forker: Any, adapter: Path) -> Delivery:
    shutil.rmtree(forker.aside, ignore_errors=True)
    forker.aside.mkdir()
    return Delivery(tmp_path, forker, adapter)


def check(delivery: Delivery) -> None:
    assert delivery.found() == []
    assert delivery.found_in_history() == []


def test_good_nights_and_their_commands_tell_no_review(delivery: Delivery) -> None:
    delivery.write()
    assert delivery.night() in (0, 4)
    assert delivery.night(options='reference = "previous:7"') in (0, 4)
    scored = delivery.folder / "r.scored.csv"
    for words in (
        ("show", scored),
        ("show", delivery.database, "--table", "reviews", "--where", "rating = '1'"),
        ("history", delivery.source),
        ("report", scored, "--out", delivery.folder / "more"),
        ("init", delivery.source, "--out", delivery.folder / "made.toml"),
        ("evaluate", delivery.source, "--adapter", delivery.adapter),
        ("nightly", delivery.folder / "job.toml", "--check"),
    ):
        assert delivery.run(*words) in (0, 4), delivery.said[-1]
    assert WORDS.search(scored.read_bytes()), "the search finds what is there"
    check(delivery)


@pytest.mark.parametrize(
    ("spoil", "more"),
    [
        (lambda one: one.write(header=False), ""),
        (lambda _one: None, 'columns = { benefits = "nowhere" }'),
        (lambda _one: None, 'where = "CAST(benefits AS INT) > 1"\nout = "o.csv"'),
        (lambda _one: None, 'where = "benefitz > 1"\nout = "o.csv"'),
        (lambda _one: None, 'columns = { rating = "benefits" }'),
        (lambda _one: None, 'columns = { id = "comments" }'),
        (lambda _one: None, 'columns = { date = "comments" }'),
        (lambda _one: None, 'delimiter = "|"'),
        (lambda one: cut_a_quote(one.source), ""),
        (lambda one: one.source.write_bytes(one.source.read_bytes() + b"\xff\xfe"), ""),
        (lambda one: one.source.write_bytes(one.source.read_bytes()[:-40]), ""),
    ],
)
def test_bad_nights_tell_no_review(
    delivery: Delivery, spoil: Callable[[Delivery], object], more: str
) -> None:
    delivery.write()
    spoil(delivery)
    assert delivery.night(more=more) in (0, 1, 2, 4), delivery.said[-1]
    made = ("--out", delivery.folder / "made.toml")
    for words in (("score",), ("init", *made), ("show",)):
        assert delivery.run(words[0], delivery.source, *words[1:]) != 3, delivery.said[-1]
    (delivery.folder / "o.csv").unlink(missing_ok=True)  # an output, as reviews are
    check(delivery)


def cut_a_quote(path: Path) -> None:
    """The second row's first text begins with a quote that never ends."""
    path.write_text(path.read_text().replace(f",{PHRASES[1]},", f',"{PHRASES[1]},', 1))


@pytest.mark.parametrize(
    "point",
    [
        "drugmon.workflows.score.files:record_run:before",
        "drugmon.data.duckdb.tables:Table.commit:before",
        "drugmon.workflows.report.report:judge:after",
        "drugmon.workflows.report.report:record_pages:before",
    ],
)
def test_killed_nights_leave_no_review(delivery: Delivery, point: str) -> None:
    delivery.write()
    delivery.night(die_at=point)
    assert delivery.night() in (0, 4), delivery.said[-1]
    check(delivery)
    assert os.listdir(delivery.forker.aside) == []  # noqa: PTH208
