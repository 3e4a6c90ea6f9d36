"""What is new to a night: new and changed rows, also those whose texts were scored before.

Whatever holds the reviews, the rows that a report covers are counted again by queries of this test.
"""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import time_machine

from drugmon.data import targets
from drugmon.data.duckdb.tables import Table
from drugmon.data.verdicts.atomic import replacing
from drugmon.errors import SinkError
from drugmon.workflows.nightly.config import load_nightly
from drugmon.workflows.nightly.nightly import nightly
from drugmon.workflows.score.score import score

BEGIN = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
FIRST = [
    (1, "wonderful, it helped"),
    (2, "useless"),
    (3, "awful, never again"),
    (4, "recommended"),
    (5, "so so"),
    (6, "good"),
    (7, "good"),
    (8, ""),
]
CHANGED = {3: "wonderful since then", 4: "wonderful, it helped", 5: "so so"}
ADDED = [(20, "wonderful, it helped"), (21, ""), (22, "some aches"), (23, "good")]
NEW = [3, 4, 20, 21, 22, 23]
"""One changed to a text of its own and one to the first one's, two copies, one empty, one other."""

TABLES = {
    "with_id": "",
    "without_id": "",
    "in_place": "in_place = true\n",
    "prefixed": 'prefix = "dm_"\n',
}
FILES = {"ids": "id", "numbers": "nr"}
"""File name and what its first column is called: only one of them tells rows apart."""


class Delivery:
    """The same reviews in files and in tables, and a job over all of them."""

    def __init__(self, folder: Path, adapter: Path) -> None:
        self.folder, self.settings = folder, folder / "job.toml"
        sources = [f'name = "{name}"\nsource = "{name}.csv"\n' for name in FILES] + [
            f'name = "{name}"\nsource = "{name}.duckdb"\ntable = "reviews"\n{more}'
            for name, more in TABLES.items()
        ]
        settings = '[report]\nevidently = false\nreference = "previous:3"\n'
        for source in sources:
            settings += f'[[source]]\n{source}adapter = "{adapter}"\n'
        self.settings.write_text(settings)

    def sql(self, name: str, text: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.folder / f"{name}.duckdb") as connection:
            return connection.execute(text).fetchall()

    def first(self) -> None:
        self.to_files(FIRST)
        for name in TABLES:
            key = "nr INT" if name == "without_id" else "nr INT PRIMARY KEY"
            self.sql(name, f"CREATE TABLE reviews ({key}, review TEXT)")
            self.insert(name, FIRST)

    def second(self) -> None:
        rows = [(nr, CHANGED.get(nr, text)) for nr, text in FIRST if nr != 2]
        self.to_files([*rows, *ADDED])
        for name in TABLES:
            self.sql(name, "DELETE FROM reviews WHERE nr = 2")
            for nr, text in CHANGED.items():
                self.sql(name, f"UPDATE reviews SET review = '{text}' WHERE nr = {nr}")  # noqa: S608
            self.insert(name, ADDED)

    def to_files(self, rows: list[tuple[int, str]]) -> None:
        for name, column in FILES.items():
            with (self.folder / f"{name}.csv").open("w", newline="") as file:
                csv.writer(file).writerows([[column, "review"], *rows])

    def insert(self, name: str, rows: list[tuple[int, str]]) -> None:
        values = ", ".join(f"({nr}, '{text}')" for nr, text in rows)
        self.sql(name, f"INSERT INTO reviews (nr, review) VALUES {values}")  # noqa: S608

    def new(self, name: str, since: datetime) -> list[int]:
        """The rows that got their verdicts from then on, by what stands in the output."""
        if name in FILES:
            scored = f"'{self.folder / name}.scored.csv'"
            time, database, number = "drugmon_scored_at", "aside", FILES[name]
        else:
            scored = {"in_place": "reviews", "prefixed": "reviews_scored_dm"}.get(
                name, "reviews_scored"
            )
            time = "dm_drugmon_scored_at" if name == "prefixed" else "drugmon_scored_at"
            database, number = name, "nr"
        query = (
            f"SELECT {number} FROM {scored} "  # noqa: S608
            f"WHERE {time}::TIMESTAMPTZ >= '{since.isoformat()}' ORDER BY 1"
        )
        return [row[0] for row in self.sql(database, query)]

    def run(self, day: int) -> dict[str, Any]:
        """What the reports of a night say, by source."""

        def log_bug() -> None:
            raise AssertionError("a bug")

        with time_machine.travel(BEGIN + timedelta(days=day), tick=True):
            result = nightly(load_nightly(self.settings), log_bug=log_bug)
        told = {}
        for source in result.sources:
            assert source.page is not None, source.failures
            summary = json.loads(source.page.with_name("summary.json").read_text())
            told[source.name] = (source, summary)
        return told


