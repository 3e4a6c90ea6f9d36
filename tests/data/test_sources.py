from __future__ import annotations

from pathlib import Path

import pytest

from drugmon.data.resolve import resolve_source
from drugmon.data.sources import FileSource
from drugmon.errors import SourceError
from tests.data.files import touch


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
