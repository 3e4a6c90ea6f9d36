from __future__ import annotations

import os
from pathlib import Path

import pytest

from drugmon.data.resolve import resolve_source
from drugmon.data.sources import FileSource, StandardInput
from drugmon.errors import SourceError
from tests.data.files import touch


def names(found: list[FileSource] | StandardInput) -> list[str]:
    assert isinstance(found, list)
    return [source.path.name for source in found]


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
