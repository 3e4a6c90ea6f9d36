from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drugmon.errors import SourceError, UsageError
from drugmon.options import build
from drugmon.workflows.score.config import ScoreConfig
from drugmon.workflows.score.score import score

Any_ = Callable[..., Any]


def feed(adapter: Path, lines: str, **options: Any) -> tuple[Any, list[dict[str, Any]]]:
    out = io.BytesIO()
    config = build(ScoreConfig, source="-", adapter=str(adapter), **options)
    result = score(config, stdin=io.BytesIO(lines.encode()), stdout=out)
    return result, [json.loads(line) for line in out.getvalue().decode().splitlines()]


def test_each_line_is_answered_before_the_next_is_written(adapter: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "drugmon.cli.main", "score", "-", "--adapter", str(adapter)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for number in range(3):
        process.stdin.write(json.dumps({"id": number, "review": f"good {number}"}) + "\n")
        process.stdin.flush()
        verdict = json.loads(process.stdout.readline())
        assert (verdict["id"], verdict["benefits_sentiment"]) == (number, None)
        assert verdict["overall_sentiment"] in ("negative", "neutral", "positive")
    rest, told = process.communicate()
    assert (process.returncode, rest) == (0, "")
    first, last = told.splitlines()
    assert first == "wrote standard output"
    assert last.startswith("drugmon score: ok run=")
    assert " total=3 scored=3 reused=0 empty=0 " in last
    assert list(tmp_path.iterdir()) == []


def test_where_and_limit_filter_the_stream(adapter: Path) -> None:
    lines = "".join(f'{{"id": {number}, "review": "text {number}"}}\n' for number in range(9))
    result, rows = feed(adapter, lines, where="id % 2 = 0", limit=3)
    assert (result.total, [row["id"] for row in rows]) == (3, [0, 2, 4])
    assert feed(adapter, lines, where="id > 99")[1] == []


def test_dry_run_prints_no_row(adapter: Path) -> None:
    result, rows = feed(adapter, '{"review": "a"}\n{"review": ""}\n', dry_run=True)
    assert (result.total, result.scored, result.empty, rows) == (2, 1, 1, [])


def test_a_bad_line_ends_the_run_and_names_itself(adapter: Path) -> None:
    with pytest.raises(SourceError, match="standard input: line 2 is not JSON"):
        feed(adapter, '{"review": "a"}\n{"review": \n')
    with pytest.raises(SourceError, match="standard input: no text column among 'x'"):
        feed(adapter, '{"x": "a"}\n')


@pytest.mark.parametrize("options", [{"out": "o.csv"}, {"in_place": True}, {"table": "t"}])
def test_options_of_files_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="standard input goes to standard output"):
        build(ScoreConfig, source="-", **options)
