"""Bytes of any kind in files of every format: read whole, or refused with one clear line."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drugmon.data.columns import resolve_columns
from drugmon.data.formats import open_reader, open_writer, read_stream, read_windows
from drugmon.data.sources import FileSource
from drugmon.data.textformat import QUOTING, TextFormat
from drugmon.errors import DrugmonError
from drugmon.wording import path_told

KINDS = ["csv", "tsv", "jsonl", "csv.gz", "jsonl.zst", "parquet"]
ENCODINGS = [
    "utf-8",
    "utf-16",
    "utf-7",
    "cp1252",
    "idna",
    "punycode",
    "undefined",
    "unicode_escape",
]
SLOWEST = 30.0  # seconds

_parts = st.sampled_from(
    [
        *("review", "id", "benefitsReview", "sideEffects", '"', '""', ",", "\t", ";", "\n", "\r\n"),
        *(
            "\r",
            "\0",
            "\ufeff",
            "\u200b",
            "good",
            "ä",
            "💊",
            "5",
            "{",
            "}",
            "[",
            "null",
            ": ",
            "\\u",
        ),
        *(
            '{"review": "x"}',
            '{"review": ',
            "\\ud83d",
            "NaN",
            "1e999",
            "=cmd|x",
            "overall_sentiment",
        ),
    ]
)
_texts = st.lists(_parts, max_size=40).map("".join)
_tables = st.lists(
    st.dictionaries(st.sampled_from(["id", "review", "comments", "rating"]), _texts, min_size=1),
    min_size=1,
    max_size=4,
)


def _csv(text: str) -> bytes:
    return ("id,review\n" + text).encode()


def _parquet(rows: list[dict[str, str]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def _cut(content: bytes, place: int) -> bytes:
    return content[: place % (len(content) + 1)]


_contents = st.one_of(
    st.binary(max_size=300),
    _texts.map(str.encode),
    _texts.map(_csv),
    _texts.map(lambda text: text.encode("utf-16")),
    _tables.map(lambda rows: "".join(f"{json.dumps(row)}\n" for row in rows).encode()),
    _tables.map(_parquet),
    st.builds(_cut, _tables.map(_parquet), st.integers(0, 10_000)),
)
_formats: st.SearchStrategy[TextFormat] = st.builds(
    TextFormat,
    encoding=st.none() | st.sampled_from(ENCODINGS),
    quoting=st.sampled_from(QUOTING),
    delimiter=st.sampled_from([None, ";", "|", "tab"]),
)


def read_and_write(content: bytes, kind: str, out: str, how: TextFormat) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"in.{kind}"
        path.write_bytes(content)
        if kind.endswith((".gz", ".zst")) and content[:1] != b"\0":  # else: no compressed data
            compression = FileSource.of(path).compression
            with pa.output_stream(str(path), compression=compression) as stream:
                stream.write(content)
        target = FileSource.of(Path(folder) / f"out.{out}")
        with open_reader(FileSource.of(path), how) as reader:
            columns = resolve_columns(reader.columns, {}, reader.where)
            writer = open_writer(target.path, target.format, target.compression, reader)
            with writer:
                rows = sum(len(window.texts) for window in read_windows(reader, columns, 3))
            assert rows == reader.total
        assert set(os.listdir(folder)) == {path.name, target.path.name}  # noqa: PTH208


def check(content: bytes, kind: str, out: str, how: TextFormat) -> None:
    began = time.monotonic()
    try:
        read_and_write(content, kind, out, how)
        list(read_stream(io.BytesIO(content), {}, how.encoding, 3))
    except DrugmonError as error:
        message = str(error)
        assert "\n" not in message
        assert len(message) < 1_000
        assert path_told(message) == message
    assert time.monotonic() - began < SLOWEST


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(_contents, st.sampled_from(KINDS), st.sampled_from(KINDS), _formats)
def test_any_bytes_are_read_or_refused(
    content: bytes, kind: str, out: str, how: TextFormat
) -> None:
    check(content, kind, out, how)


@pytest.mark.fuzz
@settings(max_examples=2_500, suppress_health_check=list(HealthCheck))
@given(_contents, st.sampled_from(KINDS), st.sampled_from(KINDS), _formats)
def test_thousands_of_files_are_read_or_refused(
    content: bytes, kind: str, out: str, how: TextFormat
) -> None:
    check(content, kind, out, how)
