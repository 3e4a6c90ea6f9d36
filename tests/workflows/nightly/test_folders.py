"""Nights over folders of parts, which workers write and anybody reads: only new rows are scored."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.folder import MANIFEST, VERSION, FolderManifest, FolderPart
from drugmon.errors import UsageError
from drugmon.hashes import file_sha256

SETTINGS = """
[[source]]
source = "{source}"
{out}
adapter = "{adapter}"

[engine]
{engine}

[report]
reference = "previous:7"
evidently = false
fail_on = []
"""
WORKERS = 'kind = "ray"\nworkers = 1\npart_rows = 100'


@pytest.fixture(name="job")
def _job(tmp_path: Path, adapter: Path) -> Callable[..., Path]:
    """Writes the settings of a job: `job("inbox", "scored", WORKERS)`."""

    def write(source: str, out: str, engine: str = "") -> Path:
        path = tmp_path / "job.toml"
        named = f'out = "{out}"' if out else ""
        text = SETTINGS.format(source=source, out=named, engine=engine, adapter=adapter)
        path.write_text(text)
        return path

    return write


def deliver(folder: Path, name: str, rows: list[dict[str, str]]) -> None:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")


def rows_of(folder: Path) -> int:
    return sum(pq.read_metadata(path).num_rows for path in folder.glob("*.parquet"))


def test_two_nights_of_workers(drugmon: Any, job: Any, reviews: Any, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra drugmon[ray] is not installed")
    settings, scored = job("inbox", "scored", WORKERS), tmp_path / "scored"
    deliver(tmp_path / "inbox", "a", reviews(130, "a"))
    checked = drugmon("nightly", settings, "--check")
    assert checked.code == 0 and "130 of 130 rows would be scored" in checked.out, checked
    assert not scored.exists()
    first = drugmon("nightly", settings)
    assert first.code == 0, first.err
    assert "total=130 scored=130 reused=0" in first.err + first.out
    names = {path.name for path in scored.glob("*.parquet")}
    deliver(tmp_path / "inbox", "b", reviews(7, "b"))
    second = drugmon("nightly", settings)
    assert second.code == 0, second.err
    assert "total=137 scored=7 reused=130" in second.err + second.out
    assert rows_of(scored) == 137 and names < {path.name for path in scored.glob("*.parquet")}
    past = json.loads(drugmon("history", scored, "--json").out)
    assert [run["scored"] for run in past["runs"]] == [130, 7]
    assert [night["rows"] for night in past["nights"]] == [130, 7]


def publish(folder: Path, parts: dict[str, list[dict[str, str]]]) -> None:
    """Let the folder be an output of these parts, as workers leave it."""
    told = []
    for name, rows in parts.items():
        deliver(folder, name, rows)
        path = folder / f"{name}.parquet"
        counts = {"rows": len(rows), "scored": len(rows), "empty": 0, "ids": len(rows)}
        told.append(
            FolderPart(
                path.name,
                key=name,
                source="r.parquet",
                start=0,
                stop=len(rows),
                size=path.stat().st_size,
                sha256=file_sha256(path),
                **counts,
            )
        )
    rows_of_all = sum(part.rows for part in told)
    at = datetime(2026, 1, 2, tzinfo=UTC)
    manifest = FolderManifest(VERSION, "r", "tiny@0", "1", at, rows_of_all, tuple(told))
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))


def test_two_nights_over_such_a_folder(
    drugmon: Any, job: Any, reviews: Any, tmp_path: Path
) -> None:
    """One machine reads it as one source, whatever its parts are called by then."""
    settings, source = job("parts", ""), tmp_path / "parts"
    publish(source, {"b": reviews(12, "b"), "a": reviews(5, "a")})
    deliver(source, "old", reviews(3, "no part any more"))
    checked = drugmon("nightly", settings, "--check")
    assert checked.code == 0 and "17 of 17 rows would be scored" in checked.out, checked
    first = drugmon("nightly", settings)
    assert "total=17 scored=17 reused=0" in first.err + first.out, first
    output = tmp_path / "parts.scored.parquet"
    texts = [row["benefits"] for row in (*reviews(12, "b"), *reviews(5, "a"))]
    assert pq.read_table(output)["benefits"].to_pylist() == texts
    publish(source, {"c": reviews(2, "c"), "b2": reviews(12, "b"), "a": reviews(5, "a")})
    second = drugmon("nightly", settings)
    assert second.code == 0, second.err
    assert "total=19 scored=2 reused=17" in second.err + second.out
    assert pq.read_metadata(output).num_rows == 19
    past = json.loads(drugmon("history", output, "--json").out)
    assert [night["rows"] for night in past["nights"]] == [17, 2]


def test_one_machine_leaves_such_a_folder_alone(score: Any, reviews: Any, tmp_path: Path) -> None:
    publish(tmp_path / "parts", {"a": reviews(5)})
    deliver(tmp_path, "r", reviews(2))
    with pytest.raises(UsageError, match=r"is a folder of parts that --engine ray wrote; add that"):
        score(tmp_path / "r.parquet", out=str(tmp_path / "parts"))
    with pytest.raises(UsageError, match=r"--in-place: .*parts is a folder of parts; name a file"):
        score(tmp_path / "parts", in_place=True)
