from __future__ import annotations

import os
from pathlib import Path

import pytest

from drugmon.data.sources import (
    FileSource,
    StandardInput,
    output_path,
    output_paths,
    resolve_source,
)
from drugmon.errors import SourceError, UsageError


def touch(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return paths


def names(found: list[FileSource] | StandardInput) -> list[str]:
    assert isinstance(found, list)
    return [source.path.name for source in found]


@pytest.mark.parametrize(
    ("name", "format", "compression"),
    [
        ("a.parquet", "parquet", None),
        ("A.CSV", "csv", None),
        ("a.b.tsv.gz", "tsv", "gzip"),
        ("a.ndjson.zst", "jsonl", "zstd"),
        ("a.JSONL.GZ", "jsonl", "gzip"),
    ],
)
def test_a_name_tells_format_and_compression(
    name: str, format: str, compression: str | None
) -> None:
    source = FileSource.of(Path(name))
    assert (source.format, source.compression) == (format, compression)


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.gz", "a.parquet.gz", "a.json", "a.csv.bz2"])
def test_other_names_are_refused_with_the_known_ones(name: str, tmp_path: Path) -> None:
    (path,) = touch(tmp_path, name)
    with pytest.raises(SourceError) as caught:
        resolve_source(str(path))
    assert str(caught.value) == (
        f"{path}: not a file type of reviews; known: .parquet, .csv, .tsv, .jsonl, .ndjson "
        "(all but .parquet also with .gz, .zst)"
    )


def test_a_database_needs_a_table(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "a.duckdb")
    with pytest.raises(SourceError, match=r"a\.duckdb: .*; name a table in it with --table; known"):
        resolve_source(str(path))


def test_a_dash_is_standard_input() -> None:
    assert resolve_source("-") == StandardInput()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.csv: no such file; check the path"):
        resolve_source(str(tmp_path / "none.csv"))


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    with pytest.raises(SourceError, match="not a regular file; pass JSONL through - instead"):
        resolve_source(str(tmp_path / "a.csv"))


def test_a_folder_gives_its_files_without_outputs_and_dot_files(tmp_path: Path) -> None:
    touch(tmp_path, "b.csv", "a.parquet", "a.scored.parquet", "b.scored.csv.gz", ".c.csv")
    touch(tmp_path, "readme.md", "sub/d.csv", "e.jsonl.zst")
    assert names(resolve_source(str(tmp_path))) == ["a.parquet", "b.csv", "e.jsonl.zst"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"the folder holds no file of reviews; known: \.parquet"):
        resolve_source(f"{tmp_path}/empty")


def test_a_glob_may_cross_folders(tmp_path: Path) -> None:
    touch(tmp_path, "x/b.csv", "x/y/a.csv", "x/b.scored.csv", "x/y/.drugmon/c.csv", "x/n.txt")
    assert names(resolve_source(f"{tmp_path}/**/*")) == ["b.csv", "a.csv"]
    assert names(resolve_source(f"{tmp_path}/x/*.csv")) == ["b.csv"]
    with pytest.raises(SourceError, match=r"\*\.tsv: no file of reviews matches; known"):
        resolve_source(f"{tmp_path}/*.tsv")


def test_a_name_with_glob_characters_is_taken_as_it_is(tmp_path: Path) -> None:
    touch(tmp_path, "a[1].csv", "a1.csv")
    assert names(resolve_source(f"{tmp_path}/a[1].csv")) == ["a[1].csv"]


def test_a_scored_file_can_be_named(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "a.scored.csv")
    assert names(resolve_source(str(path))) == ["a.scored.csv"]


@pytest.mark.parametrize(
    ("name", "scored"),
    [
        ("a.parquet", "a.scored.parquet"),
        ("a.b.csv.gz", "a.b.scored.csv.gz"),
        ("a.ndjson.zst", "a.scored.ndjson.zst"),
    ],
)
def test_the_output_lies_beside_the_input(name: str, scored: str, tmp_path: Path) -> None:
    source = FileSource.of(tmp_path / name)
    assert output_path(source, None, False) == tmp_path / scored
    assert output_path(source, None, True) == tmp_path / name


def test_out_names_a_file_or_a_folder(tmp_path: Path) -> None:
    source = FileSource.of(tmp_path / "a.csv")
    assert output_path(source, tmp_path / "x.parquet", False) == tmp_path / "x.parquet"
    assert output_path(source, f"{tmp_path}/new.d/", False) == tmp_path / "new.d/a.scored.csv"
    assert output_path(source, tmp_path / "new", False) == tmp_path / "new/a.scored.csv"
    (tmp_path / "old.csv").mkdir()
    assert output_path(source, tmp_path / "old.csv", False) == tmp_path / "old.csv/a.scored.csv"


def test_out_that_is_the_source_is_refused(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "a.csv")
    link = tmp_path / "link.csv"
    link.symlink_to(path)
    for out in (path, link, tmp_path / "." / "a.csv"):
        with pytest.raises(UsageError) as caught:
            output_path(FileSource.of(path), out, False)
        assert str(caught.value) == f"--out {out}: is the source; use --in-place to replace it"


def test_out_of_an_unknown_type_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--out .*x\.xlsx: not a file type of reviews; known"):
        output_path(FileSource.of(tmp_path / "a.csv"), tmp_path / "x.xlsx", False)


def test_out_and_in_place_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--in-place and --out exclude each other"):
        output_path(FileSource.of(tmp_path / "a.csv"), tmp_path / "x.csv", True)


def test_several_sources_need_a_folder_and_names_of_their_own(tmp_path: Path) -> None:
    sources = [FileSource.of(path) for path in touch(tmp_path, "x/a.csv", "y/a.csv", "y/b.csv")]
    paths = output_paths(sources, None, False)
    assert [str(path).removeprefix(f"{tmp_path}/") for path in paths] == [
        "x/a.scored.csv",
        "y/a.scored.csv",
        "y/b.scored.csv",
    ]
    with pytest.raises(UsageError, match=r"all\.csv: 3 sources need a folder; write .*all\.csv/"):
        output_paths(sources, tmp_path / "all.csv", False)
    with pytest.raises(UsageError, match=r"x/a\.csv and .*y/a\.csv would both go to .*all/a\.sco"):
        output_paths(sources, tmp_path / "all", False)


def test_an_output_that_is_another_source_is_refused(tmp_path: Path) -> None:
    sources = [FileSource.of(path) for path in touch(tmp_path, "a.csv", "a.scored.csv")]
    with pytest.raises(UsageError, match=r"a\.scored\.csv: the output of .*a\.csv is a source"):
        output_paths(sources, None, False)
