from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drugmon.data.columns import resolve_columns
from drugmon.data.formats import open_reader, read_windows
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.columns import VERDICT_COLUMNS
from drugmon.errors import SourceError

Score = Callable[..., pa.Table]

texts = st.text(max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def means_a_text(name: str) -> bool:
    """Whether a column that is called so would be read, as `pros` is: it has to hold texts."""
    return resolve_columns([name], {}, "here", need_text=False).has_text


objects = st.dictionaries(texts.filter(lambda name: not means_a_text(name)), values, max_size=4)


def lines_of(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").split("\n") if line]


@settings(max_examples=40)
@given(
    st.lists(objects, min_size=1, max_size=5),
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :  ")]),
)
def test_the_text_of_every_line_survives(
    score_file: Score, rows: list[dict[str, Any]], ascii_only: bool, separators: tuple[str, str]
) -> None:
    rows = [{**row, "review": 'a {"b": "c"} }'} for row in rows]
    lines = [json.dumps(row, ensure_ascii=True, separators=separators) for row in rows]
    if not ascii_only:
        lines = [
            json.dumps(json.loads(line), ensure_ascii=False, separators=separators)
            .encode("utf-8", "replace")
            .decode()
            for line in lines
        ]
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "in.jsonl"), Path(folder, "out.jsonl")
        source.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
        score_file(source, target)
        scored = lines_of(target)
        assert all(new.startswith(old[:-1]) for old, new in zip(lines, scored, strict=True))
        assert all(list(json.loads(new))[-23:] == list(VERDICT_COLUMNS) for new in scored)
        score_file(target, Path(folder, "twice.jsonl"))
        assert Path(folder, "twice.jsonl").read_bytes() == target.read_bytes()


def test_numbers_order_and_space_are_untouched(tmp_path: Path, score_file: Score) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(
        b'\xef\xbb\xbf{ "z": 1.10,  "a":1e400, "review":"x", "big": 123456789012345678901 }\r\n'
        b"\n   \n"
        b'{"review": null}'
    )
    score_file(source, tmp_path / "out.jsonl")
    first, second = (tmp_path / "out.jsonl").read_bytes().decode().splitlines(keepends=True)
    assert first.startswith('{ "z": 1.10,  "a":1e400, "review":"x", "big": 123456789012345678901, ')
    assert first.endswith(" }\r\n")
    assert second.startswith('{"review": null, "benefits_sentiment": ')


def test_foreign_verdict_keys_are_cut_out_of_the_middle(tmp_path: Path, score_file: Score) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(
        '{"overall_sentiment": [1, {"x": "}"}], "review": "a" ,"drugmon_adapter":"b","n": 1.0}\n'
        '{"review": "only", "comments_confidence" : 5 }\n'
        '{"drugmon_adapter": 1, "review": "x"}\n'
    )
    score_file(source, tmp_path / "out.jsonl")
    lines = lines_of(tmp_path / "out.jsonl")
    assert lines[0].startswith('{"review": "a","n": 1.0, "benefits_sentiment": ')
    assert lines[1].startswith('{"review": "only", "benefits_sentiment": ')
    assert lines[2].startswith('{"review": "x", "benefits_sentiment": ')
    assert all(len(json.loads(line)) == len(set(json.loads(line))) for line in lines)


def test_missing_keys_are_null_and_columns_the_union(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"benefits": "a"}\n{"comments": "c", "benefits": null}\n{}\n')
    with open_reader(FileSource.of(source)) as reader:
        assert reader.columns == ["benefits", "comments"]
        columns = resolve_columns(reader.columns, {}, reader.where)
        (window,) = read_windows(reader, columns, 5)
    assert [tuple(t)[:3] for t in window.texts] == [
        ("a", None, None),
        (None, None, "c"),
        (None, None, None),
    ]


def test_a_key_that_only_late_rows_have_is_a_column_of_all(
    tmp_path: Path, score_file: Score
) -> None:
    source = tmp_path / "in.jsonl"
    rows = ['{"review": "a"}'] * 10_001 + ['{"review": "b", "late": 1, "comments": "c"}']
    source.write_text("\n".join(rows))
    with open_reader(FileSource.of(source)) as reader:
        assert (reader.columns, reader.total) == (["review", "late", "comments"], 10_002)
        columns = resolve_columns(reader.columns, {}, reader.where)
        *_, last = read_windows(reader, columns, 5_000)
    assert last.texts[-1].comments == "c"
    score_file(source, tmp_path / "out.csv", size=5_000)
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0].startswith("review,late,comments,benefits_sentiment,")
    assert {line.count(",") for line in lines} == {lines[0].count(",")}


