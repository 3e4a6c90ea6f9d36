"""Histories, journals and what nights leave, of any kind: read, set aside, or told in a line."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmon.data.history.night_file import read_night
from drugmon.data.verdicts.journal import Journal
from drugmon.errors import DrugmonError
from drugmon.reports.attempts import ATTEMPTS
from drugmon.workflows.nightly.state import NightState, Watched
from drugmon.workflows.report.folder import write_report_index
from tests.data.conftest import make
from tests.fuzz.test_adapters import _leaves
from tests.fuzzing import QUICK, fuzz, limits, many, odd_values, trial

_CELLS = ["NULL", "''", "'x'", "-1", "1e308", "'nan'", "TIMESTAMP '0001-01-01'", "'0001-01-01'"]
_STATEMENTS = [
    "UPDATE {table} SET {column} = {cell}",
    "ALTER TABLE {table} DROP COLUMN {column}",
    "ALTER TABLE {table} ALTER {column} TYPE VARCHAR USING {cell}",
    "DROP TABLE {table}",
    "INSERT INTO {table} FROM {table}",
]
_numbers = st.integers(0, 2**30)
_bytes = st.tuples(st.sampled_from(["cut", "flip", "zeros", "rubbish"]), _numbers)
_statements = st.lists(
    st.tuples(st.integers(0, len(_STATEMENTS) - 1), _numbers, st.sampled_from(_CELLS)), max_size=2
)


def torn(content: bytes, change: tuple[str, int]) -> bytes:
    """The content with a fault of a disk."""
    kind, number = change
    place = number % (len(content) + 1)
    if kind == "cut":
        return content[:place]
    if kind == "flip":
        return (
            content[:place]
            + bytes([(content[place % len(content)] + 1) % 256])
            + content[place + 1 :]
        )
    if kind == "zeros":
        return content[:place] + b"\0" * 512 + content[place + 512 :]
    return b"rubbish" * (number % 999)


def change_history(path: Path, changes: list[tuple[int, int, str]]) -> None:
    """Change the tables of a history as somebody with SQL might."""
    with duckdb.connect(path) as connection:
        for kind, number, cell in changes:
            columns = connection.execute(
                "SELECT schema_name, table_name, column_name FROM duckdb_columns() "
                "WHERE schema_name = 'drugmon' ORDER BY ALL"
            ).fetchall()
            if not columns:
                return
            schema, table, column = columns[number % len(columns)]
            statement = _STATEMENTS[kind].format(
                table=f'{schema}."{table}"', column=f'"{column}"', cell=cell
            )
            with contextlib.suppress(duckdb.Error):
                connection.execute(statement)


@pytest.fixture(scope="session", name="recorded")
def _recorded(tmp_path_factory: pytest.TempPathFactory, adapter: Path) -> Path:
    """A folder with two runs, a report, a night's state and a journal."""
    from drugmon.options import build
    from drugmon.workflows.report.config import report_config
    from drugmon.workflows.report.report import report
    from drugmon.workflows.score.config import ScoreConfig
    from drugmon.workflows.score.score import score

    folder = tmp_path_factory.mktemp("recorded")
    for count in (4, 9):
        rows = "".join(f"{n},{1 + n % 10},text number {n}\n" for n in range(count))
        (folder / "r.csv").write_text(f"id,rating,review\n{rows}")
        score(build(ScoreConfig, source=str(folder / "r.csv"), adapter=str(adapter)))
    source = str(folder / "r.scored.csv")
    report(report_config(source, adapter=str(adapter), out=folder / "reports", evidently=False))
    sources = {"r": Watched(source, folder / "reports")}
    state = NightState(folder / "job.night.json", datetime.now(UTC), sources)
    state.begin_report("r", whole=True)
    with gzip.open(Path(__file__).parents[1] / "data/history/fixtures/files.duckdb.gz") as old:
        (folder / "old.duckdb").write_bytes(old.read())
    return folder


