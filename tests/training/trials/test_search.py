from __future__ import annotations

import pytest

from drugmon.errors import UsageError
from drugmon.training.trials.search import (
    Range,
    Search,
    parse_grid,
    parse_ranges,
    parse_trial,
    setting_texts,
)


def test_a_grid_is_every_combination() -> None:
    grid = parse_grid(["lora.r=8,16", "lora.dropout=.05,0.1"])
    assert grid == tuple(
        {"lora.r": r, "lora.dropout": dropout} for r in (8, 16) for dropout in (0.05, 0.1)
    )
    assert parse_grid([]) == ()


def test_lists_stand_in_brackets() -> None:
    (first, second) = parse_grid(['lora.target_modules=[q,v],["q", "v", "o"]'])
    assert setting_texts(first) == ("lora.target_modules=q,v",)
    assert setting_texts(second) == ("lora.target_modules=q,v,o",)
    trial = parse_trial("lora.target_modules=[q,v],lora.r=4")
    assert trial == {"lora.target_modules": "q,v", "lora.r": 4}


def test_values_are_read_as_settings_are() -> None:
    trial = parse_trial("train.learning_rate=1e-3,split.refit=true,balance.strategy=weights")
    assert trial == {
        "train.learning_rate": 1e-3,
        "split.refit": True,
        "balance.strategy": "weights",
    }
    assert setting_texts(trial) == (
        "train.learning_rate=0.001",
        "split.refit=true",
        "balance.strategy=weights",
    )


def test_ranges_are_whole_even_or_logarithmic() -> None:
    assert parse_ranges(
        ["lora.r=4:64", "train.learning_rate=1e-5:1e-3:log", "lora.alpha=8,16"]
    ) == {
        "lora.r": Range(4, 64, log=False),
        "train.learning_rate": Range(1e-5, 1e-3, log=True),
        "lora.alpha": (8, 16),
    }
    assert Range(4, 64, log=False).whole
    assert not Range(0.1, 0.5, log=False).whole


@pytest.mark.parametrize(
    ("parse", "text", "message"),
    [
        (lambda text: parse_grid([text]), "r=8", "--grid 'r=8' is not of the form key=value,value"),
        (lambda text: parse_grid([text]), "lora.r=", "--grid 'lora.r=' is not of the form"),
        (lambda text: parse_grid([text, text]), "lora.r=8", "--grid lora.r is given twice"),
        (parse_trial, "lora.r", "--trial 'lora.r' is not of the form key=value,key=value"),
        (lambda text: parse_ranges([text]), "lora.r=64:4", "give two numbers, the smaller first"),
        (lambda text: parse_ranges([text]), "lora.dropout=0:1:log", "both above 0 for :log"),
        (lambda text: parse_ranges([text]), "lora.r=a:b", "give two numbers"),
    ],
)
def test_what_cannot_be_read_is_told(parse: object, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)  # type: ignore[operator]
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({}, "nothing to try: give --grid or --trial, or --range with --random N or --tpe N"),
        ({"count": 3}, "--range goes with --random N or --tpe N"),
        ({"listed": ({"lora.r": 2},), "ranges": {"lora.r": (2, 4)}}, "--range goes with"),
        ({"listed": ({"train.seed": 1},)}, "train.seed cannot be searched"),
        ({"ranges": {"split.dev": (0.1, 0.2)}, "count": 1}, "split.dev cannot be searched"),
        ({"listed": ({"lexical.c": 1.0},)}, "lexical.c cannot be searched"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(search: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Search(**search)  # type: ignore[arg-type]
    assert message in str(caught.value)