def test_a_file_that_grows_while_it_is_read_is_told(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"review": "a"}\n')
    with open_reader(FileSource.of(source)) as reader:
        source.write_text('{"review": "a", "new": 1}\n')
        with pytest.raises(SourceError, match="changed while it was being read; run again"):
            list(reader.windows(5))


def test_types_of_the_whole_file_make_the_parquet(tmp_path: Path, score_file: Score) -> None:
    source = tmp_path / "in.jsonl"
    rows = [
        {"review": "a", "n": 1},
        {"review": "b", "n": 2.5, "s": {"x": 1}},
        {"s": {"y": [None]}},
        {"s": {"y": ["q"]}, "late": True},
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    score_file(source, tmp_path / "out.parquet", size=1)
    table = pq.read_table(tmp_path / "out.parquet")
    assert table["n"].to_pylist() == [1.0, 2.5, None, None]
    assert table["late"].to_pylist() == [None, None, None, True]
    assert table["s"].to_pylist()[3] == {"x": None, "y": ["q"]}


def test_values_of_no_one_type_cannot_become_parquet(tmp_path: Path, score_file: Score) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"review": "a", "n": 1}\n{"review": "b", "n": "secret"}\n')
    with pytest.raises(SourceError) as caught:
        score_file(source, tmp_path / "out.parquet")
    assert str(caught.value) == (
        f"{source}: the values of 'n' have no one type, which --where and formats other than JSONL "
        "need; leave out --where, and write JSONL, which keeps each as it is"
    )
    score_file(source, tmp_path / "out.jsonl")
    assert len(lines_of(tmp_path / "out.jsonl")) == 2


def test_half_characters_become_a_replacement_elsewhere(tmp_path: Path, score_file: Score) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"review": "a \\ud83d b", "\\ud83d": "\\ud83d\\udc8a"}\n')
    score_file(source, tmp_path / "out.jsonl")
    assert lines_of(tmp_path / "out.jsonl")[0].startswith('{"review": "a \\ud83d b", "\\ud83d"')
    score_file(source, tmp_path / "out.csv")
    header, row = (tmp_path / "out.csv").read_text("utf-8").splitlines()
    assert header.startswith("review,\ufffd,")
    assert row.startswith("a \ufffd b,💊,")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"review": "a"}\n{"review": "b"\n', "line 2 is not JSON; JSONL has one object a line"),
        ('{"review": "a"}\n\n[1]\n', "line 3 holds a list, not an object"),
        ('[{"review": "a"}]', "line 1 holds a list, not an object"),
        ("[" * 100_000, "line 1 is not JSON"),
    ],
)
def test_what_is_no_jsonl_is_refused_by_its_line(
    content: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(content)
    with pytest.raises(SourceError) as caught, open_reader(FileSource.of(path)) as reader:
        list(reader.windows(2))
    assert str(caught.value).startswith(f"{path}: {message}") or str(caught.value).startswith(
        f"{path} {message}"
    )


@pytest.mark.parametrize(("value", "kind"), [("5", "int"), ("[1]", "list"), ("true", "bool")])
def test_what_is_no_string_in_a_text_column_is_named(value: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"review": "a"}\n{"review": null}\n{"review": ' + value + "}\n")
    with open_reader(FileSource.of(path)) as reader, pytest.raises(SourceError) as caught:
        list(read_windows(reader, resolve_columns(["review"], {}, reader.where), 2))
    assert str(caught.value).startswith(f"{path}: column 'review' holds {kind} (row 3)")
    assert "--column benefits=NAME" in str(caught.value)
