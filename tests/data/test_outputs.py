"""Where the verdicts of a file go."""

from __future__ import annotations

from pathlib import Path

import pytest

from drugmon.data.outputs import output_path, output_paths
from drugmon.data.sources import FileSource
from drugmon.errors import UsageError
from tests.data.files import touch


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
    table = tmp_path / "all.delta"
    table.mkdir()
    with pytest.raises(UsageError, match=r"need a folder; name one that does not end in \.delta"):
        output_paths(sources, tmp_path / "all.delta", False)


def test_an_output_that_is_another_source_is_refused(tmp_path: Path) -> None:
    sources = [FileSource.of(path) for path in touch(tmp_path, "a.csv", "a.scored.csv")]
    with pytest.raises(UsageError, match=r"a\.scored\.csv: the output of .*a\.csv is a source"):
        output_paths(sources, None, False)
