"""`drugmon init`: what it finds and writes, and that the night it prepares takes a baseline."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from drugmon.workflows.nightly.check import check_night
from drugmon.workflows.nightly.config import load_nightly
from drugmon.workflows.report.config import Previous, parse_reference

Command = Callable[..., Any]
SECRET = "quetzal was the word and the tea was of my garden with it"
"""English, and in no output."""

NAMES = ("uniqueID", "drugName", "condition", "review", "rating", "date")


def row(number: int) -> list[object]:
    return [number, "x", "y", f"{SECRET} {number}", 1 + number % 5, f"2026-01-{1 + number % 28:02}"]


def write(path: Path, rows: Sequence[Sequence[object]], names: Sequence[str] = NAMES) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, *rows])
    return path


@pytest.fixture(name="here", autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_tells_what_it_found_and_writes_settings(drugmon: Command, here: Path) -> None:
    rows = [row(number) for number in range(40)]
    rows[3][3] = " "
    rows[7][3] = rows[6][3]
    rows[8][0] = rows[9][0]
    rows[10][4] = "five"
    rows[11][5] = "5/12/20"
    write(here / "posts.csv", rows)
    done = drugmon("init", "posts.csv")
    assert (done.code, done.err) == (0, "")
    told = " ".join(done.out.split())
    for sentence in (
        "40 rows, 1 of them without a text, 1 with the texts of an earlier row",
        "rating 'rating' 39 from 1 to 5: scale 1-5; 1 are no numbers",
        "id 'uniqueID' 1 rows have the id of an earlier one",
        "date 'date' 2026-01-01 to 2026-01-28; 1 are no dates",
        "language: looks like English",
        "wrote nightly.toml; look it through, then run drugmon nightly nightly.toml --check",
    ):
        assert sentence in told
    assert done.out.splitlines()[-1] == "drugmon init: ok rows=40 settings=nightly.toml"
    assert "quetzal" not in done.out
    config = load_nightly(here / "nightly.toml")
    (task,) = config.tasks
    assert task.score.source == str(here / "posts.csv")
    assert task.score.grading.rating_scale == "1-5"
    assert parse_reference(task.report.judgement.reference) == Previous(7)


def test_settings_that_are_there_are_left_alone(drugmon: Command, here: Path) -> None:
    write(here / "posts.csv", [row(1)])
    (here / "nightly.toml").write_text("mine")
    done = drugmon("init", "posts.csv")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "drugmon: error: nightly.toml: is there already, and is left alone; give another --out\n"
    )
    assert (here / "nightly.toml").read_text() == "mine"


def test_the_night_it_prepares_takes_a_baseline(
    drugmon: Command, here: Path, adapter: Path
) -> None:
    write(here / "~odd [1] 'name\".csv", [row(number) for number in range(60)])
    assert drugmon("init", "./~odd [1] 'name\".csv", "--adapter", adapter).code == 0
    settings = here / "nightly.toml"
    settings.write_text(settings.read_text().replace("# evidently = true ", "evidently = false "))
    assert load_nightly(settings).tasks[0].report.pages.evidently is False
    assert all(each.ok for each in check_night(load_nightly(here / "nightly.toml")))
    done = drugmon("nightly", "nightly.toml")
    assert done.code == 0, done.err
    assert "scored=60 reused=0 gate=baseline-taken " in done.out


def test_a_table_is_read_and_not_changed(drugmon: Command, here: Path) -> None:
    write(here / "posts.csv", [row(number) for number in range(20)])
    with duckdb.connect(here / "w.duckdb") as connection:
        connection.execute("CREATE TABLE posts AS FROM 'posts.csv'")
    before = (here / "w.duckdb").read_bytes()
    done = drugmon("init", "w.duckdb", "--table", "posts", "--json", "--out", "job.toml")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["schema_version"] == 1
    assert found["rows"] == 20
    assert found["columns"] == {
        "text": "review",
        "rating": "rating",
        "drug": "drugName",
        "condition": "condition",
        "date": "date",
        "id": "uniqueID",
    }
    assert found["ratings"] == {
        "count": 20, "low": 1.0, "high": 5.0, "unreadable": 0, "scale": "1-5"
    }  # fmt: skip
    assert found["dates"]["first"] == "2026-01-01T00:00:00+00:00"
    assert found["next"] == "drugmon nightly job.toml --check"
    assert load_nightly(here / "job.toml").tasks[0].score.database.table == "posts"
    assert (here / "w.duckdb").read_bytes() == before


def test_a_folder_goes_by_the_files_that_can_be_read(drugmon: Command, here: Path) -> None:
    (here / "inbox").mkdir()
    write(here / "inbox" / "a.csv", [row(number) for number in range(5)])
    write(here / "inbox" / "b.csv", [[1, SECRET]], ["id", "Reviews"])
    (here / "inbox" / "c.parquet").write_bytes(b"no parquet")
    done = drugmon("init", "inbox")
    assert done.code == 0
    assert "6 rows in 2 files, 0 of them without a text" in done.out
    assert "- 1 files have other columns than the first one" in done.out
    assert done.err.startswith("drugmon: warning: not counted: inbox/c.parquet: ")


def test_folders_that_are_columns_are_looked_into(drugmon: Command, here: Path) -> None:
    for place, count in (("year=2025", 3), ("year=2026", 4)):
        (here / "lake" / place).mkdir(parents=True)
        write(here / "lake" / place / "a.csv", [row(number) for number in range(count)])
    done = drugmon("init", "lake")
    assert done.code == 1 and "has folders such as year=2026; add --partitions, or" in done.err
    assert drugmon("init", "lake", "--partitions").out.endswith("rows=7 settings=nightly.toml\n")
    (task,) = load_nightly(here / "nightly.toml").tasks
    assert task.score.folders.partitions


def test_what_has_no_header_is_told_without_its_words(drugmon: Command, here: Path) -> None:
    write(here / "posts.csv", [[1, SECRET]], [SECRET, "I felt quetzal"])
    done = drugmon("init", "posts.csv")
    assert done.code == 1
    assert "no text column among 2 columns, not all with a name" in done.err
    write(here / "more.csv", [[1, SECRET]], ["I felt that my quetzal was very ill", "review"])
    for options in ([], ["--json", "--out", "other.toml"]):
        done = drugmon("init", "more.csv", *options)
        assert done.code == 0
        assert "quetzal" not in done.out + done.err
    assert "quetzal" not in (here / "nightly.toml").read_text()


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["ich habe das nicht und es ist mit der und die für mich auch den"], "looks like German"),
        (["мне не помогло и стало только хуже после первого дня приёма"], "another alphabet"),
        (["none"], "cannot be told"),
    ],
)
def test_the_language_is_a_hint(drugmon: Command, here: Path, texts: list[str], said: str) -> None:
    repeats = 1 if texts == ["none"] else 10
    write(here / "posts.csv", [[text] for text in texts * repeats], ["review"])
    done = drugmon("init", "posts.csv")
    assert said in done.out
    assert ("were trained on English reviews" in done.out) == (said != "cannot be told")


def test_a_column_that_may_hold_ratings_is_told(drugmon: Command, here: Path) -> None:
    write(here / "posts.csv", [[SECRET, 3]] * 12, ["review", "rating_1_5"])
    done = drugmon("init", "posts.csv")
    assert "if 'rating_1_5' holds them, --column rating=rating_1_5" in done.out
    done = drugmon("init", "posts.csv", "--column", "rating=rating_1_5", "--out", "b.toml")
    assert 'columns = { rating = "rating_1_5" }' in (here / "b.toml").read_text()
    assert 'rating_scale = "1-5"' in (here / "b.toml").read_text()


def test_ratings_on_no_usual_scale_are_told(drugmon: Command, here: Path) -> None:
    write(here / "posts.csv", [[SECRET, 300 + n] for n in range(12)], ["review", "rating"])
    done = drugmon("init", "posts.csv")
    assert "12 from 300 to 311: which scale cannot be told" in done.out
    assert "declare theirs with rating_scale in nightly.toml" in done.out
    load_nightly(here / "nightly.toml")


@pytest.mark.parametrize(
    "ratings", [(-1, 0, 1), (-2, 0, 2), (-1, 5, 9), (1, 5, 9, 99), (0, 2, 5, 77)]
)
def test_ratings_get_no_scale_that_some_of_them_cannot_be_of(
    drugmon: Command, here: Path, ratings: tuple[int, ...]
) -> None:
    """-1 to 1 was written down as -1 to 5, on which 1 is negative; a 99 made a scale of hundred."""
    write(here / "posts.csv", [[SECRET, each] for each in ratings * 5], ["review", "rating"])
    done = drugmon("init", "posts.csv")
    assert "which scale cannot be told" in done.out
    assert "\nrating_scale" not in (here / "nightly.toml").read_text()


@pytest.mark.parametrize(
    ("named", "prefix"),
    [
        (["overall_sentiment"], "dm_"),
        (["Overall_Sentiment", "dm_benefits_sentiment"], "dm2_"),
        (["sentiment"], ""),
    ],
)
def test_columns_called_like_verdicts_stay(
    drugmon: Command, here: Path, named: list[str], prefix: str
) -> None:
    cells = ["good"] * len(named)
    write(here / "posts.csv", [[n, SECRET, *cells] for n in range(3)], ["id", "review", *named])
    done = drugmon("init", "posts.csv", "--json")
    told = json.loads(done.out)
    assert told["prefix"] == prefix
    assert any(f"begin with {prefix}" in sentence for sentence in told["advice"]) == bool(prefix)
    (task,) = load_nightly(here / "nightly.toml").tasks
    assert task.score.verdicts.prefix == prefix
    task.score.verdicts.check(["id", "review", *named], "posts.csv")  # the night takes it


def test_of_several_files_one_prefix_suits_all(drugmon: Command, here: Path) -> None:
    (here / "in").mkdir()
    for name, column in (("a", "overall_sentiment"), ("b", "dm_overall_p_neutral")):
        write(here / "in" / f"{name}.csv", [[SECRET, "x"]], ["review", column])
    assert drugmon("init", "in/").code == 0
    assert 'prefix = "dm2_"' in (here / "nightly.toml").read_text()


def test_a_table_with_a_column_called_like_a_verdict(drugmon: Command, here: Path) -> None:
    with duckdb.connect(here / "r.duckdb") as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 id, 'fine' review, 'x' overall_sentiment")
    assert drugmon("init", "r.duckdb", "--table", "t").code == 0
    assert 'prefix = "dm_"' in (here / "nightly.toml").read_text()


def test_empty_deliveries_and_wrong_calls_are_told(drugmon: Command, here: Path) -> None:
    write(here / "posts.csv", [], ["review", "rating", "date", "id"])
    assert "there are no rows yet" in drugmon("init", "posts.csv").out
    found = json.loads(drugmon("init", "posts.csv", "--json", "--out", "b.toml").out)
    assert found["ratings"] == {
        "count": 0, "low": None, "high": None, "unreadable": 0, "scale": None
    }  # fmt: skip
    done = drugmon("init", "-")
    assert (done.code, done.err) == (
        2,
        "drugmon: error: a nightly job needs files or a table, not standard input\n",
    )
    done = drugmon("init", "posts.csv", "--out", "no/such/folder.toml")
    assert (done.code, done.err.startswith("drugmon: error: no/such/folder.toml: ")) == (1, True)
    assert drugmon("init", "gone.csv", "--out", "c.toml").err.startswith(
        "drugmon: error: gone.csv: no such file"
    )
