from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drugmon.data.formats import open_reader, read_verdicts
from drugmon.data.formats.quotes import Records
from drugmon.data.sources import FileSource
from drugmon.data.textformat import TextFormat
from drugmon.errors import SourceError, UsageError

Score = Callable[..., pa.Table]

STRAY = 'id\tstar\treview\nR1\t5\t"Worked at once\nR2\t1\tmade me "very" ill\nR3\t3\tok\n'


def rows_of(text: str, delimiter: str, quoting: str) -> list[list[str]]:
    records = Records(text.splitlines(keepends=True), delimiter, quoting, "in.csv")
    return [cells for _, cells in records]


def told(text: str, delimiter: str, quoting: str = "checked") -> str:
    with pytest.raises(SourceError) as caught:
        rows_of(text, delimiter, quoting)
    return str(caught.value)


def test_a_stray_quote_swallows_no_row() -> None:
    assert told(STRAY, "\t") == (
        'in.csv: line 2 has a quote (") in the middle of a quoted cell; double a quote that is '
        "text, or add --quoting none where quotes are part of the texts"
    )
    assert rows_of(STRAY, "\t", "none") == [line.split("\t") for line in STRAY.splitlines()]


@pytest.mark.parametrize(
    ("text", "delimiter", "message"),
    [
        # Two texts that begin with a quote, with whole rows between.
        (
            'id\treview\n1\t"a\n2\tb\n3\tc"\n',
            "\t",
            "line 2 begins a quoted cell that holds tabs and a",
        ),
        ('id\treview\n1\t"a\n2\tb', "\t", 'line 2 opens a quote (") that is never closed'),
        ('id,review\n1,"a\n2,b\n3,c"\n', ",", "line 2 begins a quoted cell that holds several"),
        ('id;review\n0;x\n1;"\n2;"\n', ";", "line 3 begins a quoted cell that holds several"),
        ('review\n"a\nb"\n', ",", "line 2 begins a quoted cell that holds several lines, and"),
        ('id,review\n1,"a"b\n', ",", 'line 2 has a quote (") in the middle of a quoted cell'),
        ('id,review\n1,"a" \n', ",", 'line 2 has a quote (") in the middle of a quoted cell'),
        ('id,review\n1,x, "a"\n', ",", "line 2 has 3 cells, the header has 2; quote the cells"),
    ],
)
def test_what_could_be_rows_is_refused_and_read_without_quotes(
    text: str, delimiter: str, message: str
) -> None:
    words = told(text, delimiter)
    assert words.startswith(f"in.csv: {message}")
    assert "--quoting none" in words
    if "has 3 cells" not in message:
        expected = [line.split(delimiter) for line in text.splitlines()]
        assert rows_of(text, delimiter, "none") == expected


def test_texts_of_several_lines_are_read_where_they_cannot_be_rows() -> None:
    text = 'id,review\n1,"one\ntwo, three, four"\n2,"Well,\nit helped"\n'
    assert rows_of(text, ",", "checked")[1:] == [
        ["1", "one\ntwo, three, four"],
        ["2", "Well,\nit helped"],
    ]
    doubtful = 'id,review\n1,"I slept.\nBut, not well"\n'
    assert "--quoting standard" in told(doubtful, ",")
    assert rows_of(doubtful, ",", "standard")[1:] == [["1", "I slept.\nBut, not well"]]
    tabbed = 'id\treview\tx\n1\t"a\tb\nc"\t2\n'
    assert rows_of(tabbed, "\t", "checked")[1:] == [["1", "a\tb\nc", "2"]]
    rows = 'id\treview\tx\n1\t"a\t2\n2\tb\tsplit\t3\n3\tc"\t4\n'
    assert "--quoting standard" in told(rows, "\t")
    assert rows_of(rows, "\t", "standard")[1:] == [["1", "a\t2\n2\tb\tsplit\t3\n3\tc", "4"]]


def test_a_quote_that_begins_no_cell_is_text() -> None:
    assert rows_of('id,review\n1,6" tall\n2,say "yes"\n', ",", "checked")[1:] == [
        ["1", '6" tall'],
        ["2", 'say "yes"'],
    ]


plain = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0\r\n\t,"), max_size=6
)
quoted = st.lists(st.sampled_from(['"', '""', "a", ' "b" ', "ä"]), max_size=4).map("".join)


@settings(max_examples=200)
@given(
    st.integers(2, 4).flatmap(
        lambda width: st.lists(
            st.lists(plain | quoted, min_size=width, max_size=width), min_size=1, max_size=6
        )
    ),
    st.sampled_from([",", "\t"]),
)
def test_without_quotes_every_line_is_a_row(rows: list[list[str]], delimiter: str) -> None:
    header = ["id", *(f"c{number}" for number in range(len(rows[0])))]
    rows = [header, *([f"R{number}", *row] for number, row in enumerate(rows))]
    text = "".join(delimiter.join(row) + "\n" for row in rows)
    lines = io.StringIO(text, newline="\n")
    assert [cells for _, cells in Records(lines, delimiter, "none", "x")] == rows
    try:  # with quotes: every row, or none at all
        found = [
            cells
            for _, cells in Records(io.StringIO(text, newline="\n"), delimiter, "checked", "x")
        ]
    except SourceError:
        return
    assert len(found) == len(rows)


