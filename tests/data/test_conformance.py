"""One suite for every kind of file: what was read comes out again, with the verdicts behind it."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.columns import resolve_columns
from drugmon.data.formats import open_reader, open_writer, read_verdicts, read_windows
from drugmon.data.reviews import Texts
from drugmon.data.selection import Selection, select
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.atomic import replacing
from drugmon.data.verdicts.columns import VERDICT_COLUMNS, VERDICT_SCHEMA
from drugmon.errors import SinkError

Score = Callable[..., pa.Table]
Row = dict[str, str]

KINDS = ["csv", "tsv", "jsonl", "ndjson", "parquet", "csv.gz", "tsv.zst", "jsonl.gz", "jsonl.zst"]
NAMES = ["id", "benefits", "side_effects", "comments", "rating", "note"]
CELLS = [
    ["007", 'it "works", well', "None", "line\nbreak", "9", "1.10"],
    ["008", "", "   ", "N/A", "1", "2020-01-01"],
    ["009", "tab\there", "comma, here", "carriage\r\nreturn", "5", " padded "],
    ["010", "ünïcode 💊", '"', "a}b{", "6", "1e400"],
    ["011", "ok", "", "", "3", "\\"],
    ["012", "", "", "", "7", "last"],
    ["013", "x" * 200_000, "long", "", "10", "end"],
]
ROWS: list[Row] = [dict(zip(NAMES, cells, strict=True)) for cells in CELLS]


def write(path: Path) -> Path:
    source = FileSource.of(path)
    if source.format == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
        return path
    with pa.output_stream(str(path), compression=source.compression) as stream:
        stream.write(as_text(source.format).encode())
    return path


def as_text(format: str) -> str:
    if format == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter="," if format == "csv" else "\t", lineterminator="\r\n")
    writer.writerows([NAMES, *CELLS])
    return text.getvalue()


def load(path: Path) -> list[dict[str, Any]]:
    """Read a file with something else than drugmon."""
    source = FileSource.of(path)
    if source.format == "parquet":
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return rows
    with pa.input_stream(str(path), compression=source.compression) as stream:
        text = stream.read().decode()
    if source.format == "jsonl":
        return [json.loads(line) for line in text.split("\n") if line]
    csv.field_size_limit(1 << 27)
    lines = text.splitlines(keepends=True)
    return list(csv.DictReader(lines, delimiter="," if source.format == "csv" else "\t"))


def own(rows: list[dict[str, Any]]) -> list[Row]:
    return [{name: row[name] for name in NAMES} for row in rows]


@pytest.fixture(params=KINDS, name="kind")
def _kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_cells_and_their_order_survive(kind: str, tmp_path: Path, score_file: Score) -> None:
    source = write(tmp_path / f"in.{kind}")
    target = tmp_path / f"out.{kind}"
    score_file(source, target)
    rows = load(target)
    assert own(rows) == ROWS
    assert all(list(row) == [*NAMES, *VERDICT_COLUMNS] for row in rows)


def test_the_verdicts_read_back_exactly(kind: str, tmp_path: Path, score_file: Score) -> None:
    target = tmp_path / f"out.{kind}"
    written = score_file(write(tmp_path / f"in.{kind}"), target)
    tables = list(read_verdicts(FileSource.of(target)))
    assert pa.concat_tables(tables).equals(written)
    assert all(table.schema.equals(VERDICT_SCHEMA) for table in tables)


def test_scoring_a_scored_file_replaces_the_verdicts(
    kind: str, tmp_path: Path, score_file: Score
) -> None:
    target = tmp_path / f"out.{kind}"
    score_file(write(tmp_path / f"in.{kind}"), target)
    once = target.read_bytes()
    score_file(target, target)
    if kind != "parquet":  # parquet names its row groups' offsets; its columns are compared below
        assert target.read_bytes() == once
    again = score_file(target, target, seed=99)
    rows = load(target)
    assert own(rows) == ROWS
    assert all(list(row) == [*NAMES, *VERDICT_COLUMNS] for row in rows)
    assert pa.concat_tables(read_verdicts(FileSource.of(target))).equals(again)


def test_the_texts_are_raw(kind: str, tmp_path: Path) -> None:
    with open_reader(FileSource.of(write(tmp_path / f"in.{kind}"))) as reader:
        columns = resolve_columns(reader.columns, {}, reader.where)
        windows = list(read_windows(reader, columns, 3))
    assert [window.start for window in windows] == [0, 3, 6]
    texts = [texts for window in windows for texts in window.texts]
    assert texts == [Texts(r["benefits"], r["side_effects"], r["comments"], None) for r in ROWS]


@pytest.mark.parametrize("other", ["csv", "tsv", "jsonl", "parquet", "jsonl.zst"])
def test_any_kind_becomes_any_other(
    kind: str, other: str, tmp_path: Path, score_file: Score
) -> None:
    target = tmp_path / f"out.{other}"
    written = score_file(write(tmp_path / f"in.{kind}"), target)
    assert own(load(target)) == ROWS
    assert pa.concat_tables(read_verdicts(FileSource.of(target))).equals(written)


def test_where_and_limit_select_rows(kind: str, tmp_path: Path) -> None:
    with open_reader(FileSource.of(write(tmp_path / f"in.{kind}"))) as reader:
        columns = resolve_columns(reader.columns, {}, reader.where)
        windows = read_windows(reader, columns, 2)
        taken = list(select(windows, Selection("id >= '009' AND note <> 'last'", 3), reader.where))
    ids = [cell for window in taken for cell in window.rows.column("id")]
    assert ids == ["009", "010", "011"]
    assert [len(window.texts) for window in taken] == [len(window.rows) for window in taken]


def test_numbers_in_text_cells_compare_as_numbers(kind: str, tmp_path: Path) -> None:
    with open_reader(FileSource.of(write(tmp_path / f"in.{kind}"))) as reader:
        columns = resolve_columns(reader.columns, {}, reader.where)
        windows = read_windows(reader, columns, 2)
        taken = list(select(windows, Selection("rating > 5 -- liked it"), reader.where))
    ids = [cell for window in taken for cell in window.rows.column("id")]
    assert ids == ["007", "010", "012", "013"]


def test_nothing_selected_still_gives_a_readable_file(kind: str, tmp_path: Path) -> None:
    source = FileSource.of(write(tmp_path / f"in.{kind}"))
    target = tmp_path / f"out.{kind}"
    with open_reader(source) as reader:
        open_writer(target, source.format, source.compression, reader).close()
    assert [table.num_rows for table in read_verdicts(FileSource.of(target))] in ([], [0])
    assert load(target) == []


def test_a_delivery_without_rows_is_none_but_no_error(kind: str, tmp_path: Path) -> None:
    source = FileSource.of(write(tmp_path / f"in.{kind}"))
    contents: list[bytes] = [b""]
    if source.format == "parquet":
        table = pa.table({"review": pa.array([], pa.string())})
        pq.write_table(table, source.path)
        contents = [source.path.read_bytes()]
    elif source.format != "jsonl":
        contents += [b"review", b"review,x\n", b"\n"]
    for content in contents:
        with pa.output_stream(str(source.path), compression=source.compression) as stream:
            stream.write(content)
        with open_reader(source) as reader:
            assert (reader.total, list(reader.windows(3))) == (0, [])
            target = tmp_path / f"out.{kind}"
            open_writer(target, source.format, source.compression, reader).close()
        rows = [table.num_rows for table in read_verdicts(FileSource.of(target))]
        assert rows in ([], [0])
        assert load(target) == []


def test_a_full_disk_leaves_the_target_as_it_was(
    kind: str, tmp_path: Path, make_some_verdicts: Callable[[int], pa.RecordBatch]
) -> None:
    source = FileSource.of(write(tmp_path / f"in.{kind}"))
    target = tmp_path / f"out.{kind}"
    target.write_bytes(b"old")
    with (
        open_reader(source) as reader,
        pytest.raises(SinkError, match="disk full; nothing was changed, make room and run again"),
        replacing(target) as path,
    ):
        path.unlink()
        path.symlink_to("/dev/full")
        with open_writer(path, source.format, source.compression, reader) as writer:
            for rows in reader.windows(7):
                writer.write(rows, make_some_verdicts(7))
    assert target.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"in.{kind}", f"out.{kind}"]


def test_compressed_output_is_compressed(tmp_path: Path, score_file: Score) -> None:
    score_file(write(tmp_path / "in.csv"), tmp_path / "out.csv.gz")
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()).startswith(b"id,benefits")
