"""What the commands print and how they end; those of `drugmon score` have their own tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import duckdb
import pytest

from drugmon.cli import main as cli
from drugmon.cli.output.verdicts import print_verdicts
from drugmon.config import DEFAULT_ADAPTER
from drugmon.labels import TARGETS
from drugmon.models.files import HEADS, MANIFEST, SEEN
from drugmon.signals import Terminated
from drugmon.workflows.predict import Verdict

Command = Callable[..., Any]
POOL_OF_A_COMMAND = """
import contextlib
from drugmon.cli.main import main
with contextlib.suppress(SystemExit):
    main()
import pyarrow
print(pyarrow.default_memory_pool().backend_name)
"""
SETTINGS = (
    "base.name=tiny-base",
    "model.max_length=32",
    "lora.r=2",
    "train.epochs=1",
    "split.refit=false",
    "lexical.min_df=1",
    "split.folds=0",
)
QUICK = tuple(word for setting in SETTINGS for word in ("--set", setting))


@pytest.fixture(name="place")
def _place(
    monkeypatch: pytest.MonkeyPatch, adapter: Path, tmp_path: Path, nothing_shipped: Sequence[Path]
) -> Path:
    """A working directory whose adapters/ holds the default; none are shipped."""
    assert not nothing_shipped
    shutil.copytree(adapter, tmp_path / "adapters" / DEFAULT_ADAPTER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_sample_is_written_and_never_over_another_file(drugmon: Command, place: Path) -> None:
    done = drugmon("sample", "reviews.csv")
    assert done.code == 0
    assert done.out == "reviews.csv: 64 invented reviews\n"
    (place / "mine.csv").write_text("a\n", encoding="utf-8")
    taken = drugmon("sample", "mine.csv")
    assert taken.code == 1
    assert taken.err.count("\n") == 1
    assert "exists and is not the sample" in taken.err


def test_predict_draws_bars_or_gives_json(drugmon: Command, place: Path) -> None:
    assert place.is_dir()
    drawn = drugmon("predict", "--benefits", "wonderful", "--device", "cpu")
    assert drawn.code == 0
    assert "benefits" in drawn.out
    assert "█" in drawn.out
    given = drugmon("predict", "--text", "wonderful", "--json")
    (verdict,) = json.loads(given.out)["verdicts"]
    assert verdict["target"] == "overall"
    assert sum(verdict["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert verdict["likeliest"] == max(verdict["probabilities"], key=verdict["probabilities"].get)


def test_predict_says_where_the_label_is_not_the_likeliest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shares = {"negative": 0.40, "neutral": 0.14, "positive": 0.46}
    verdict = Verdict("overall", "negative", 0.40, shares)
    print_verdicts([verdict], as_json=False, with_judge=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "overall: the balanced rule says negative; positive has the largest probability" in said
    certain = replace(verdict, label="positive", confidence=0.46, adapter="a@1")
    print_verdicts([certain], as_json=False, with_judge=True)
    said = capsys.readouterr().out
    assert "balanced rule" not in said
    assert said.endswith("judged by a@1\n")


def test_predict_without_text_is_wrong_usage(drugmon: Command, place: Path) -> None:
    assert place.is_dir()
    done = drugmon("predict")
    assert done.code == 2
    assert done.err == (
        "drugmon: error: the review has no text: give --benefits, --side-effects, --comments or "
        "--text\n"
    )


def test_training_tells_its_figures(drugmon: Command, place: Path, labelled: Path) -> None:
    done = drugmon("train", labelled, "--out", "adapters/mine", *QUICK, "--seed", 3, "--no-hashes")
    assert done.code == 0, done.err
    assert "Macro-F1" in done.out
    assert done.out.splitlines()[-1].startswith("drugmon train: ok adapter=mine@")
    manifest = json.loads((place / "adapters/mine" / MANIFEST).read_text(encoding="utf-8"))
    assert SEEN not in manifest["files"]
    assert manifest["seeds"] == [3]
    assert manifest["recipe"]["lora"]["r"] == 2

    again = drugmon("train", labelled, "--out", "adapters/mine", *QUICK)
    assert again.code == 1
    assert "adapters/mine exists: an adapter is never overwritten" in again.err


def test_training_mistakes_are_one_line(drugmon: Command, place: Path) -> None:
    (place / "bad.csv").write_text("rating,comments\n5,fine\n12,fine\n", encoding="utf-8")
    unknown = drugmon("train", "bad.csv", "--out", "x", "--set", "lora.rank=3")
    assert unknown.code == 1
    assert "has no key 'rank'; valid keys: r, alpha," in unknown.err
    rating = drugmon("train", "bad.csv", "--out", "x", *QUICK)
    assert rating.code == 1
    assert "bad.csv, row 2, column 'rating': '12' is no rating" in rating.err
    recipe = drugmon("train", "bad.csv", "--out", "x", "--recipe", "maxilm")
    assert recipe.code == 1
    assert "no recipe 'maxilm'; take flan-t5-full-1, " in recipe.err
    for done in (unknown, rating, recipe):
        assert done.err.count("\n") == 1
        assert "Traceback" not in done.err
    assert not (place / "x").exists()


def test_evaluate_prints_tables_json_or_nothing(
    drugmon: Command, place: Path, labelled: Path
) -> None:
    shown = drugmon("evaluate", labelled, "--html", "page.html")
    assert shown.code == 0, shown.err
    for words in ("Accuracy", "Macro-F1", "Cohen", "as neutral"):
        assert words in shown.out
    assert shown.out.splitlines()[-1].startswith("drugmon evaluate: ok adapter=tiny@")
    assert "is what adapter tiny was trained on" in shown.err
    assert (place / "page.html").stat().st_size > 5000

    found = drugmon("evaluate", labelled, "--json", "--drop-missing-like-pandas")
    summary = json.loads(found.out)
    assert set(summary["targets"]) == set(TARGETS)
    assert summary["left_out"][0]["reason"] == "a cell that pandas reads as missing"
    assert drugmon("evaluate", labelled, "--quiet").out == ""


def test_column_option_wants_pairs(drugmon: Command, place: Path, labelled: Path) -> None:
    assert place.is_dir()
    done = drugmon("evaluate", labelled, "--column", "rating")
    assert done.code == 2
    assert "'rating' is not of the form FIELD=NAME" in done.err


def test_a_broken_adapter_is_listed_beside_the_others(drugmon: Command, place: Path) -> None:
    shutil.copytree(place / "adapters" / DEFAULT_ADAPTER, place / "adapters" / "broken")
    (place / "adapters" / "broken" / MANIFEST).write_text("[]", encoding="utf-8")
    listed = drugmon("adapters", "list")
    assert listed.code == 0, "the list is whole; it is the doctor who judges"
    assert "tiny-base" in listed.out
    assert "warning: adapter broken: cannot read the adapter's manifest" in listed.err
    whole, broken = json.loads(drugmon("adapters", "list", "--json").out)["adapters"]
    assert set(whole) == {"name", "folder"}
    assert broken["name"] == "broken"
    assert broken["error"].startswith("cannot read the adapter's manifest adapters/broken/")
    doctor = drugmon("doctor", "--json")
    assert doctor.code == 1
    found = {each["subject"]: each["ok"] for each in json.loads(doctor.out)["findings"]}
    assert found["adapter broken"] is False
    assert found[f"adapter {DEFAULT_ADAPTER}"] is True


def test_adapters_are_listed_shown_and_verified(drugmon: Command, place: Path) -> None:
    listed = json.loads(drugmon("adapters", "list", "--json").out)["adapters"]
    assert [each["folder"] for each in listed] == [f"adapters/{DEFAULT_ADAPTER}"]
    assert "tiny-base" in drugmon("adapters", "list").out
    card = drugmon("adapters", "show", DEFAULT_ADAPTER)
    assert card.code == 0
    assert "tiny" in card.out
    manifest = json.loads(drugmon("adapters", "show", DEFAULT_ADAPTER, "--json").out)
    assert manifest["max_length"] == 64
    verified = drugmon("adapters", "verify", DEFAULT_ADAPTER)
    assert verified.code == 0
    assert verified.out.endswith("10 files and the base are what they should be\n")

    (place / "adapters" / DEFAULT_ADAPTER / HEADS).write_bytes(b"other")
    tampered = drugmon("adapters", "verify", DEFAULT_ADAPTER)
    assert tampered.code == 1
    assert "heads.safetensors was changed since it was trained" in tampered.err
    scored = drugmon("predict", "--text", "wonderful")
    assert scored.code == 1
    assert "was changed since it was trained" in scored.err


def test_recipes_are_listed_and_shown(drugmon: Command) -> None:
    listed = drugmon("recipes", "list")
    assert listed.code == 0
    assert "\nminilm  " in listed.out
    shown = drugmon("recipes", "show", "minilm")
    assert "[lora]" in shown.out
    assert drugmon("recipes", "show", "nope").code == 1


def test_doctor_ends_with_what_it_found(drugmon: Command, place: Path) -> None:
    well = drugmon("doctor")
    assert well.code == 0, well.out
    assert "WRONG" not in well.out
    manifest = place / "adapters" / DEFAULT_ADAPTER / MANIFEST
    manifest.write_text("{", encoding="utf-8")
    broken = drugmon("doctor", "--json")
    assert broken.code == 1
    wrong = [finding for finding in json.loads(broken.out)["findings"] if finding["ok"] is False]
    assert [finding["subject"] for finding in wrong] == [f"adapter {DEFAULT_ADAPTER}"]
    shutil.rmtree(manifest.parent)
    missing = drugmon("doctor")
    assert missing.code == 1
    assert "WRONG" in missing.out
    assert "no adapter" in missing.out


def test_show_tells_what_is_wrong(drugmon: Command, place: Path) -> None:
    assert place.is_dir()
    drugmon("sample", "reviews.csv")
    unscored = drugmon("show", "reviews.csv")
    assert unscored.code == 1
    assert "reviews.csv: holds no verdicts; name what `drugmon score` wrote" in unscored.err


@pytest.mark.parametrize(
    ("raised", "code", "says"),
    [
        (KeyboardInterrupt(), 130, "interrupted; the same command goes on"),
        (Terminated(), 143, "terminated; the same command goes on"),
        (click.Abort(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "/x"), 1, "error: /x: Permission denied"),
        (MemoryError("secret words"), 1, "error: the memory is used up, or limited (ulimit -v, "),
        (ImportError("torch.so: failed to map segment"), 1, "error: the memory is used up"),
        (duckdb.OutOfMemoryException("could not allocate"), 1, "error: the memory is used up"),
        (RuntimeError("can't allocate memory: secret"), 1, "error: the memory is used up"),
        (ZeroDivisionError("secret words"), 3, "error: a bug in drugmon (ZeroDivisionError); "),
    ],
)
def test_every_end_has_its_line_and_code(
    drugmon: Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    raised: Any,
    code: int,
    says: str,
) -> None:
    def fail() -> tuple[str, ...]:
        raise raised

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("drugmon.training.recipe.list_recipes", fail)
    done = drugmon("recipes", "list")
    assert done.code == code
    assert done.err.strip().startswith(f"drugmon: {says}")
    assert done.err.strip().count("\n") == 0
    assert "secret" not in done.err
    logs = list(tmp_path.glob("drugmon-bug-*.log"))
    assert len(logs) == (code == 3)
    for log in logs:
        assert "ZeroDivisionError" in log.read_text(encoding="utf-8")
        assert log.stat().st_mode & 0o077 == 0


def test_version_and_unknown_commands(drugmon: Command) -> None:
    from drugmon.version import __version__

    assert drugmon("--version").out == f"{__version__}\n"
    unknown = drugmon("paint")
    assert unknown.code == 2
    assert "No such command" in unknown.err
    assert set(cli.cli.commands) >= {"score", "train", "evaluate", "predict", "doctor", "show"}


@pytest.mark.parametrize("wanted", [None, "mimalloc"])
def test_arrow_allocates_as_the_rest_does_unless_the_user_wants_otherwise(
    wanted: str | None,
) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("ARROW_")}
    if wanted:
        env["ARROW_DEFAULT_MEMORY_POOL"] = wanted
    command = [sys.executable, "-c", POOL_OF_A_COMMAND, "--version"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == (wanted or "system")
