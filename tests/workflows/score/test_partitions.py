"""Partitioned folders: their columns serve conditions and reports, and stay in the output."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from drugmon.data.options import FolderOptions
from drugmon.errors import SourceError
from drugmon.workflows.configs import HistoryConfig, ShowConfig
from drugmon.workflows.history import history
from drugmon.workflows.report.config import report_config
from drugmon.workflows.report.report import report
from drugmon.workflows.show import show

PARTITIONS = FolderOptions(partitions=True)
PLACES = ("drug=aspirin/year=2025", "drug=aspirin/year=2026", "drug=none%2F0/year=2026")
Lake = Callable[..., None]


@pytest.fixture(name="fill")
def _fill(reviews: Any) -> Lake:
    """Lays reviews down in all places: `fill(folder, 4)`."""

    def fill(folder: Path, count: int) -> None:
        for place in PLACES:
            path = folder / place / "part-0.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist(reviews(count, place)), path)

    return fill


def read(folder: Path) -> pa.Table:
    """The folder as others read it: pyarrow takes the columns from the folders."""
    return ds.dataset(folder, format="parquet", partitioning="hive").to_table()


def test_outputs_lie_in_folders_of_the_same_columns(score: Any, fill: Lake, tmp_path: Path) -> None:
    lake, out = tmp_path / "lake", tmp_path / "out"
    fill(lake, 4)
    first = score(lake, out=str(out), partitions=True)
    assert (first.total, first.scored) == (12, 12)
    assert first.outputs == tuple(str(out / place / "part-0.scored.parquet") for place in PLACES)
    table = read(out)
    assert sorted(set(table["drug"].to_pylist())) == ["aspirin", "none/0"]
    assert table["year"].to_pylist().count(2026) == 8
    assert table["overall_sentiment"].null_count == 0
    assert pq.read_schema(out / PLACES[0] / "part-0.scored.parquet").names == [
        name for name in table.column_names if name not in ("drug", "year")
    ]
    fill(lake, 5)
    second = score(lake, out=str(out), partitions=True)
    assert (second.scored, second.reused) == (3, 12)
    runs = history(HistoryConfig(out)).runs
    assert [run.scored for run in runs] == [4, 4, 4, 1, 1, 1], "one history for all of them"


def test_without_being_asked_for_a_folder_is_a_name(score: Any, fill: Lake, tmp_path: Path) -> None:
    fill(tmp_path / "lake", 2)
    score(f"{tmp_path}/lake/**/*.parquet")
    shown = show(ShowConfig(f"{tmp_path}/lake/**/*.scored.parquet"))
    assert shown.total == 6 and "drug" not in shown.context


def test_conditions_and_reports_know_the_columns(
    score: Any, drugmon: Any, fill: Lake, tmp_path: Path
) -> None:
    lake, out = tmp_path / "lake", tmp_path / "out"
    fill(lake, 4)
    some = score(lake, out=str(out), partitions=True, where="year = 2026 AND id < '00002'")
    assert (some.total, len(some.outputs)) == (4, 2) and not some.failures
    with pytest.raises(SourceError, match=r"has no rows that meet --where year = 1999"):
        score(lake, out=str(out), partitions=True, where="year = 1999")
    score(lake, out=str(out), partitions=True)
    shown = drugmon("show", out, "--partitions", "--where", "drug <> 'aspirin'", "--json")
    said = json.loads(shown.out)
    assert said["total"] == 4, shown.err
    assert {row["drug"] for row in said["rows"]} == {"none/0"}
    pages = tmp_path / "pages"
    config = report_config(
        str(out), partitions=True, by=("drug", "year"), out=pages, evidently=False
    )
    found = report(config)
    assert found.summary.volume.rows == 12
    assert found.summary.source == "files in out"
    place = found.summary.place
    assert place is not None and place.columns == {"drug": "drug", "year": "year"}
    assert place.options == ("--partitions",)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_folder_of_which_nothing_is_taken_any_more_has_no_rows_left(
    score: Any, to_csv: Any, reviews: Any, tmp_path: Path, kind: str
) -> None:
    lake, out = tmp_path / "lake", tmp_path / "out"
    for place in PLACES:
        path = lake / place / f"a.{kind}"
        path.parent.mkdir(parents=True)
        if kind == "csv":
            to_csv(path, reviews(3, place))
        else:
            pq.write_table(pa.Table.from_pylist(reviews(3, place)), path)

    def rows() -> int:
        return show(ShowConfig(str(out), folders=PARTITIONS)).total

    score(lake, out=str(out), partitions=True)
    assert rows() == 9
    some = score(lake, out=str(out), partitions=True, where="year = 2025")
    assert (some.total, some.failures, rows()) == (3, (), 3)
    with pytest.raises(SourceError, match=r"has no rows that meet --where year = 1999"):
        score(lake, out=str(out), partitions=True, where="year = 1999")
    assert rows() == 3, "a condition that takes nothing at all is a mistake"
    assert score(lake, out=str(out), partitions=True, where="year = 2025").reused == 3
    assert len([run for run in history(HistoryConfig(out)).runs if not run.total]) == 2
    whole = score(lake, out=str(out), partitions=True)
    assert (whole.total, rows()) == (9, 9)


def test_a_flat_output_holds_the_columns(
    score: Any, fill: Lake, to_csv: Any, reviews: Any, tmp_path: Path
) -> None:
    fill(tmp_path / "lake", 2)
    source = tmp_path / "lake" / PLACES[2] / "part-0.parquet"
    for name in ("a.parquet", "a.csv", "a.jsonl", "a.delta"):
        assert score(source, out=str(tmp_path / name), partitions=True).total == 2
    table = pq.read_table(tmp_path / "a.parquet")
    assert table["drug"].to_pylist() == ["none/0"] * 2 and table["year"].to_pylist() == ["2026"] * 2
    assert (tmp_path / "a.csv").read_text().splitlines()[1].count("none/0") == 1
    assert score(source, out=str(tmp_path / "a.parquet"), partitions=True).reused == 2
    text = to_csv(tmp_path / "lake" / PLACES[2] / "part-0.csv", reviews(3))
    with pytest.raises(SourceError, match=r"part-0\.csv: what its folders say is kept by folders"):
        score(text, out=str(tmp_path / "b.csv"), partitions=True)
    score(text, out=f"{tmp_path}/out/", partitions=True, where="year = '2026'")
    assert (tmp_path / "out" / PLACES[2] / "part-0.scored.csv").exists()


@pytest.mark.parametrize("way", ["folders", "a flat file", "workers"])
@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("review_id=7", r"its id would be the name of a folder, review_id=\.\.\."),
        ("comments=bad", r"its comments would be the name of a folder, comments=\.\.\."),
        (
            "Overall_Sentiment=x",
            r"Overall_Sentiment(=\.\.\., which is what a verdict|, which in SQL is)",
        ),
    ],
)
def test_folders_tell_no_texts_no_ids_and_no_verdicts(
    score: Any, tmp_path: Path, folder: str, message: str, way: str
) -> None:
    path = tmp_path / folder / "a.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"benefits": ["good"]}), path)
    ways: dict[str, dict[str, Any]] = {
        "folders": {},
        "a flat file": {"out": str(tmp_path / "flat.parquet")},
        "workers": {"out": str(tmp_path / "out"), "kind": "ray", "dry_run": True},
    }
    with pytest.raises(SourceError, match=message):
        score(path, partitions=True, **ways[way])


ODD = ("a%20b=1/year=2025/year=2026", "a%20b=x=y/year=2026", "a%20b=x%3Fy%5Cz/year=2027")
SAID = ("1", "x=y", "x?y\\z")


def test_odd_names_of_folders_mean_the_same_to_all(
    score: Any, reviews: Any, tmp_path: Path
) -> None:
    """DuckDB reads folders too, and not all of them as others do."""
    lake, out, pages = tmp_path / "lake", tmp_path / "x=1" / "out", tmp_path / "pages"
    for count, place in enumerate(ODD, 1):
        (lake / place).mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(reviews(count, place)), lake / place / "a.parquet")
    score(lake, out=str(out), partitions=True, where="year <> '2025'")
    for count, said in enumerate(SAID, 1):
        chosen = show(ShowConfig(str(out), where=f"\"a b\" = '{said}'", folders=PARTITIONS))
        assert chosen.total == count
    assert show(ShowConfig(str(out), where="year = 2026 AND x = 1", folders=PARTITIONS)).total == 3
    summary = report(
        report_config(str(out), partitions=True, by=("a b", "year"), out=pages, evidently=False)
    ).summary
    assert summary.volume.rows == 6
    assert summary.slices_withheld == {"a b": 3, "year": 2}


def test_runs_over_one_file_of_a_lake_are_found_by_all(
    score: Any, fill: Lake, tmp_path: Path
) -> None:
    fill(tmp_path / "lake", 2)
    source = tmp_path / "lake" / PLACES[1] / "part-0.parquet"
    (output,) = score(source, out=f"{tmp_path}/out/", partitions=True).outputs
    score(tmp_path / "lake", out=f"{tmp_path}/out/", partitions=True)
    assert [run.total for run in history(HistoryConfig(Path(output))).runs] == [2]
    for path in (output, f"{tmp_path}/out"):
        config = report_config(path, partitions=True, out=tmp_path / "pages", evidently=False)
        summary = report(config).summary
        assert len(summary.scored_runs) == 1 and summary.history_note is None


def test_in_a_store(bucket: Any, score: Any, drugmon: Any, reviews: Any) -> None:
    for place in PLACES:
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(reviews(3, place)), buffer)
        bucket.put(f"lake/{place}/a.parquet", buffer.getvalue())
    bucket.put("lake/notes/b.parquet", b"none of them")
    done = score(f"{bucket.uri}/lake", out=f"{bucket.uri}/out/", partitions=True)
    assert done.scored == 9
    assert done.outputs == tuple(f"{bucket.uri}/out/{p}/a.scored.parquet" for p in PLACES)
    assert score(f"{bucket.uri}/lake/", out=f"{bucket.uri}/out/", partitions=True).reused == 9
    asked = ("--partitions", "--where", "year = 2026", "--columns", "id,drug,year", "--json")
    shown = json.loads(drugmon("show", f"{bucket.uri}/out/", *asked).out)
    assert shown["total"] == 6
    assert {row["drug"] for row in shown["rows"]} == {"aspirin", "none/0"}


def test_two_nights(drugmon: Any, fill: Lake, reviews: Any, adapter: Path, tmp_path: Path) -> None:
    settings = tmp_path / "job.toml"
    settings.write_text(
        f'[[source]]\nsource = "lake"\npartitions = true\nout = "out/"\nadapter = "{adapter}"\n'
        '[report]\nreference = "previous:7"\nevidently = false\nfail_on = []\nby = ["year"]\n'
        "keep = 1\n"
    )
    fill(tmp_path / "lake", 4)
    checked = drugmon("nightly", settings, "--check")
    assert checked.code == 0 and "12 of 12 rows would be scored" in checked.out, checked
    first = drugmon("nightly", settings)
    assert "total=12 scored=12 reused=0" in first.err + first.out, first
    new = tmp_path / "lake" / "drug=aspirin" / "year=2027" / "part-0.parquet"
    new.parent.mkdir()
    pq.write_table(pa.Table.from_pylist(reviews(5, "new")), new)
    second = drugmon("nightly", settings)
    assert second.code == 0, second.err
    assert "total=17 scored=5 reused=12" in second.err + second.out
    past = json.loads(drugmon("history", tmp_path / "out", "--json").out)
    assert [night["rows"] for night in past["nights"]] == [12, 5]
    assert [run["scored"] for run in past["runs"]][:3] == [4, 4, 4]
    assert sum(run["scored"] for run in past["runs"][3:]) == 5
    index = (tmp_path / "reports" / "index.html").read_text()
    volume = index[index.index(">Volume<") :]
    assert re.findall(r"<title>[0-9-]+: ([0-9]+)</title>", volume)[:2] == ["12", "5"]