def check_history(change: tuple[str, int] | list[tuple[int, int, str]], recorded: Path) -> None:
    with trial() as one:
        shutil.copytree(recorded, one.folder / "r")
        for path in (Path("r/.drugmon/history.duckdb"), Path("r/old.duckdb")):
            if isinstance(change, tuple):
                path.write_bytes(torn(path.read_bytes(), change))
            else:
                change_history(path, change)
            one.run("history", path)
        one.run("history", "r/r.csv", "--json")
        reference = ("--reference", "previous:2")
        one.run("report", "r/r.scored.csv", *reference, "--out", "r/reports")


def check_leftovers(path: tuple[int, Any], change: tuple[str, int], recorded: Path) -> None:
    """A record beside a page, attempts and the state of a night, spoiled in the same way."""
    number, value = path
    with trial() as one, limits(one.folder):
        shutil.copytree(recorded, one.folder / "r")
        out = Path("r/reports")
        (night,) = out.glob("*/night.json")
        state = Path("r/job.night.json")
        attempt = {"attempt": "a", "job": "j", "source": "s", "began": "2026-01-02T03:04:05+00:00"}
        rest = {"every_hours": 24, "ended": None, "status": None, "page": None, "rows": None}
        (out / ATTEMPTS).write_text(json.dumps({**attempt, **rest, "failures": []}))
        for file in (night, state, out / ATTEMPTS):
            if number % 2:
                file.write_bytes(torn(file.read_bytes(), change))
                continue
            tree = json.loads(file.read_text())
            leaves = list(_leaves(tree))
            owner, key = leaves[number // 2 % len(leaves)]
            owner[key] = value
            file.write_text(json.dumps(tree, default=str), encoding="utf-8", errors="replace")
        with contextlib.suppress(OSError, ValueError):
            read_night(night, out)
        write_report_index([], out)
        with contextlib.suppress(DrugmonError):
            NightState(state, datetime.now(UTC), {"r": Watched("x", out)}).begin_report(
                "r", whole=True
            )


def check_journal(change: tuple[str, int], rows: int) -> None:
    """What is read of a torn journal is what was written, from the first batch on."""
    with trial() as one, limits(one.folder):
        target = one.folder / "a.csv"
        batches = [make(rows, seed) for seed in (0, 100, 200)]
        with Journal(target) as journal:
            for batch in batches:
                journal.append(batch)
        path = one.folder / ".drugmon/a.csv.journal"
        path.write_bytes(torn(path.read_bytes(), change))
        with Journal(target) as journal:
            kept = list(journal.read())
            assert kept == batches[: len(kept)]
            journal.append(batches[0])
        with Journal(target) as journal:
            assert list(journal.read()) == [*kept, batches[0]]
            journal.finish()


_any = st.one_of(_bytes, _statements)
_place = st.tuples(_numbers, odd_values)


@many(QUICK // 2)
@given(change=_any)
def test_a_history_is_read_or_told(change: Any, recorded: Path) -> None:
    check_history(change, recorded)


@many(QUICK)
@given(path=_place, change=_bytes)
def test_what_nights_leave_is_read_or_set_aside(path: Any, change: Any, recorded: Path) -> None:
    check_leftovers(path, change, recorded)


@many(QUICK)
@given(change=_bytes, rows=st.integers(1, 40))
def test_a_torn_journal_gives_what_was_written(change: Any, rows: int) -> None:
    check_journal(change, rows)


@fuzz
@many(500)
@given(change=_any)
def test_five_hundred_histories(change: Any, recorded: Path) -> None:
    check_history(change, recorded)


@fuzz
@many(1500)
@given(path=_place, change=_bytes)
def test_fifteen_hundred_leftovers(path: Any, change: Any, recorded: Path) -> None:
    check_leftovers(path, change, recorded)


@fuzz
@many(1500)
@given(change=_bytes, rows=st.integers(1, 40))
def test_fifteen_hundred_journals(change: Any, rows: int) -> None:
    check_journal(change, rows)
