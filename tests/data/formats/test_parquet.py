from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import numpy as np
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.columns import resolve_columns
from drugmon.data.formats import open_reader, open_writer, read_windows
from drugmon.data.formats.parquet import ArrowRows
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.columns import VERDICT_COLUMNS
from drugmon.errors import SinkError, SourceError

Score = Callable[..., pa.Table]
CENTS = [Decimal("1.10"), None, Decimal("-3.00")]
TYPED = {
    "decimal": pa.array(CENTS, pa.decimal128(10, 2)),
    "decimal256": pa.array(CENTS, pa.decimal256(50, 2)),
    "zoned": pa.array([0, None, 1], pa.timestamp("us", "Europe/Paris")),
    "nanos": pa.array([1, None, -1], pa.timestamp("ns")),
    "date": pa.array([1, None, -1], pa.date32()),
    "time": pa.array([1, None, 2], pa.time64("ns")),
    "duration": pa.array([1, None, 2], pa.duration("s")),
    "categorical": pa.DictionaryArray.from_arrays(
        pa.array([1, None, 0], pa.int8()), ["a", "b", "unused"], ordered=True
    ),
    "binary": pa.array([b"\xff\x00", None, b""], pa.binary()),
    "fixed": pa.array([b"abc", None, b"def"], pa.binary(3)),
    "large": pa.array(["a", None, ""], pa.large_string()),
    "unsigned": pa.array([2**64 - 1, None, 0], pa.uint64()),
    "small": pa.array([1, None, -1], pa.int8()),
    "half": pa.array([1.5, None, 0], pa.float16()),
    "double": pa.array([float("nan"), None, 0.1 + 0.2]),
    "flag": pa.array([True, None, False]),
    "struct": pa.array([{"a": [{"b": 1}]}, None, {"a": []}]),
    "list": pa.array([[1, None], None, []], pa.large_list(pa.int16())),
    "pair": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int8(), 2)),
    "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int32())),
    "uuid": pa.array([UUID(int=1).bytes, None, UUID(int=2).bytes], pa.uuid()),
    "json": pa.array(['{"a": 1.10}', None, "[]"], pa.json_(pa.string())),
    "nothing": pa.nulls(3),
}


def written(path: Path, table: pa.Table, **options: object) -> Path:
    pq.write_table(table, path, **options)
    return path


def with_reviews(columns: dict[str, pa.Array]) -> pa.Table:
    reviews = pa.array(["good", None, "bad"])
    fields = [
        pa.field("review", pa.string(), metadata={"why": "text"}),
        *(pa.field(name, array.type, metadata={"n": name}) for name, array in columns.items()),
        pa.field("required", pa.int32(), nullable=False),
    ]
    arrays = [reviews, *columns.values(), pa.array([1, 2, 3], pa.int32())]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata={"made": "by hand"}))


@pytest.mark.parametrize("name", TYPED)
def test_a_column_of_any_type_survives_bit_for_bit(
    name: str, tmp_path: Path, score_file: Score
) -> None:
    source = written(tmp_path / "in.parquet", with_reviews({name: TYPED[name]}))
    score_file(source, tmp_path / "out.parquet", size=2)
    before, after = pq.read_table(source), pq.read_table(tmp_path / "out.parquet")
    assert after.schema.names == [*before.schema.names, *VERDICT_COLUMNS]
    kept = after.select(before.schema.names)
    assert kept.schema.equals(before.schema, check_metadata=True)
    assert kept.drop_columns(["double"] if name == "double" else []).equals(
        before.drop_columns(["double"] if name == "double" else [])
    )
    if name == "double":  # NaN is not equal to itself
        bits = [t["double"].combine_chunks().to_numpy(zero_copy_only=False) for t in (kept, before)]
        np.testing.assert_array_equal(bits[0].view(np.int64), bits[1].view(np.int64))


@pytest.mark.parametrize("name", TYPED)
def test_a_column_of_any_type_can_become_text(name: str, tmp_path: Path, score_file: Score) -> None:
    source = written(tmp_path / "in.parquet", with_reviews({name: TYPED[name]}))
    for kind in ("csv", "jsonl"):
        score_file(source, tmp_path / f"out.{kind}")
        with open_reader(FileSource.of(tmp_path / f"out.{kind}")) as reader:
            assert reader.columns == ["review", name, "required"]
            (rows,) = reader.windows(10)
            assert rows.column("review") == ["good", "" if kind == "csv" else None, "bad"]
            assert rows.column(name)[1] in ("", None)


def test_the_form_of_what_text_formats_get(tmp_path: Path, score_file: Score) -> None:
    columns = {name: TYPED[name] for name in ("decimal", "zoned", "double", "struct", "binary")}
    source = written(tmp_path / "in.parquet", with_reviews(columns))
    score_file(source, tmp_path / "out.jsonl")
    first = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()[0]
    assert first.startswith(
        '{"review": "good", "decimal": 1.10, "zoned": "1970-01-01T01:00:00.000000+0100", '
        '"double": null, "struct": {"a": [{"b": 1}]}, "binary": "/wA=", "required": 1, '
        '"benefits_sentiment": null'
    )


