from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.history.files import read_history
from drugmon.data.history.places import history_of

Any_ = Callable[..., Any]
NIGHT = r"""
import json, re, sys
from pathlib import Path
from drugmon.options import build
from drugmon.workflows.score.config import ScoreConfig
from drugmon.workflows.score.score import score

source, adapter, options = sys.argv[1:]
result = score(build(ScoreConfig, source=source, adapter=adapter, **json.loads(options)))
# Not getrusage, whose peak begins with that of the process which started this one.
status = Path("/proc/self/status").read_text()
megabytes = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024
print(json.dumps([result.total, result.scored, result.reused, megabytes, sorted(sys.modules)]))
"""
HEAVY = {"torch", "transformers", "peft", "tokenizers", "sklearn", "scipy", "polars"}
# Not pandas, which pyarrow imports of its own accord wherever it is installed.


def night(source: Path, adapter: Path, **options: Any) -> tuple[int, int, int, float, set[str]]:
    """Score in a process of its own: total, scored, reused, peak MB and the modules loaded."""
    done = subprocess.run(
        [sys.executable, "-c", NIGHT, str(source), str(adapter), json.dumps(options)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    total, scored, reused, megabytes, modules = json.loads(done.stdout)
    return total, scored, reused, megabytes, set(modules)


def test_a_night_with_nothing_new_loads_no_model(
    tmp_path: Path, adapter: Path, score: Any_, reviews: Any_, to_csv: Any_
) -> None:
    path = to_csv(tmp_path / "r.csv", reviews(20))
    with duckdb.connect(tmp_path / "r.duckdb") as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS id, 'good' AS benefits")
    score(path)
    score(tmp_path / "r.duckdb", table="t")
    *counts, _, modules = night(path, adapter)
    assert (counts, modules & HEAVY) == ([20, 0, 20], set())
    *counts, _, modules = night(tmp_path / "r.duckdb", adapter, table="t")
    assert (counts, modules & HEAVY) == ([1, 0, 1], set())


def test_three_hundred_thousand_rows_stream_in_little_memory(tmp_path: Path, adapter: Path) -> None:
    path = tmp_path / "many.parquet"
    part = pa.table(
        {"id": pa.array(range(30_000)), "benefits": ["it helped a lot. " * 40] * 30_000}
    )
    with pq.ParquetWriter(path, part.schema) as writer:
        writer.write_table(pa.concat_tables([part] * 10), row_group_size=300_000)
    *counts, megabytes, modules = night(path, adapter, dry_run=True)
    assert (counts, modules & HEAVY) == ([300_000, 300_000, 0], set())
    assert megabytes < 600  # the texts alone are 204 MB, three times in memory if not streamed
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_only_new_and_changed_reviews_reach_the_model(
    tmp_path: Path, score: Any_, reviews: Any_, to_csv: Any_, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drugmon.scoring.engine import Engine

    seen: list[str | None] = []
    whole = Engine.submit

    def watched(self: Engine, texts: Any) -> Any:
        seen.extend(text.benefits for text in texts)
        return whole(self, texts)

    monkeypatch.setattr(Engine, "submit", watched)
    rows = reviews(30)
    path = to_csv(tmp_path / "r.csv", rows)
    score(path)
    assert len(seen) == 30
    seen.clear()
    rows[7]["benefits"] = "changed"
    rows[8]["rating"] = "1"  # no text
    twice = {**rows[0], "id": "x", "benefits": "the same twice"}
    to_csv(path, [*rows, twice, {**twice, "id": "y"}])
    result = score(path)
    assert (result.total, result.scored, result.reused) == (32, 3, 29)
    assert sorted(map(str, seen)) == ["changed", "the same twice"]


def test_verdicts_of_a_clock_that_was_ahead_are_of_no_later_run(
    tmp_path: Path, score: Any_, reviews: Any_, to_csv: Any_
) -> None:
    source, out = to_csv(tmp_path / "r.csv", reviews(4)), tmp_path / "r.scored.csv"
    score(source)
    text = out.read_text()
    (year,) = set(re.findall(r",(\d{4})-\d\d-\d\dT", text))
    out.write_text(text.replace(f",{year}-", f",{int(year) + 1}-"))
    to_csv(source, reviews(5))
    assert (score(source).scored, score(source).reused) == (1, 5)
    runs = read_history(history_of(out)).runs
    assert [(run.scored, run.reused) for run in runs] == [(4, 0), (1, 4), (0, 5)]


def test_another_rule_scores_again_and_takes_the_largest_probability(
    tmp_path: Path, score: Any_, reviews: Any_, to_csv: Any_
) -> None:
    source = to_csv(tmp_path / "r.csv", reviews(30))
    out = tmp_path / "r.scored.parquet"
    assert score(source, out=str(out)).scored == 30
    balanced = pq.read_table(out)
    likeliest = score(source, out=str(out), rule="likeliest")
    assert (likeliest.scored, likeliest.adapter.endswith("+likeliest")) == (30, True)
    assert score(source, out=str(out), rule="likeliest").reused == 30
    table = pq.read_table(out)
    assert set(table["drugmon_adapter"].to_pylist()) == {likeliest.adapter}
    labels = ("negative", "neutral", "positive")
    for row in table.to_pylist():
        shares = {label: row[f"overall_p_{label}"] for label in labels}
        if None not in shares.values():
            assert row["overall_sentiment"] == max(shares, key=lambda label: shares[label])
            assert row["overall_confidence"] == max(shares.values())
    for label in labels:  # the rule moves labels, never probabilities
        assert table[f"overall_p_{label}"].equals(balanced[f"overall_p_{label}"])
