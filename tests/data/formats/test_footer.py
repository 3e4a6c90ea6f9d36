from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.formats import open_reader, read_verdicts
from drugmon.data.formats.footer import annotate, annotated
from drugmon.data.formats.schema_copies import arrow_copy, with_verdicts
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.columns import VERDICT_COLUMNS, VERDICT_SCHEMA
from drugmon.errors import SourceError

Score = Callable[..., pa.Table]

ODD = """
    COPY (
    SELECT 'good' AS review,
    interval '1 month 2 days 3 seconds' AS span, timetz '10:00:00+02' AS at_zone,
    time '10:00' AS at,
    [timetz '10:00:00+02'] AS list, {'x': interval 1 month} AS struct,
    map {'a': interval 1 month} AS map, '{"a":1}'::json AS json, uuid() AS uuid,
    1.5::decimal(5, 2) AS small, 1.5::decimal(30, 2) AS big, timestamptz '2020-01-01' AS moment,
    {'deep': 1}::variant AS variant
    FROM range(5)
    ) TO $path (FORMAT parquet)
"""


def duck_types(path: Path) -> list[tuple[str, str]]:
    described = duckdb.execute("DESCRIBE FROM read_parquet($path)", {"path": str(path)})
    return [(name, kind) for name, kind, *_ in described.fetchall()]


def test_types_that_arrow_lacks_come_out_as_they_came_in(tmp_path: Path, score_file: Score) -> None:
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    duckdb.execute(ODD, {"path": str(source)})
    score_file(source, out)
    score_file(out, tmp_path / "again.parquet")
    before = duck_types(source)
    assert ("span", "INTERVAL") in before
    assert ("at_zone", "TIME WITH TIME ZONE") in before
    for path in (out, tmp_path / "again.parquet"):
        kinds = duck_types(path)
        assert kinds[: len(before)] == before
        assert [name for name, _ in kinds[len(before) :]] == list(VERDICT_COLUMNS)
        names = [f'"{name}"' for name, _ in before]
        kept = duckdb.read_parquet(str(path)).select(*map(duckdb.SQLExpression, names))
        assert kept.fetchall() == duckdb.read_parquet(str(source)).fetchall()
        assert len(kept.filter("span = interval '1 month 2 days 3 seconds'").fetchall()) == 5


def test_a_footer_that_lacks_nothing_is_not_written_again() -> None:
    file = io.BytesIO()
    names = [f"c{number}" for number in range(40)]
    pq.write_table(pa.table({name: [1] for name in names}), file)
    before = file.getvalue()
    elements = annotated(file)
    assert [path[-1].decode() for path, _ in elements] == names
    annotate(file, elements)
    assert file.getvalue() == before


def test_equal_names_are_told_apart_and_other_bytes_get_no_annotation() -> None:
    source, target = io.BytesIO(), io.BytesIO()
    times = pa.array([1], pa.time64("us"))
    pq.write_table(pa.table([times, pa.array([1]), times], ["a", "a", "b"]), source)
    plain = [pa.array([1]), pa.array([1]), pa.array(["x"])]
    pq.write_table(pa.table(plain, ["a", "a", "b"]), target, store_schema=False)
    annotate(target, annotated(source))
    assert pq.read_schema(target).types == [pa.time64("us"), pa.int64(), pa.string()]
    assert pq.ParquetFile(target).read().column(0).to_pylist() == times.to_pylist()


@pytest.mark.parametrize("content", [b"", b"PAR1" * 4, b"x" * 40, b"\xff" * 20 + b"PAR1"])
def test_what_has_no_footer_is_refused(content: bytes) -> None:
    with pytest.raises((ValueError, OSError)):
        annotated(io.BytesIO(content))


def test_sparks_copy_of_the_schema_lists_the_verdicts(tmp_path: Path, score_file: Score) -> None:
    key = b"org.apache.spark.sql.parquet.row.metadata"
    fields = [{"name": "review", "type": "string", "nullable": True, "metadata": {"comment": "x"}}]
    spark = json.dumps({"type": "struct", "fields": fields})
    table = pa.table({"review": ["good"]}).replace_schema_metadata(
        {key: spark, b"parquet.avro.schema": b"{}", b"other": b"stays"}
    )
    pq.write_table(table, tmp_path / "in.parquet")
    score_file(tmp_path / "in.parquet", tmp_path / "out.parquet")
    score_file(tmp_path / "out.parquet", tmp_path / "again.parquet")
    for name in ("out", "again"):
        metadata = pq.read_metadata(tmp_path / f"{name}.parquet").metadata
        copy = json.loads(metadata[key])
        assert copy["fields"][0] == fields[0]
        kinds = {field["name"]: field["type"] for field in copy["fields"]}
        assert list(kinds) == ["review", *VERDICT_COLUMNS]
        assert kinds["overall_sentiment"] == "string"
        assert kinds["overall_confidence"] == "float"
        assert kinds["drugmon_scored_at"] == "timestamp"
        assert metadata[b"other"] == b"stays"
        assert b"parquet.avro.schema" not in metadata


