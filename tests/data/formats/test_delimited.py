from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from drugmon.data.formats import open_reader
from drugmon.data.sources import FileSource
from drugmon.data.textformat import QUOTING, TextFormat
from drugmon.data.verdicts.columns import VERDICT_COLUMNS
from drugmon.errors import SourceError

Score = Callable[..., pa.Table]

cells = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=8)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=5)
)


def read_back(path: Path, delimiter: str) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


@settings(max_examples=30)
@given(
    tables,
    st.sampled_from(["csv", "tsv"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_every_cell_survives(
    score_file: Score, rows: list[list[str]], kind: str, end: str, quoting: int
) -> None:
    delimiter = "," if kind == "csv" else "\t"
    header = ["review", *(f"c{n}" for n in range(1, len(rows[0]) + 1))]
    rows = [["text\r\n", *row] for row in rows]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(  # type: ignore[arg-type]
        [header, *rows]
    )
    # csv.writer leaves a lone carriage return bare where line ends are "\n": no reader can tell
    assume(quoting == csv.QUOTE_ALL or "\r" not in text.getvalue().replace("\r\n", ""))
    with TemporaryDirectory() as folder:
        source, target = Path(folder, f"in.{kind}"), Path(folder, f"out.{kind}")
        source.write_text(text.getvalue(), encoding="utf-8", newline="")
        score_file(source, target, text_format=TextFormat(quoting="standard"))
        found = read_back(target, delimiter)
        assert [row[: len(header)] for row in found] == [header, *rows]
        assert found[0][len(header) :] == list(VERDICT_COLUMNS)
        score_file(target, Path(folder, "again.parquet"))
        score_file(Path(folder, "again.parquet"), Path(folder, "again.tsv"))
        assert [row[: len(header)] for row in read_back(Path(folder, "again.tsv"), "\t")] == [
            header,
            *rows,
        ]


def test_a_line_goes_out_as_it_came(tmp_path: Path, score_file: Score) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes(b'id,"review",\r\n"1",a "b" c,""\r\n2,"x""y",')
    score_file(source, tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_bytes().split(b"\r\n")
    assert lines[0].startswith(b'id,"review",,benefits_sentiment,')
    assert lines[1].startswith(b'"1",a "b" c,"",,,,,,')
    assert lines[2].startswith(b'2,"x""y",,')
    score_file(tmp_path / "out.csv", tmp_path / "twice.csv")
    assert (tmp_path / "twice.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()


def test_verdicts_elsewhere_or_quoted_are_replaced(tmp_path: Path, score_file: Score) -> None:
    source = tmp_path / "in.csv"
    names = ["review", *VERDICT_COLUMNS, "note"]
    source.write_text(",".join(names) + '\n"a, b",' + '"",' * 23 + '"x\ry"\n', newline="")
    score_file(source, tmp_path / "out.csv")
    header, row = read_back(tmp_path / "out.csv", ",")
    assert header == ["review", "note", *VERDICT_COLUMNS]
    assert row[:2] == ["a, b", "x\ry"]


def test_repeated_and_empty_names_are_numbered_inside_and_kept_outside(
    tmp_path: Path, score_file: Score
) -> None:
    source = tmp_path / "in.tsv"
    source.write_text("\treview\t\tx\tx\n1\ta\t2\t3\t4\n")
    with open_reader(FileSource.of(source)) as reader:
        assert reader.columns == ["", "review", "_1", "x", "x_1"]
        (rows,) = reader.windows(5)
        assert rows.to_arrow().to_pylist() == [
            {"": "1", "review": "a", "_1": "2", "x": "3", "x_1": "4"}
        ]
    score_file(source, tmp_path / "out.tsv")
    assert read_back(tmp_path / "out.tsv", "\t")[0][:5] == ["", "review", "", "x", "x"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"review,x\na,b\n\nc\n", "line 4 has 1 cells, the header has 2; quote the cells"),
        (b'review,x\n"a\nb",c\nd,e,f\n', "line 4 has 3 cells, the header has 2"),
        (b'review,x\n"a",b\n"c,d\ne,f\n', 'line 3 opens a quote (") that is never closed'),
        (b'review\n"', 'line 2 opens a quote (") that is never closed'),
        (b"review,x\na,\0\n", "line 2 holds a NUL byte, so this is no CSV text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not UTF-8 at byte 0 (line 1)"),
        ("review,x\ngut,ja\nschön,x\n".encode("latin-1"), "not UTF-8 at byte 19 (line 3)"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_line(
    content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught, open_reader(FileSource.of(path)) as reader:
        list(reader.windows(2))
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_where_matches_nothing_of_the_text_in_messages(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("review,x\nmy secret illness,1,2\n")
    with pytest.raises(SourceError) as caught:
        open_reader(FileSource.of(path))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", QUOTING)
def test_an_empty_line_is_a_row_of_a_file_of_one_column(
    tmp_path: Path, score_file: Score, quoting: str, end: str
) -> None:
    """DuckDB, polars and Arrow write a null so."""
    path, out = tmp_path / "r.csv", tmp_path / "out.csv"
    path.write_text(end.join(["", "review", "good", "", "bad", ""]), newline="")
    score_file(path, out, text_format=TextFormat(quoting=quoting))
    cells = [line.partition(",")[0] for line in out.read_text().splitlines()]
    assert cells == ["review", "good", "", "bad"]
    path.write_text(end.join(["review,id", "", "good,1", "", "bad,2"]), newline="")
    assert score_file(path, out, text_format=TextFormat(quoting=quoting)).num_rows == 2
