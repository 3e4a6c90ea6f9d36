from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drugmon.data.formats import open_stream_writer, read_stream, spooled
from drugmon.data.formats.jsonl import JsonRows
from drugmon.data.reviews import Texts, Window
from drugmon.data.verdicts.columns import VerdictColumns
from drugmon.errors import DrugmonError, SourceError, UsageError

Make = Callable[..., pa.RecordBatch]


class Pauses(io.BytesIO):
    """A stream that gives its bytes in pieces that end at `cuts`, as a pipe does after a pause."""

    def __init__(self, content: bytes, cuts: list[int]) -> None:
        super().__init__(content)
        self._cuts = sorted({cut for cut in cuts if 0 < cut < len(content)})

    def read1(self, size: int | None = -1) -> bytes:
        place = self.tell()
        return super().read1(next((cut - place for cut in self._cuts if cut > place), size or -1))


def texts(stream: io.BytesIO, size: int = 10, **overrides: str) -> list[list[str | None]]:
    windows = read_stream(stream, overrides, None, size)
    return [[t.text for t in window.texts] for window in windows]


def outcome(stream: io.BytesIO, size: int) -> tuple[list[tuple[int, Texts, str]], str]:
    """Every row's number, texts and line, and how reading ended."""
    rows: list[tuple[int, Texts, str]] = []
    try:
        for window in read_stream(stream, {}, None, size):
            assert isinstance(window.rows, JsonRows)
            assert 0 < len(window.texts) <= size
            lines = [line for line, _ in window.rows.records]
            rows += [
                (window.start + n, *pair)
                for n, pair in enumerate(zip(window.texts, lines, strict=True))
            ]
    except DrugmonError as error:
        return rows, str(error)
    return rows, "whole"


names = st.sampled_from(["review", "benefitsReview", "sideEffects", "comment", "comments", "id"])
cells = st.none() | st.sampled_from(["", "Mild Side Effects", "good", "ä"])
lines = st.one_of(
    st.dictionaries(names, cells).map(lambda row: json.dumps(row, ensure_ascii=False)),
    st.sampled_from(["", "  ", "nope", "[1]", '{"review": 5}']),
)


@settings(max_examples=200)
@given(st.lists(lines, max_size=12), st.lists(st.integers(0, 300)), st.integers(1, 5))
def test_pauses_change_nothing(rows: list[str], cuts: list[int], size: int) -> None:
    content = "\n".join(rows).encode()
    assert outcome(Pauses(content, cuts), size) == outcome(io.BytesIO(content), size)


def test_rows_come_when_they_are_there_and_at_most_a_window() -> None:
    receiving, sending = os.pipe()
    with os.fdopen(receiving, "rb") as stream, os.fdopen(sending, "wb", 0) as feed:
        feed.write(b'\xef\xbb\xbf{"review": "1"}\n{"review": "2"}\n{"rev')
        windows = read_stream(stream, {}, None, 1)
        assert [next_text(windows) for _ in range(2)] == ["1", "2"]

        def finish() -> None:
            feed.write(b'iew": "3"}\n\n{"x": 1}')
            feed.close()

        timer = threading.Timer(0.05, finish)
        timer.start()
        assert [next_text(windows) for _ in range(2)] == ["3", None]
        assert next(windows, None) is None
        timer.join()


def next_text(windows: Iterator[Window]) -> str | None:
    (row,) = next(windows).texts
    return row.text


def test_a_line_longer_than_one_read_is_whole() -> None:
    long = "x" * 3_000_000
    windows = texts(io.BytesIO(f'{{"review": "{long}"}}\n{{"review": "b"}}'.encode()))
    assert [text for window in windows for text in window] == [long, "b"]


def test_a_column_counts_from_the_row_that_has_it_first() -> None:
    rows = b'{"id": 1}\n{"review": "b"}\n{"review": "c", "benefits": "d"}\n{"review": "e"}\n'
    windows = list(read_stream(io.BytesIO(rows), {}, None, 10))
    assert [window.start for window in windows] == [0, 1, 2]
    assert [text for window in windows for text in window.texts] == [
        Texts(None, None, None, None),
        Texts(None, None, None, "b"),
        Texts("d", None, None, None),
        Texts(None, None, None, "e"),  # a row by what it has: this one is a lone text
    ]


