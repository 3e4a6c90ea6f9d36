from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cascades import Pair


def test_words_are_shown_with_their_points(drugmon: Callable[..., Any], adapter: Path) -> None:
    run = drugmon(
        *("explain", "--adapter", adapter, "--device", "cpu", "--benefits", "wonderful \x1b[31m!")
    )
    assert run.code == 0
    assert "benefits: " in run.out
    assert "where nothing is said" in run.out
    assert "\x1b[31m" not in run.out
    assert "overall: " in run.out


def test_json_holds_every_word(drugmon: Callable[..., Any], adapter: Path) -> None:
    run = drugmon("explain", "--adapter", adapter, "--text", "good and bad", "--json")
    found = json.loads(run.out)["overall"]
    assert [word["text"] for word in found["words"]] == ["good", "and", "bad"]
    total = sum(word["push"] for word in found["words"])
    assert total == pytest.approx(found["probability"] - found["baseline"], abs=1e-6)


def test_no_text_is_told(drugmon: Callable[..., Any], adapter: Path) -> None:
    run = drugmon("explain", "--adapter", adapter, "--text", " ")
    assert (run.code, run.out) == (2, "")
    assert "the review has no text: give --benefits, --side-effects" in run.err


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("command", ["predict", "explain"])
def test_two_adapters_are_told(drugmon: Callable[..., Any], pair: Pair, command: str) -> None:
    options = ("--adapter", pair.first, "--then", pair.second, "--text", "so so", "--device", "cpu")
    for below, judge in (("1", pair.both), (".001", pair.alone)):
        drawn = drugmon(command, *options, "--below", below)
        assert drawn.code == 0
        assert f"judged by {judge}" in " ".join(drawn.out.split())
    told = json.loads(drugmon(command, *options, "--below", "1", "--json").out)
    verdicts = told["verdicts"] if command == "predict" else [told["overall"]]
    assert [verdict["adapter"] for verdict in verdicts] == [pair.both]


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_a_share_of_nothing_is_told(drugmon: Callable[..., Any], command: str) -> None:
    run = drugmon(command, "--share", ".3", "--text", "so so")
    assert (run.code, run.out) == (2, "")
    assert "--share is for a cascade; add --then and its second adapter" in run.err
