from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from typing import BinaryIO

import pyarrow as pa
import pytest

from drugmon.data.columns import resolve_columns
from drugmon.data.formats import open_stream_reader, open_stream_writer, read_windows
from drugmon.data.selection import Selection, select
from drugmon.errors import SourceError, UsageError

Make = Callable[..., pa.RecordBatch]


def texts(stream: BinaryIO, size: int = 10) -> list[list[str | None]]:
    with open_stream_reader(stream) as reader:
        columns = resolve_columns(reader.columns, {}, reader.where)
        return [[t.text for t in window.texts] for window in read_windows(reader, columns, size)]


def test_rows_come_when_they_are_there_and_at_most_a_window() -> None:
    receiving, sending = os.pipe()
    with os.fdopen(receiving, "rb") as stream, os.fdopen(sending, "wb", 0) as feed:
        feed.write(b'\xef\xbb\xbf{"review": "1"}\n{"review": "2"}\n{"rev')
        reader = open_stream_reader(stream)
        windows = reader.windows(1)
        assert [next(windows).column("review") for _ in range(2)] == [["1"], ["2"]]

        def finish() -> None:
            feed.write(b'iew": "3"}\n\n{"x": 1}')
            feed.close()

        timer = threading.Timer(0.05, finish)
        timer.start()
        assert next(windows).column("review") == ["3"]
        assert next(windows).column("review") == [None]
        assert next(windows, None) is None
        timer.join()


def test_a_line_longer_than_one_read_is_whole() -> None:
    long = "x" * 3_000_000
    windows = texts(io.BytesIO(f'{{"review": "{long}"}}\n{{"review": "b"}}'.encode()))
    assert [text for window in windows for text in window] == [long, "b"]


def test_what_is_written_is_flushed_at_once(make_some_verdicts: Make) -> None:
    out = io.BytesIO()
    reader = open_stream_reader(io.BytesIO(b'{"review": "\xc3\xa4", "n": 1.10}\r\n{"review": ""}'))
    writer = open_stream_writer(out)
    for rows in reader.windows(1):
        writer.write(rows, make_some_verdicts(1))
        assert out.getvalue().endswith(b"\n")
    first, second = out.getvalue().decode().split("\n")[:2]
    assert first.startswith('{"review": "ä", "n": 1.10, "benefits_sentiment": null')
    assert second.startswith('{"review": "", "benefits_sentiment": null')


def test_a_condition_sees_the_columns_of_earlier_rows() -> None:
    rows = b'{"review": "a", "n": 1}\n{"review": "b"}\n{"review": "c", "n": 2.5}\n'
    with open_stream_reader(io.BytesIO(rows)) as reader:
        columns = resolve_columns(reader.columns, {}, reader.where)
        taken = select(read_windows(reader, columns, 1), Selection("n > 1"), reader.where)
        assert [window.start for window in taken] == [2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "standard input: is empty; there is nothing to score"),
        (b'{"review": "a"}\nnope\n', "standard input: line 2 is not JSON"),
        (b'{"review": "a"}\n{"review": "\xe9"}\n', "standard input: not UTF-8 at byte 28 (line 2)"),
    ],
)
def test_bad_input_is_named_by_its_line(content: bytes, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        texts(io.BytesIO(content))
    assert str(caught.value).startswith(message)


def test_another_encoding_can_be_named() -> None:
    with open_stream_reader(io.BytesIO(b'{"review": "\xe9"}'), "latin-1") as reader:
        assert next(reader.windows(1)).column("review") == ["é"]
    with pytest.raises(UsageError, match="--encoding klingon: no such encoding; use one such as"):
        open_stream_reader(io.BytesIO(b"{}"), "klingon")
