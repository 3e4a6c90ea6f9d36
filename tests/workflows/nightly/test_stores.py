"""A night over reviews in a store: checked, scored, reported, and the next time what is new."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SETTINGS = """
[[source]]
source = "{bucket}/in/reviews.jsonl"
out = "{bucket}/out/scored.jsonl"
adapter = "{adapter}"

[report]
reference = "previous:7"
evidently = false
fail_on = []
"""


@pytest.fixture(name="deliver")
def _deliver(bucket: Any, reviews: Any) -> Callable[[int], None]:
    def deliver(count: int) -> None:
        lines = [json.dumps(review) for review in reviews(count)]
        bucket.put("in/reviews.jsonl", "\n".join(lines).encode())

    return deliver


def test_two_nights(bucket: Any, deliver: Any, drugmon: Any, adapter: Path, tmp_path: Path) -> None:
    settings = tmp_path / "job.toml"
    settings.write_text(SETTINGS.format(bucket=bucket.uri, adapter=adapter))
    deliver(12)
    checked = drugmon("nightly", settings, "--check")
    assert checked.code == 0 and "12 of 12 rows would be scored" in checked.out, checked
    scored = []
    for count in (12, 15):
        deliver(count)
        night = drugmon("nightly", settings)
        assert night.code == 0, night.err
        scored.append(night.err + night.out)
    assert "total=12 scored=12 reused=0" in scored[0]
    assert "total=15 scored=3 reused=12" in scored[1]
    past = json.loads(drugmon("history", f"{bucket.uri}/out/scored.jsonl", "--json").out)
    assert [run["scored"] for run in past["runs"]] == [12, 3]
    assert [night["output"]["path"] for night in past["nights"]] == [
        f"{bucket.uri}/out/scored.jsonl"
    ] * 2
    assert bucket.keys() == {"in/reviews.jsonl", "out/scored.jsonl"}
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"not-to-be-told" not in kept


def test_a_bucket_that_is_gone_is_a_failure_in_one_line(
    bucket: Any, drugmon: Any, adapter: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "job.toml"
    settings.write_text(SETTINGS.format(bucket=f"{bucket.uri}-gone", adapter=adapter))
    checked = drugmon("nightly", settings, "--check")
    assert checked.code == 1
    assert "there is no bucket" in " ".join(checked.out.split())


def test_credentials_in_the_settings_are_refused(drugmon: Any, tmp_path: Path) -> None:
    settings = tmp_path / "job.toml"
    settings.write_text(SETTINGS.format(bucket="s3://nobody:not-to-be-told@b", adapter="any"))
    night = drugmon("nightly", settings)
    assert night.code == 1 and "source 1: s3://...: names credentials" in night.err
    assert "not-to-be-told" not in night.err + night.out