def test_int96_times_far_away_survive(tmp_path: Path, score_file: Score) -> None:
    times = pa.array([datetime(9999, 12, 31), datetime(2020, 1, 1, 1, 1, 1, 5), None])
    source = written(
        tmp_path / "in.parquet",
        pa.table({"review": ["a", "b", "c"], "at": times.cast(pa.timestamp("us"))}),
        use_deprecated_int96_timestamps=True,
        store_schema=False,
    )
    score_file(source, tmp_path / "out.parquet")
    files = [
        pq.ParquetFile(p, coerce_int96_timestamp_unit="us") for p in sorted(tmp_path.iterdir())
    ]
    assert [file.schema.column(1).physical_type for file in files] == ["INT96", "INT96"]
    assert files[0].read()["at"].equals(files[1].read()["at"])


def test_decimals_stored_as_integers_stay_so(tmp_path: Path, score_file: Score) -> None:
    table = pa.table({"review": ["a", "b", "c"], "d": pa.array(CENTS, pa.decimal128(9, 2))})
    source = written(tmp_path / "in.parquet", table, store_decimal_as_integer=True)
    score_file(source, tmp_path / "out.parquet")
    assert pq.ParquetFile(tmp_path / "out.parquet").schema.column(1).physical_type == "INT32"


@pytest.mark.parametrize("codec", ["NONE", "SNAPPY", "GZIP", "ZSTD", "BROTLI", "LZ4"])
def test_the_codec_stays(codec: str, tmp_path: Path, score_file: Score) -> None:
    source = written(tmp_path / "in.parquet", pa.table({"review": ["a"]}), compression=codec)
    score_file(source, tmp_path / "out.parquet")
    codecs = [
        pq.ParquetFile(path).metadata.row_group(0).column(0).compression
        for path in (source, tmp_path / "out.parquet")
    ]
    assert codecs[0] == codecs[1]


def test_windows_cross_row_groups(tmp_path: Path) -> None:
    table = pa.table(
        {
            "review": [str(n) for n in range(1000)],
            "c": pa.array(["x", "y"] * 500).dictionary_encode(),
        }
    )
    source = written(tmp_path / "in.parquet", table, row_group_size=70)
    with open_reader(FileSource.of(source)) as reader:
        assert reader.total == 1000
        columns = resolve_columns(reader.columns, {}, reader.where)
        windows = list(read_windows(reader, columns, 256))
    assert [len(window.rows) for window in windows] == [256, 256, 256, 232]
    assert [t.text for w in windows for t in w.texts] == table["review"].to_pylist()
    assert pa.concat_tables([w.rows.to_arrow() for w in windows]).equals(table)


def test_the_output_has_row_groups_of_64k_rows(
    tmp_path: Path, make_some_verdicts: Callable[[int], pa.RecordBatch]
) -> None:
    rows = 200_000
    table = pa.table({"review": pa.repeat("x", rows), "n": np.arange(rows)})
    source = FileSource.of(written(tmp_path / "in.parquet", table))
    verdicts = make_some_verdicts(16_384)
    with (
        open_reader(source) as reader,
        open_writer(tmp_path / "out", "parquet", None, reader) as writer,
    ):
        for window in reader.windows(16_384):
            writer.write(window, verdicts.slice(0, len(window)))
    result = pq.ParquetFile(tmp_path / "out")
    groups = [result.metadata.row_group(i).num_rows for i in range(result.num_row_groups)]
    assert groups == [65_536, 65_536, 65_536, 3_392]
    assert result.read(["n"])["n"].to_numpy().tolist() == list(range(rows))