def test_a_copy_that_cannot_be_read_goes() -> None:
    key = b"org.apache.spark.sql.parquet.row.metadata"
    for copy in (b"", b"{}", b"[1]", b"\xff", b'{"fields": [1]}'):
        assert with_verdicts({key: copy, b"a": b"b"}) == {b"a": b"b"}
    assert with_verdicts(None) is None


def test_int96_stays_beside_other_times(tmp_path: Path, score_file: Score) -> None:
    """Old INT96 beside new INT64, with zones and without."""
    nanos = pa.array([1577836800123456789, -1, None], pa.timestamp("ns"))
    zoned = pa.array([1, None, -(10**15)], pa.timestamp("us", "UTC"))
    kind = pa.list_(pa.field("element", pa.timestamp("ms", "Europe/Paris")))
    lists = pa.array([[1], None, [2, None]], kind)
    table = pa.table({"review": ["a", "b", "c"], "old": nanos, "new": zoned, "list": lists})
    mixed = mixed_int96(tmp_path / "in.parquet", table)
    score_file(mixed, tmp_path / "out.parquet")
    score_file(tmp_path / "out.parquet", tmp_path / "again.parquet")
    for name in ("in", "out", "again"):
        file = pq.ParquetFile(tmp_path / f"{name}.parquet", coerce_int96_timestamp_unit="ns")
        kinds = {
            file.schema.column(i).path: file.schema.column(i).physical_type
            for i in range(len(file.schema))
        }
        assert kinds["old"] == "INT96"
        assert kinds["new"] == "INT64"
        kept = file.read().select(table.schema.names)
        assert kept.equals(table), name
        if name != "in":
            assert kinds["drugmon_scored_at"] == "INT64"
            assert file.schema_arrow.metadata == {b"made": b"by hand"}
            assert file.schema_arrow.field("drugmon_scored_at").type == pa.timestamp("us", "UTC")
            assert ("drugmon_scored_at", "TIMESTAMP WITH TIME ZONE") in duck_types(
                tmp_path / f"{name}.parquet"
            )


def mixed_int96(path: Path, table: pa.Table) -> Path:
    """A file whose column `old` is INT96 and whose other times are not."""
    with io.BytesIO() as like:
        pq.write_table(table.schema.empty_table(), like)
        annotations = annotated(like)
    stored = pa.schema(
        [
            *(table.schema.field(name) for name in ("review", "old")),
            pa.field("new", pa.int64()),
            pa.field("list", pa.list_(pa.int64())),
        ]
    )
    with pq.ParquetWriter(
        path, stored, use_deprecated_int96_timestamps=True, store_schema=False
    ) as writer:
        writer.add_key_value_metadata(
            {**arrow_copy(table.schema), b"made": b"by hand"}
        )  # zones, which a footer lacks
        writer.write_table(table.cast(stored))
    with path.open("r+b") as file:
        annotate(file, annotations)
    return path


@pytest.mark.parametrize("far", [datetime(9999, 12, 31), datetime(1, 1, 1)])
def test_int96_times_that_no_unit_holds_are_refused(far: datetime, tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    with pq.ParquetWriter(
        path, pa.schema([("old", pa.timestamp("us"))]), use_deprecated_int96_timestamps=True
    ) as writer:
        writer.write_table(pa.table({"old": pa.array([far], pa.timestamp("us"))}))
    with open_reader(FileSource.of(path)) as reader:
        assert reader.schema.field("old").type == pa.timestamp("us")
        (rows,) = reader.windows(5)
        assert rows.column("old") == [far]
    both = pa.table(
        {"far": pa.array([far], pa.timestamp("us")), "near": pa.array([1], pa.timestamp("ns"))}
    )
    pq.write_table(both, path, use_deprecated_int96_timestamps=True, store_schema=False)
    with pytest.raises(SourceError) as caught:
        open_reader(FileSource.of(path))
    assert str(caught.value) == (
        f"{path}: has times before 1677 or after 2262 beside some with nanoseconds (INT96, in "
        "'far', 'near'), which cannot be kept together; write the file again with times in "
        "microseconds"
    )


def test_the_verdicts_of_a_file_with_int96_are_read_again(
    tmp_path: Path, score_file: Score
) -> None:
    table = pa.table({"review": ["a"], "old": pa.array([1], pa.timestamp("ns"))})
    pq.write_table(table, tmp_path / "in.parquet", use_deprecated_int96_timestamps=True)
    verdicts = score_file(tmp_path / "in.parquet", tmp_path / "out.parquet")
    (again,) = read_verdicts(FileSource.of(tmp_path / "out.parquet"))
    assert again.schema.equals(VERDICT_SCHEMA)
    assert again.equals(verdicts)


def test_metadata_beside_arrows_copy_of_the_schema_stay(tmp_path: Path, score_file: Score) -> None:
    table = pa.table({"review": ["a"]})
    with pq.ParquetWriter(tmp_path / "in.parquet", table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({b"made": b"by hand"})
    assert pq.read_schema(tmp_path / "in.parquet").metadata is None
    score_file(tmp_path / "in.parquet", tmp_path / "out.parquet")
    metadata = pq.read_metadata(tmp_path / "out.parquet").metadata
    assert metadata is not None
    assert metadata[b"made"] == b"by hand"
