from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

pytest.importorskip("drugmon.reports.morning")


@pytest.fixture(name="sides")
def _sides(tmp_path: Path, scored_reviews: Callable[..., Any]) -> tuple[Path, Path]:
    """A night with many more negative verdicts, and its reference."""
    night, reference = tmp_path / "night.parquet", tmp_path / "reference.parquet"
    pq.write_table(scored_reviews(200, seed=2, negative=0.5), night)
    pq.write_table(scored_reviews(400, seed=1), reference)
    return night, reference


def test_a_failed_gate_is_exit_code_4_with_its_reasons(
    tmp_path: Path, sides: tuple[Path, Path], drugmon: Callable[..., Any]
) -> None:
    night, reference = sides
    out = tmp_path / "reports"
    done = drugmon("report", night, "--reference", reference, "--out", out, "--fail-on", "balance")
    assert done.code == 4
    assert "- Overall: negative" in done.out
    assert done.out.splitlines()[-1].startswith("drugmon report: fail run=")
    (page,) = out.glob("*-*/index.html")
    assert f"wrote {page}" in done.out
    itself = drugmon("report", night, "--reference", night, "--out", out, "--fail-on", "balance")
    assert itself.code == 2
    assert "has no rows but those judged here; name scored reviews from another time" in itself.err


def test_json_is_the_summary_and_explain_a_table(
    tmp_path: Path, sides: tuple[Path, Path], drugmon: Callable[..., Any]
) -> None:
    night, reference = sides
    options = ("--reference", reference, "--out", tmp_path / "reports", "--fail-on", "none")
    told = json.loads(drugmon("report", night, *options, "--json").out)
    assert (told["status"], told["current"]["n"]) == ("unjudged", 200), "nothing decides"
    assert Path(told["page"]).is_file()
    explained = drugmon("report", night, *options, "--explain").out
    assert "Overall: labels" in explained and "what was found" in explained


def test_what_cannot_be_is_one_line(tmp_path: Path, drugmon: Callable[..., Any]) -> None:
    done = drugmon("report", tmp_path / "nowhere.parquet")
    assert (done.code, done.err.count("\n")) == (1, 1)
    done = drugmon("report", tmp_path / "x.parquet", "--fail-on", "moon")
    assert done.code == 2
    assert "no area 'moon'; valid: freshness, volume" in done.err