@settings(max_examples=100)
@given(
    st.lists(
        st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=9),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([",", "\t", ";"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_well_quoted_texts_come_back_or_are_refused(
    texts: list[str], delimiter: str, end: str
) -> None:
    rows = [["id", "review"], *([f"{n}", text] for n, text in enumerate(texts))]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    content = text.getvalue()
    lines = list(io.StringIO(content, newline=""))
    assert [cells for _, cells in Records(lines, delimiter, "standard", "x")] == rows
    try:
        found = [cells for _, cells in Records(lines, delimiter, "checked", "x")]
    except SourceError as error:
        assert "--quoting standard" in str(error)
        return
    assert found == rows


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_an_output_without_quotes_is_read_without_quotes(
    kind: str, tmp_path: Path, score_file: Score
) -> None:
    delimiter = "," if kind == "csv" else "\t"
    lines = [line.replace("\t", delimiter) for line in STRAY.splitlines()]
    source, target = tmp_path / f"in.{kind}", tmp_path / f"out.{kind}"
    source.write_text("".join(f"{line}\n" for line in lines))
    how = TextFormat(quoting="none")
    written = score_file(source, target, text_format=how)
    assert written.num_rows == 3
    scored = target.read_text().splitlines()
    assert [new.startswith(old + delimiter) for old, new in zip(lines, scored, strict=True)] == (
        [True] * 4
    )
    again = how.of_output(FileSource.of(source), FileSource.of(target))
    assert pa.concat_tables(read_verdicts(FileSource.of(target), again)).equals(written)
    with pytest.raises(SourceError, match="--quoting none"):
        list(read_verdicts(FileSource.of(target)))
    once = target.read_bytes()
    score_file(target, target, text_format=how)
    assert target.read_bytes() == once
    other = tmp_path / ("out.tsv" if kind == "csv" else "out.csv")
    written = score_file(source, other, text_format=how)
    again = how.of_output(FileSource.of(source), FileSource.of(other))
    assert pa.concat_tables(read_verdicts(FileSource.of(other), again)).equals(written)
    with open_reader(FileSource.of(other), again) as reader:
        (rows,) = reader.windows(9)
        assert rows.column("review") == ['"Worked at once', 'made me "very" ill', "ok"]


def test_a_swallowed_row_of_an_output_is_noticed(tmp_path: Path, score_file: Score) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text('id,review\n1,"a\n2,b"\n3,c\n')
    score_file(source, target, text_format=TextFormat(quoting="none"))
    with pytest.raises(SourceError, match="line 2 begins a quoted cell that holds rows"):
        list(read_verdicts(FileSource.of(target)))


def test_another_delimiter_is_kept(tmp_path: Path, score_file: Score) -> None:
    how = TextFormat(delimiter=";")
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text('id;review\n1;"a; b"\n2;c, d\n')
    written = score_file(source, target, text_format=how)
    assert target.read_text().splitlines()[1].startswith('1;"a; b";')
    again = how.of_output(FileSource.of(source), FileSource.of(target))
    assert again == how
    assert pa.concat_tables(read_verdicts(FileSource.of(target), again)).equals(written)
    score_file(source, tmp_path / "out.tsv", text_format=how)
    assert (tmp_path / "out.tsv").read_text().splitlines()[2].startswith("2\tc, d\t")


@pytest.mark.parametrize("delimiter", ["", ";;", "a", "7", '"', "\n", "\0", " ", "\udc80", "_"])
def test_what_separates_nothing_is_refused(delimiter: str) -> None:
    with pytest.raises(UsageError, match="--delimiter: must be one character"):
        TextFormat(delimiter=delimiter)


@pytest.mark.parametrize("spelled", ["\t", "tab", "\\t"])
def test_a_tab_can_be_spelled(spelled: str) -> None:
    assert TextFormat(delimiter=spelled).delimiter == "\t"
    assert TextFormat("cp1252", "none", spelled).options() == [
        *("--encoding", "cp1252"),
        *("--quoting", "none"),
        *("--delimiter", "tab"),
    ]


def test_a_file_of_cells_is_read_through_before_its_first_row(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("id,review\n" + "1,a\n" * 50 + "2,b,c\n")
    with pytest.raises(SourceError, match="line 52 has 3 cells, the header has 2"):
        open_reader(FileSource.of(path))
    path.write_text("id,review\n" + "1,a\n" * 50)
    with open_reader(FileSource.of(path)) as reader:
        assert reader.total == 50