def test_a_named_column_may_come_late_but_has_to_come() -> None:
    rows = b'{"id": 1}\n{"body": "b"}\n'
    assert texts(io.BytesIO(rows), text="body") == [[None], ["b"]]
    with pytest.raises(UsageError, match="--column text=story: standard input has no such column"):
        texts(io.BytesIO(rows), text="story")


def test_rows_wait_for_a_text_column_but_not_for_ever() -> None:
    rows = b'{"x": "a"}\n' * 3
    with pytest.raises(SourceError, match="standard input: no text column"):
        texts(io.BytesIO(rows))
    with pytest.raises(SourceError, match="standard input: no text column"):
        texts(io.BytesIO(rows + b'{"review": "late"}\n'), size=3)
    assert texts(io.BytesIO(rows + b'{"review": "late"}\n'), size=4) == [[None] * 3, ["late"]]


def test_no_bytes_are_no_rows() -> None:
    assert texts(io.BytesIO(b"")) == []
    assert texts(io.BytesIO(b"\n \n")) == []


def test_what_is_written_is_flushed_at_once(make_some_verdicts: Make) -> None:
    out = io.BytesIO()
    stream = io.BytesIO(b'{"review": "\xc3\xa4", "n": 1.10}\r\n{"review": ""}')
    writer = open_stream_writer(out)
    for window in read_stream(stream, {}, None, 1):
        writer.write(window.rows, make_some_verdicts(1))
        assert out.getvalue().endswith(b"\n")
    first, second = out.getvalue().decode().split("\n")[:2]
    assert first.startswith('{"review": "ä", "n": 1.10, "benefits_sentiment": null')
    assert second.startswith('{"review": "", "benefits_sentiment": null')


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"nope", "standard input: line 3 is not JSON"),
        (b'{"review": "\xe9"}', "standard input: not UTF-8 at byte 44 (line 3)"),
        (b"[" * 100_000, "standard input: line 3 is not JSON"),
        (b"[1]", "standard input: line 3 holds a list, not an object"),
    ],
)
def test_a_bad_line_is_named_after_the_rows_before_it(line: bytes, message: str) -> None:
    content = b'{"review": "a"}\n{"review": "b"}\n' + line + b'\n{"review": "c"}\n'
    rows, told = outcome(io.BytesIO(content), 10)
    assert [texts.text for _, texts, _ in rows] == ["a", "b"]
    assert told.startswith(message)


def test_another_encoding_can_be_named() -> None:
    windows = read_stream(io.BytesIO(b'{"review": "\xe9"}'), {}, "latin-1", 1)
    assert next_text(windows) == "é"
    with pytest.raises(SourceError, match="standard input: not UNDEFINED; check --encoding"):
        list(read_stream(io.BytesIO(b'{"review": "e"}'), {}, "undefined", 1))


def test_a_spooled_stream_is_a_file_that_keeps_its_name(tmp_path: Path) -> None:
    source = spooled(io.BytesIO(b'{"review": "a"}\n'), tmp_path)
    assert source.name == "standard input"
    assert source.path.read_bytes() == b'{"review": "a"}\n'


def test_a_key_that_is_called_like_a_verdict_is_refused() -> None:
    rows = b'{"review": "a"}\n{"review": "b", "overall_sentiment": "mine"}\n'
    done = []
    with pytest.raises(SourceError, match="has a column overall_sentiment of its own"):
        for window in read_stream(io.BytesIO(rows), {}, None, 10):
            done += window.texts
    assert [text.text for text in done] == ["a"]
    windows = list(
        read_stream(io.BytesIO(rows), {}, None, 10, verdicts=VerdictColumns(overwrite=True))
    )
    assert [text.text for window in windows for text in window.texts] == ["a", "b"]
