"""Folders `name=value` are columns where that is asked for, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.formats import open_reader, open_slice
from drugmon.data.outputs import output_path
from drugmon.data.partitions import not_told_by, partition_of
from drugmon.data.resolve import resolve_scored, resolve_source
from drugmon.data.sources import FileSource
from drugmon.data.stores.uri import parse_uri
from drugmon.errors import SourceError


def write(path: Path, **columns: Sequence[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"id": [1, 2], **columns}), path)
    return path


@pytest.fixture(name="lake")
def _lake(tmp_path: Path) -> Path:
    for place in ("year=2025/month=12", "year=2026/month=01", "year=2026/month=01/_spark", "notes"):
        write(tmp_path / "lake" / place / "a.parquet")
    write(tmp_path / "lake" / "year=2026" / "month=01" / "a.scored.parquet")
    return tmp_path / "lake"


def found(lake: Path, *, scored: bool = False) -> list[str]:
    resolve = resolve_scored if scored else resolve_source
    sources = resolve(str(lake), partitions=True)
    assert isinstance(sources, list)
    return [str(source.path.relative_to(lake)) for source in sources]


def test_folders_are_looked_into_where_it_is_asked_for(lake: Path) -> None:
    assert found(lake) == ["year=2025/month=12/a.parquet", "year=2026/month=01/a.parquet"]
    assert found(lake, scored=True) == ["year=2026/month=01/a.scored.parquet"]
    with pytest.raises(SourceError, match=r"has folders such as year=2026; add --partitions, or"):
        resolve_source(str(lake))


@pytest.mark.parametrize(
    ("place", "columns"),
    [
        ("/lake/year=2026/month=01/a.parquet", {"year": "2026", "month": "01"}),
        ("/lake/drug=a%20b%2Fc/a.parquet", {"drug": "a b/c"}),
        ("/lake/drug=__HIVE_DEFAULT_PARTITION__/a.parquet", {"drug": None}),
        ("/lake/a=1/a=2/a.parquet", {"a": "2"}),
        ("/lake/=1/b=/c=3.parquet", {"b": ""}),
        ("/lake/a%20b=c=d/a.parquet", {"a b": "c=d"}),
        ("/lake/a=\udcff%FF/a.parquet", {"a": "\ufffd\ufffd"}),
        ("s3://bucket/lake/year=2026/a.csv", {"year": "2026"}),
    ],
)
def test_what_folders_say(place: str, columns: dict[str, str | None]) -> None:
    location = parse_uri(place) if place.startswith("s3") else Path(place)
    assert dict(partition_of(location)) == columns


def test_an_output_has_what_its_folders_do_not_say(lake: Path) -> None:
    sources = resolve_source(str(lake), partitions=True)
    assert isinstance(sources, list)
    beside = output_path(sources[0], None, in_place=False)
    assert beside == lake / "year=2025" / "month=12" / "a.scored.parquet"
    inside = output_path(sources[0], lake.parent / "out", in_place=False)
    assert inside == lake.parent / "out" / "year=2025" / "month=12" / "a.scored.parquet"
    partition = sources[0].partition
    assert not_told_by(beside, partition) == not_told_by(inside, partition) == ()
    assert not_told_by(lake.parent / "all.parquet", partition) == partition
    assert not_told_by(lake / "year=2024" / "a.parquet", partition) == partition


def test_columns_of_folders_stand_behind_those_of_the_file(lake: Path) -> None:
    sources = resolve_source(str(lake), partitions=True)
    assert isinstance(sources, list)
    with open_reader(sources[0]) as reader, open_slice(sources[0], 1, 2) as part:
        assert reader.columns == ["id", "year", "month"]
        (rows,), (row,) = list(reader.windows(10)), list(part.windows(10))
    assert rows.to_arrow().to_pydict() == {
        "id": [1, 2],
        "year": ["2025"] * 2,
        "month": ["12"] * 2,
    }
    assert row.column("month") == ["12"]
    plain = FileSource.of(sources[0].path)
    with open_reader(plain) as reader:
        assert reader.columns == ["id"]


@pytest.mark.parametrize("name", ["year", "YEAR"])
def test_a_column_that_is_a_folder_too_is_refused(lake: Path, name: str) -> None:
    write(lake / "year=2025" / "month=12" / "a.parquet", **{name: [1999, 1999]})
    sources = resolve_source(str(lake), partitions=True)
    assert isinstance(sources, list)
    with pytest.raises(SourceError, match=r"has columns that its folders are too \('year'\)"):
        open_reader(sources[0])


def test_files_in_folders_of_several_names_are_refused(lake: Path) -> None:
    write(lake / "year=2027" / "a.parquet")
    says = r"year=2027/a\.parquet: lies in folders of 'year', and .* in those of 'year', 'month'"
    with pytest.raises(SourceError, match=says):
        resolve_source(str(lake), partitions=True)
