"""What cannot teach is told before anything is trained, with the reason and the remedy."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from drugmon.errors import AdapterError, RecipeError
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.models.files import HELD_OUT, SEEN
from drugmon.training.recipe import load_recipe
from drugmon.training.reviews.gathered import gather
from drugmon.training.sources import Source
from tests.teaching import asked, fit, lone


def without(teacher: Adapter, folder: Path, name: str) -> Path:
    """A copy of the teacher that was trained without a file."""
    from drugmon.models.adapters.manifest import read_manifest, with_files

    shutil.copytree(teacher.folder, folder)
    (folder / name).unlink()
    manifest = read_manifest(folder)
    files = {file: digest for file, digest in manifest.files.items() if file != name}
    with_files(manifest, files).write(folder)
    return folder


def test_what_cannot_teach_is_told_before_the_first_step(
    teacher: Adapter, labelled: Path, tmp_path: Path
) -> None:
    def refused(kind: type[Exception], says: str, *settings: str, **options: Any) -> None:
        steps: list[str] = []
        with pytest.raises(kind, match=says):
            fit(
                tmp_path / "refused",
                labelled,
                *settings,
                on_progress=lambda stage, _progress: steps.append(stage),
                **options,
            )
        assert steps == []

    def taught_by(*folders: Path) -> str:
        return f"teacher.adapters={','.join(map(str, folders))}"

    refused(AdapterError, "no adapter 'nobody'", "teacher.adapters=nobody")
    blind = without(teacher, tmp_path / "blind", SEEN)
    refused(AdapterError, rf"cannot teach: it has no {SEEN}, so that", taught_by(blind))
    certain = without(teacher, tmp_path / "certain", HELD_OUT)
    refused(AdapterError, rf"it learned from 78 of .* no {HELD_OUT} to tell", taught_by(certain))
    twice = taught_by(teacher.folder, shutil.copytree(teacher.folder, tmp_path / "twice"))
    refused(RecipeError, "names large@[0-9a-f]{12} twice; once will do", twice)
    changed = shutil.copytree(teacher.folder, tmp_path / "changed")
    (changed / HELD_OUT).write_bytes(b"other")
    refused(AdapterError, "was changed since it was trained", taught_by(changed))
    refused(
        RecipeError,
        "the rating 7 is positive to it, neutral here; train it with the same labels",
        taught_by(teacher.folder),
        "labels.rating.7=neutral",
    )
    more = Source(path=str(lone(tmp_path / "more.csv", 50, 3, False)), role="unlabelled")
    refused(RecipeError, "source more.csv is unlabelled, and nobody says any", sources=(more,))


def test_who_learned_from_everything_teaches_nothing(teacher: Adapter, tmp_path: Path) -> None:
    known = lone(tmp_path / "known.csv", 0, 30)
    gathered = gather([Source(path=str(known))], None)
    certain = open_adapter(str(without(teacher, tmp_path / "certain", HELD_OUT)))
    with pytest.raises(AdapterError, match="it learned from 30 of these reviews, and has no"):
        asked([certain], gathered, tmp_path / "work")
    with pytest.raises(RecipeError, match="they would teach nothing; name others, or more source"):
        asked([teacher], gathered, tmp_path / "work")


def test_thirds_of_two_scales_mean_the_same() -> None:
    from drugmon.grading import Grading
    from drugmon.workflows.train.teaching.teachers import _difference

    ten, five = Grading(), Grading().with_scale("1-5")
    assert _difference(five, ten) == _difference(ten, five) == ""
    odd = load_recipe("minilm", ["labels.rating.7=neutral"]).grading
    assert "its ratings are of the scale 1-5, those here of 1-10" in _difference(odd, five)
    words = ten.with_words({"fine": "positive"})
    assert _difference(words, ten.with_words({"good": "negative"})) == ""
    assert _difference(words, ten.with_words({"fine": "neutral"})) == (
        "the word fine is neutral to it, positive here"
    )
