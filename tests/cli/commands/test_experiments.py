"""What tune, compare and experiment print, and how they end."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
SETTINGS = ("base.name=tiny-t5", "model.max_length=64", "train.epochs=1", "balance.per_class=8")
QUICK = tuple(word for setting in SETTINGS for word in ("--set", setting))
SHARES = ("--set", "split.dev=0.3", "--set", "split.test=0.3")
CPU = ("--device", "cpu", "--threads", "1")
PLAN = """
source = "reviews.csv"
out = "out"

[split]
dev = 0.3
test = 0.3

[[stage]]
title = "Zero-shot"
zero_shot = true

[[stage]]
title = "LoRA"
recipe = "flan-t5-lora-800"
"""


@pytest.fixture(name="place")
def _place(monkeypatch: pytest.MonkeyPatch, labelled: Path, tiny_t5: Path, tmp_path: Path) -> Path:
    """A working directory with labelled reviews; the tiny T5 is at hand."""
    assert tiny_t5.is_dir()
    (tmp_path / "reviews.csv").write_bytes(labelled.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_tune_compare_and_use_the_winner(drugmon: Command, place: Path) -> None:
    """A seq2seq base from three trials to a comparison with the base by itself."""
    trials = [
        word
        for trial in ("lora.r=2,lora.dropout=.05", "lora.r=4,lora.dropout=.1", "lora.r=8")
        for word in ("--trial", trial)
    ]
    words = ("reviews.csv", "--recipe", "flan-t5-lora-800", "--out", "trials", *trials, *QUICK)
    tuned = drugmon("tune", *words, *SHARES, *CPU, "--csv", "trials.csv")
    assert tuned.code == 0, tuned.err
    assert "best" in tuned.out
    lines = tuned.out.strip().splitlines()
    assert lines[-1].startswith("drugmon tune: ok trials=3 done=3 best=")
    with (place / "trials.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["lora.r"] for row in rows] == ["2", "4", "8"]
    # So small a model may come to the same figures in all trials: then none is the best.
    tied = "best=none" in lines[-1]
    assert [row["best"] for row in rows].count("True") == (not tied)
    told = json.loads(drugmon("tune", *words, *SHARES, *CPU, "--json").out)
    assert [str(row["dev_macro_f1"]) for row in told["trials"]] == [r["dev_macro_f1"] for r in rows]
    assert told["command"] == (None if tied else lines[-2])

    by_hand = ("train", "reviews.csv", "--recipe", "flan-t5-lora-800", *QUICK)
    command = [*by_hand, "--out", "adapters/best"] if tied else shlex.split(lines[-2])[1:]
    trained = drugmon(*command, *CPU)
    assert trained.code == 0, trained.err
    compared = ("reviews.csv", "--base", "tiny-t5", "--adapter", "adapters/best", *CPU)
    shown = drugmon("compare", *compared, "--html", "compare.html")
    assert shown.code == 0, shown.err
    assert "reviews.csv is what adapter best was trained on" in shown.err
    assert shown.out.strip().splitlines()[-1].startswith("drugmon compare: ok stages=2 rows=120 ")
    assert "<h1>2 models on reviews.csv</h1>" in (place / "compare.html").read_text("utf-8")
    figures = json.loads(drugmon("compare", *compared, "--json").out)
    assert [stage["title"] for stage in figures["stages"]] == ["tiny-t5-zero-shot", "best"]
    assert figures["stages"][1]["training"]["trainable_share"] < 0.5


def test_experiment_ends_with_the_page(drugmon: Command, place: Path) -> None:
    (place / "plan.toml").write_text(PLAN, encoding="utf-8")
    done = drugmon("experiment", "plan.toml", "--base", "tiny-t5", *QUICK[2:], *CPU)
    assert done.code == 0, done.err
    assert done.out.startswith("wrote out/comparison.html\n")
    assert done.out.strip().splitlines()[-1].startswith("drugmon experiment: ok stages=2 rows=36 ")
    assert (place / "out" / "comparison.json").is_file()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("tune", "reviews.csv", "--out", "t"), 2, "nothing to try: give --grid or --trial"),
        (("tune", "reviews.csv", "--out", "t", "--grid", "r=8"), 2, "--grid 'r=8' is not of the"),
        (
            shlex.split("tune reviews.csv --out t --range lora.r=2:4 --random 1 --tpe 2"),
            2,
            "give --random or --tpe, not both",
        ),
        (("compare", "reviews.csv", "--adapter", "a"), 2, "a comparison needs two models or more"),
        (("experiment", "no.toml"), 1, "experiment no.toml cannot be read"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    drugmon: Command, place: Path, words: Sequence[str], code: int, message: str
) -> None:
    done = drugmon(*words)
    assert done.code == code
    assert message in done.err
    assert done.err.count("\n") == 1
    assert [path.name for path in place.iterdir()] == ["reviews.csv"]