@pytest.fixture(name="delivery")
def _delivery(tmp_path: Path, adapter: Path) -> Delivery:
    return Delivery(tmp_path, adapter)


def test_a_night_counts_each_new_and_changed_row(
    delivery: Delivery, drugmon: Callable[..., Any]
) -> None:
    delivery.first()
    for source, summary in delivery.run(0).values():
        assert (source.score.scored, source.score.empty) == (7, 1)
        assert (summary["current"]["n"], summary["volume"]["rows"]) == (8, 8)
    delivery.second()
    for name, (source, summary) in delivery.run(1).items():
        assert delivery.new(name, BEGIN + timedelta(hours=12)) == NEW, name
        assert (source.score.scored, source.score.reused, source.score.empty) == (5, 4, 2)
        assert (source.rows, summary["current"]["n"]) == (len(NEW), len(NEW))
        volume = summary["volume"]
        assert (volume["rows"], volume["empty"], volume["scored"]) == (6, 1, 5)
        assert summary["reference"]["n"] == 5, "what is left of the first night, and no copy"
    for name, (source, summary) in delivery.run(2).items():  # delivered again as it was
        assert delivery.new(name, BEGIN + timedelta(days=1, hours=12)) == [], name
        assert (source.score.scored, summary["current"]["n"]) == (0, 0)
    shown = drugmon("history", delivery.folder / "ids.scored.csv", "--json")
    assert shown.code == 0


def test_what_is_scored_between_two_nights_is_in_the_next_report(delivery: Delivery) -> None:
    """Somebody scored the delivery by hand at noon: the night finds nothing to score."""
    delivery.first()
    delivery.run(0)
    delivery.second()
    with time_machine.travel(BEGIN + timedelta(hours=10), tick=True):
        for task in load_nightly(delivery.settings).tasks:
            score(task.score)
    for name, (source, summary) in delivery.run(1).items():
        assert delivery.new(name, BEGIN + timedelta(hours=5)) == NEW, name
        assert source.score.scored == 0
        assert (source.rows, summary["current"]["n"]) == (len(NEW), len(NEW)), name
        assert (summary["volume"]["scored"], summary["volume"]["empty"]) == (5, 1), name
        assert summary["reference"]["n"] == 5, "what is left of the first night"
    for _, summary in delivery.run(2).values():
        assert summary["current"]["n"] == 0


def test_what_a_failed_night_scored_is_in_the_next_report(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full when verdicts are written: they wait, with the time of that night."""

    def no_room(*_given: object, **_named: object) -> None:
        raise SinkError("there is no room")

    @contextlib.contextmanager
    def in_vain(*given: Any) -> Iterator[Path]:
        with replacing(*given) as temporary:
            yield temporary
            no_room()

    delivery.first()
    delivery.run(0)
    delivery.second()
    with monkeypatch.context() as patch:
        patch.setattr(Table, "commit", no_room)
        patch.setattr(targets, "replacing", in_vain)
        for source, summary in delivery.run(1).values():
            assert len(source.failures) == 1 and summary["current"]["n"] == 0
    for name, (source, summary) in delivery.run(2).items():
        assert source.score.scored + source.score.reused + source.score.empty == 11
        assert (source.rows, summary["current"]["n"]) == (len(NEW), len(NEW)), name