def test_one_huge_row_group_streams(tmp_path: Path) -> None:
    """600 MB of texts in one row group: reading takes less than 150 MB on top of the imports."""
    text = "".join(map(chr, np.random.default_rng(0).integers(97, 123, 1000)))
    path = tmp_path / "in.parquet"
    schema = pa.schema([("review", pa.string())])
    with pq.ParquetWriter(path, schema, compression="NONE", use_dictionary=False) as writer:
        table = pa.table({"review": pa.repeat(text, 600_000)})
        writer.write_table(table, row_group_size=600_000)
    code = f"""
        import resource
        from pathlib import Path
        from drugmon.data.formats import open_reader
        from drugmon.data.sources import FileSource
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reader = open_reader(FileSource.of(Path({str(path)!r})))
        before = peak()
        assert sum(len(rows) for rows in reader.windows(4096)) == 600_000
        print((peak() - before) // 1024)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 150


def test_names_with_dots_and_case_are_told_apart(tmp_path: Path, score_file: Score) -> None:
    table = pa.table({"review": ["a"], "a": [1], "a.b": [2], "A": [3], "": [4]})
    score_file(written(tmp_path / "in.parquet", table), tmp_path / "out.parquet")
    score_file(tmp_path / "out.parquet", tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet").select(list(range(5))).equals(table)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "in.parquet: is empty; there is nothing to score"),
        (b"garbage" * 50, "in.parquet: not a whole parquet file (damaged, cut short, or another"),
        (b"PAR1" + b"\0" * 90, "in.parquet: not a whole parquet file"),
    ],
)
def test_what_is_no_parquet_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        open_reader(FileSource.of(path))
    assert message in str(caught.value)


def test_a_type_that_arrow_cannot_read_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    number = polars.Series("n", [1], polars.Int128)
    polars.DataFrame({"review": ["a"]}).with_columns(number).write_parquet(path)
    with pytest.raises(SourceError, match="holds what drugmon cannot read, such as whole numbers"):
        open_reader(FileSource.of(path))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "in.parquet", pa.table({"review": ["text"] * 1000}))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(SourceError, match="not a whole parquet file"):
        open_reader(FileSource.of(path))


def test_a_damaged_page_is_found_while_reading(tmp_path: Path) -> None:
    texts = [f"{n} {n * n}" for n in range(5000)]
    path = written(tmp_path / "in.parquet", pa.table({"review": texts}), use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[40:400] = b"\xff" * 360
    path.write_bytes(content)
    with (
        open_reader(FileSource.of(path)) as reader,
        pytest.raises(SourceError, match="not a whole parquet file"),
    ):
        list(reader.windows(100))


def test_a_type_that_parquet_lacks_is_named(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"review": "a", "extra": {}}\n')
    with open_reader(FileSource.of(source)) as reader, pytest.raises(SinkError) as caught:
        open_writer(tmp_path / "out.parquet", "parquet", None, reader)
    assert "in.jsonl: parquet cannot hold one of its types" in str(caught.value)
    assert "write JSONL instead" in str(caught.value)


def test_scored_at_is_utc(tmp_path: Path, score_file: Score) -> None:
    source = written(tmp_path / "in.parquet", pa.table({"review": ["a"]}))
    score_file(source, tmp_path / "out.parquet")
    (at,) = pq.read_table(tmp_path / "out.parquet")["drugmon_scored_at"].to_pylist()
    assert at == datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)


def not_utf8(kind: str) -> pa.Array:
    texts = pa.array([b"fine", None, b"\xff\xfe secret"], pa.binary()).view(pa.string())
    makers = {
        "plain": lambda: texts,
        "view": lambda: texts.cast(pa.string_view()),
        "categorical": texts.dictionary_encode,
        "struct": lambda: pa.StructArray.from_arrays([texts], ["inner"]),
        "list": lambda: pa.ListArray.from_arrays([0, 1, 2, 3], texts),
    }
    return makers[kind]()


@pytest.mark.parametrize("kind", ["plain", "view", "categorical", "struct", "list"])
@pytest.mark.parametrize("output", ["parquet", "csv", "jsonl"])
def test_a_text_that_is_not_utf8_is_named_by_row_and_column(
    kind: str, output: str, tmp_path: Path, score_file: Score
) -> None:
    table = pa.table({"review": ["a", "b", "c"], "note": not_utf8(kind)})
    source = written(tmp_path / "in.parquet", table)
    with pytest.raises(SourceError) as caught:
        score_file(source, tmp_path / f"out.{output}", size=2)
    assert str(caught.value) == (
        f"{source}: column 'note' holds a text that is not UTF-8 (row 3); write it again as UTF-8, "
        "or the column as binary"
    )
    assert not (tmp_path / f"out.{output}").exists()


VIEWS = {
    "view": pa.array(["a", None, "c"], pa.string_view()),
    "binary": pa.array([b"a", None, b"\xff"], pa.binary_view()),
    "list": pa.array([["a"], None, []], pa.list_(pa.string_view())),
    "struct": pa.array([{"x": b"a"}, None, {}], pa.struct([("x", pa.binary_view())])),
    "list_view": pa.array([[1], None, []], pa.list_view(pa.int8())),
}


@pytest.mark.parametrize("name", VIEWS)
def test_rows_with_views_can_be_chosen(name: str) -> None:
    table = pa.table({"review": pa.array(["a", "b", "c"], pa.string_view()), name: VIEWS[name]})
    rows = ArrowRows(table)
    for mask in ([True, False, True], [False, False, False], [False, True, True]):
        kept = rows.filter(mask)
        numbers = [number for number, chosen in enumerate(mask) if chosen]
        assert kept.to_arrow().schema.equals(table.schema)
        for column in table.schema.names:
            values = table[column].to_pylist()
            assert kept.column(column) == [values[number] for number in numbers]
