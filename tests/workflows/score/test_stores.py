"""Reviews in a store: scored, reused, shown and reported as files are, and nothing is half done."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data import targets
from drugmon.errors import SinkError
from drugmon.workflows.score.score import ScoreResult

Reviews = Callable[..., list[dict[str, str]]]
CASES = ("a.parquet", "a.csv", "a.tsv", "a.jsonl", "a.jsonl.gz")


def written(name: str, rows: list[dict[str, str]]) -> bytes:
    """The rows as a file of the format that the name tells."""
    if name.endswith(".parquet"):
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), buffer)
        return buffer.getvalue()
    if ".jsonl" in name:
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
    else:
        comma = "," if name.endswith(".csv") else "\t"
        text = "".join(f"{comma.join(cells)}\n" for cells in (rows[0], *(r.values() for r in rows)))
    return gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()


@pytest.mark.parametrize("name", CASES)
def test_every_format_goes_in_and_out_as_a_file_does(
    name: str, bucket: Any, score: Any, reviews: Reviews, tmp_path: Path
) -> None:
    content, (stem, dot, extensions) = written(name, reviews(6)), name.partition(".")
    (tmp_path / name).write_bytes(content)
    scored = f"{stem}.scored{dot}{extensions}"
    score(tmp_path / name)
    # The verdicts that are there are taken over, so that nothing differs.
    bucket.put(f"in/{scored}", (tmp_path / scored).read_bytes())
    result = score(bucket.put(f"in/{name}", content))
    assert (result.scored, result.reused, result.compute) == (0, 6, None)
    assert result.outputs == (f"{bucket.uri}/in/{scored}",)
    assert bucket.keys() == {f"in/{name}", f"in/{scored}"}
    ours, theirs = bucket.get(f"in/{scored}"), (tmp_path / scored).read_bytes()
    if name.endswith(".gz"):
        ours, theirs = gzip.decompress(ours), gzip.decompress(theirs)
    assert ours == theirs


def test_the_second_night_scores_only_what_is_new(
    bucket: Any, score: Any, reviews: Reviews, tmp_path: Path
) -> None:
    source, out = f"{bucket.uri}/in/a.parquet", f"{bucket.uri}/out/a.parquet"
    bucket.put("in/a.parquet", written("a.parquet", reviews(6)))
    first = score(source, out=out)
    bucket.put("in/a.parquet", written("a.parquet", reviews(9)))
    second: ScoreResult = score(source, out=out)
    assert (first.scored, second.scored, second.reused, second.total) == (6, 3, 6, 9)
    table = pq.read_table(io.BytesIO(bucket.get("out/a.parquet")))
    assert table["id"].to_pylist() == [f"{number:05}" for number in range(9)]
    third = score(source, out=out)
    assert (third.scored, third.reused, third.compute) == (0, 9, None)
    left = {path.name for path in (tmp_path / "state").rglob("*") if path.is_file()}
    assert left == {"history.duckdb"}


def test_a_dry_run_writes_nothing(bucket: Any, score: Any, reviews: Reviews) -> None:
    source = bucket.put("a.csv", written("a.csv", reviews(3)))
    assert score(source, dry_run=True).scored == 3
    assert bucket.keys() == {"a.csv"}


def test_in_place(bucket: Any, score: Any, reviews: Reviews) -> None:
    source = bucket.put("a.csv", written("a.csv", reviews(3)))
    assert score(source, in_place=True).outputs == (source,)
    assert bucket.keys() == {"a.csv"} and b"overall_sentiment" in bucket.get("a.csv")


def test_from_a_store_to_a_file_and_back(
    bucket: Any, score: Any, reviews: Reviews, tmp_path: Path
) -> None:
    source = bucket.put("a.csv", written("a.csv", reviews(3)))
    score(source, out=str(tmp_path / "here.parquet"))
    assert pq.read_table(tmp_path / "here.parquet").num_rows == 3
    (tmp_path / "b.csv").write_bytes(bucket.get("a.csv"))
    score(tmp_path / "b.csv", out=f"{bucket.uri}/out/")
    assert bucket.keys() == {"a.csv", "out/b.scored.csv"}


def test_a_folder_and_a_glob(bucket: Any, score: Any, drugmon: Any, reviews: Reviews) -> None:
    for name, count in (("a", 3), ("b", 4)):
        bucket.put(f"in/{name}.csv", written("x.csv", reviews(count, mark=name)))
    bucket.put("in/readme.txt", b"no reviews")
    done = score(f"{bucket.uri}/in/", out=f"{bucket.uri}/out/")
    assert done.outputs == tuple(f"{bucket.uri}/out/{name}.scored.csv" for name in "ab")
    assert score(f"{bucket.uri}/in/*.csv", out=f"{bucket.uri}/out/").reused == 7
    shown = drugmon("show", f"{bucket.uri}/out", "--json")
    assert json.loads(shown.out)["total"] == 7, shown.err
    past = drugmon("history", f"{bucket.uri}/out/", "--json")
    assert {run["output"]["path"] for run in json.loads(past.out)["runs"]} == set(done.outputs)


def test_where_does_not_shrink_an_output(bucket: Any, drugmon: Any, reviews: Reviews) -> None:
    source = bucket.put("a.csv", written("a.csv", reviews(3)))
    bucket.put("a.scored.csv", b"earlier")
    done = drugmon("score", source, "--limit", 1)
    assert done.code == 2 and f"{bucket.uri}/a.scored.csv exists, and --where" in done.err


def test_a_failed_upload_loses_nothing(
    bucket: Any, score: Any, reviews: Reviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = bucket.put("a.csv", written("a.csv", reviews(5)))
    bucket.put("out.csv", b"")

    def refuse(path: Path, uri: object, _seen: object) -> None:
        assert path.stat().st_size > 0
        raise SinkError(f"{uri}: no permission to write it; nothing was changed")

    with monkeypatch.context() as patch:
        patch.setattr(targets, "put", refuse)
        with pytest.raises(SinkError, match=r"out\.csv: no permission to write it"):
            score(source, out=f"{bucket.uri}/out.csv")
    assert bucket.get("out.csv") == b""
    again = score(source, out=f"{bucket.uri}/out.csv")
    assert (again.scored, again.reused, again.compute) == (0, 5, None)
    assert bucket.get("out.csv").count(b"\n") == 6


def test_a_second_run_into_the_same_object_waits_outside(
    bucket: Any, drugmon: Any, reviews: Reviews
) -> None:
    from drugmon.data.stores.shadow import make_state_folder
    from drugmon.data.stores.uri import parse_uri
    from drugmon.data.verdicts.journal import Journal

    source, out = bucket.put("a.csv", written("a.csv", reviews(3))), f"{bucket.uri}/b.csv"
    with Journal(make_state_folder(parse_uri(out))):
        done = drugmon("score", source, "--out", out)
    assert done.code == 1 and f"is scoring into {out}; wait for it or stop it" in done.err


def test_credentials_are_told_nowhere(
    bucket: Any, drugmon: Any, adapter: Path, reviews: Reviews, tmp_path: Path
) -> None:
    source, out = bucket.put("a.csv", written("a.csv", reviews(3))), f"{bucket.uri}/b.csv"
    told = [
        drugmon("score", source, "--adapter", adapter, "--out", out),
        drugmon("history", out, "--json"),
        drugmon("score", f"{bucket.uri}-of-nobody/a.csv"),
        drugmon("score", "s3://nobody:not-to-be-told@bucket/a.csv"),
        drugmon("score", f"{source}?X-Amz-Signature=not-to-be-told"),
    ]
    assert [run.code for run in told] == [0, 0, 1, 2, 2]
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert files and b"not-to-be-told" not in b"".join([*files, bucket.get("b.csv")])
    assert "not-to-be-told" not in "".join(run.out + run.err for run in told)


def test_a_table_is_on_this_machine(bucket: Any, drugmon: Any) -> None:
    done = drugmon("score", f"{bucket.uri}/w.duckdb", "--table", "reviews")
    assert done.code == 2
    assert done.err == (
        "drugmon: error: --table is for a database on this machine; copy it here, and back "
        "afterwards\n"
    )
