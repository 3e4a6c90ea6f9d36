"""`--engine ray` where Ray is not there, and its options without it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest


def test_without_the_extra_it_says_how_to_install(
    drugmon: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    source = tmp_path / "reviews.parquet"
    run = drugmon("score", source, "--engine", "ray", "--out", tmp_path / "scored")
    assert (run.code, run.out) == (2, "")
    assert run.err == (
        "drugmon: error: --engine ray needs a library of its own: pip install 'drugmon[ray]'\n"
    )


@pytest.mark.parametrize(
    "option", ["--ray-address=auto", "--workers=2", "--gpus-per-worker=0.5", "--part-rows=100"]
)
def test_options_of_a_cluster_need_it(drugmon: Any, option: str) -> None:
    run = drugmon("score", "reviews.parquet", option)
    assert run.code == 2
    assert f"{option.partition('=')[0]} is for --engine ray; add that" in run.err


@pytest.mark.parametrize(
    "address", ["", "foo", "ray://", "ray://host", "http://host:8265", "a:b:1"]
)
def test_an_address_of_another_form_is_refused(drugmon: Any, address: str) -> None:
    run = drugmon("score", "r.parquet", "--engine", "ray", "--out", "o", "--ray-address", address)
    says = f"--ray-address {address!r}: give auto, host:6379 or ray://host:10001"
    assert (run.code, says in run.err) == (2, True)
