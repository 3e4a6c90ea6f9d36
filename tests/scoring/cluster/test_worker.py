"""A worker makes parts of pieces, and says in one line what it lacks; no cluster is needed here."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.config import EngineConfig
from drugmon.data.columns import ColumnMap
from drugmon.data.formats.parquet import ParquetWriter
from drugmon.data.selection import Selection
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.columns import PLAIN, VERDICT_COLUMNS
from drugmon.data.verdicts.parts import cut
from drugmon.data.verdicts.reuse import Reuse
from drugmon.errors import AdapterError, DrugmonError, SinkError, SourceError
from drugmon.hashes import file_sha256
from drugmon.models.adapters.adapter import open_adapter
from drugmon.scoring.cascade.doubt import Doubt
from drugmon.scoring.cluster.worker import SHOWN, AdapterToSee, Done, Setup, Worker
from drugmon.version import __version__

COLUMNS = ColumnMap(benefits="benefits", comments="comments", id="id")
OTHER = AdapterToSee("/not/there", "no", is_base=False, rule="balanced", identity="tiny@0")


@pytest.fixture(name="source")
def _source(tmp_path: Path) -> FileSource:
    path = tmp_path / "reviews.parquet"
    rows = {
        "id": [f"r{number % 20}" for number in range(25)],
        "benefits": [f"worked {number}" if number != 3 else None for number in range(25)],
        "comments": ["so so" if number != 3 else " " for number in range(25)],
    }
    pq.write_table(pa.table(rows), path, row_group_size=7)
    return FileSource.of(path)


@pytest.fixture(name="setup")
def _setup(adapter: Path, tmp_path: Path) -> Setup:
    folder = tmp_path / "aside"
    folder.mkdir()
    (folder / SHOWN).write_text("token")
    return Setup(
        version=__version__,
        adapter=AdapterToSee.of(open_adapter(str(adapter))),
        engine=EngineConfig(threads=1),
        columns=COLUMNS,
        verdicts=PLAIN,
        selection=Selection(),
        folder=folder,
        shown="token",
    )


def made(setup: Setup, source: FileSource, reuse: Reuse | None = None) -> list[Done]:
    worker = Worker(setup, reuse or Reuse(), lambda *_told: None)
    worker.check()
    return [worker.score(piece) for piece in cut(source, 25, 10, [])]


def test_parts_hold_their_rows_in_order(setup: Setup, source: FileSource) -> None:
    parts = [done.part for done in made(setup, source)]
    tables = [pq.read_table(setup.folder / part.name) for part in parts]
    whole, given = pa.concat_tables(tables), pq.read_table(source.path)
    assert whole.select(given.column_names).equals(given)
    assert whole.column_names == [*given.column_names, *VERDICT_COLUMNS]
    assert [(part.rows, part.scored, part.empty, part.ids) for part in parts] == [
        (10, 9, 1, 10),
        (10, 10, 0, 10),
        (5, 5, 0, 5),
    ]
    for part in parts:
        assert part.sha256 == file_sha256(setup.folder / part.name)
        assert (setup.folder / f"{part.name}.part").exists()


def test_known_verdicts_need_no_engine(setup: Setup, source: FileSource) -> None:
    first = made(setup, source)
    tables = [pq.read_table(setup.folder / done.part.name) for done in first]
    again = made(setup, source, Reuse(table.select(VERDICT_COLUMNS) for table in tables))
    assert [done.part.scored for done in again] == [0, 0, 0]
    assert [done.compute for done in again] == [None, None, None]
    assert (first[0].compute or "").startswith("cpu")


def test_a_condition_leaves_rows_out(setup: Setup, source: FileSource) -> None:
    chosen = replace(setup, selection=Selection(where="id = 'r11'"))
    assert [done.part.rows for done in made(chosen, source)] == [0, 1, 0]


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        ({"version": "0.0.1"}, DrugmonError, "and this is 0.0.1: install the same version"),
        ({"adapter": OTHER}, AdapterError, "does not see the adapter tiny@0: put it at /not/there"),
        ({"second": OTHER, "doubt": Doubt.at(0.5)}, AdapterError, "see the adapter tiny@0"),
        ({"shown": "another"}, SinkError, "let --out be on a file system that all machines share"),
    ],
)
def test_what_a_worker_lacks_is_one_line(
    setup: Setup, change: dict[str, Any], kind: type[DrugmonError], says: str
) -> None:
    worker = Worker(replace(setup, **change), Reuse(), lambda *_told: None)
    with pytest.raises(kind, match=says) as raised:
        worker.check()
    assert str(raised.value).startswith("the worker on ")


def test_a_source_that_changes_is_not_mixed(setup: Setup, source: FileSource) -> None:
    piece = cut(source, 25, 10, [])[0]
    worker = Worker(setup, Reuse(), lambda *_told: None)
    pq.write_table(pq.read_table(source.path).slice(5), source.path)
    with pytest.raises(SourceError, match="was changed while it was scored; run again"):
        worker.score(piece)
    source.path.unlink()
    with pytest.raises(SourceError, match="does not see it"):
        worker.score(piece)
    assert [path.name for path in setup.folder.iterdir()] == [SHOWN]


def test_no_room_in_the_midst_is_one_line(
    setup: Setup, source: FileSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(_writer: ParquetWriter, *_given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ParquetWriter, "write", write)
    with pytest.raises(SinkError, match=r"disk full; nothing was changed, make room and run again"):
        made(setup, source)
    assert [path.name for path in setup.folder.iterdir()] == [SHOWN]
