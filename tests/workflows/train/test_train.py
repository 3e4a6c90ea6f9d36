from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drugmon.errors import RecipeError, RunningError, SinkError, TrainingDataError
from drugmon.labels import TARGETS
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.models.files import CARD, HEADS, HELD_OUT, LEXICON, MANIFEST, REFERENCE, SEEN
from drugmon.monitoring.profiles.profile import read_profile
from drugmon.scoring.held_out import HeldOutEvidence
from drugmon.training.loop.progress import Progress
from drugmon.workflows.train import measure
from drugmon.workflows.train.train import TrainResult
from tests.workflows.train.conftest import write

RATING_ONLY = ("id", "rating", "commentsReview")


class Interrupt:
    """Raises KeyboardInterrupt, as ^C does, at one step of one stage; tells the steps it saw."""

    def __init__(self, stage: str = "measured", step: int = 10**9) -> None:
        self.at = (stage, step)
        self.seen: list[tuple[str, int]] = []

    def __call__(self, stage: str, progress: Progress) -> None:
        self.seen.append((stage, progress.step))
        if (stage, progress.step) == self.at:
            raise KeyboardInterrupt


def test_card_and_reference_tell_what_was_measured(adapter: Path) -> None:
    manifest = open_adapter(str(adapter)).manifest
    card = (adapter / CARD).read_text(encoding="utf-8")
    for target in manifest.targets:
        accuracy = manifest.metrics[target].accuracy.value
        assert f"{accuracy:.3f}" in card, target
    assert manifest.files[HEADS][:12] in card or manifest.files[HEADS] in card
    profile = read_profile(adapter / REFERENCE)
    assert profile.n == manifest.metrics["overall"].n == 36
    assert manifest.data is not None
    assert manifest.data.rows == 120
    assert manifest.training is not None
    assert manifest.training.measured_on == "test split"


def test_no_text_of_a_review_is_kept(
    fit: Callable[..., TrainResult], rows: Any, tmp_path: Path
) -> None:
    # In one review: what many share is counted in the reference profile, word by word.
    rows[0]["benefitsReview"] += " zanzibarmarker"
    rows[0]["commentsReview"] += " quokkamarker"
    source = write(tmp_path / "marked.csv", rows)
    made = fit("marked", source=source).adapter
    kept = [path for path in made.folder.iterdir() if path.suffix in (".json", ".md", ".txt")]
    assert {path.name for path in kept} >= {MANIFEST, REFERENCE, SEEN, CARD}
    for path in kept:
        text = path.read_text(encoding="utf-8")
        for word in ("zanzibarmarker", "quokkamarker", "so so number", str(tmp_path)):
            assert word not in text, path.name


def test_same_seed_gives_the_same_adapter_and_another_seed_another(
    fit: Callable[..., TrainResult],
) -> None:
    first, again, other = fit("a"), fit("b"), fit("c", "train.seed=1")
    assert first.adapter.manifest.digest == again.adapter.manifest.digest
    assert first.adapter.manifest.metrics == again.adapter.manifest.metrics
    assert first.qualities == again.qualities
    assert other.adapter.manifest.digest != first.adapter.manifest.digest
    assert other.adapter.manifest.seeds == [1]


def test_gradient_checkpointing_computes_the_same(fit: Callable[..., TrainResult]) -> None:
    kept, computed_twice = fit("a"), fit("b", "train.gradient_checkpointing=true")
    assert kept.adapter.manifest.digest == computed_twice.adapter.manifest.digest


def test_cost_of_training_is_recorded(adapter: Path) -> None:
    notes = open_adapter(str(adapter)).manifest.training
    assert notes is not None
    assert 2**27 < (notes.peak_memory or 0) < 2**36, "bytes"
    assert 0 < notes.trainable_parameters < notes.all_parameters


def test_interrupted_run_ends_where_an_uninterrupted_one_does(
    fit: Callable[..., TrainResult], tmp_path: Path
) -> None:
    refit = "split.refit=true"
    whole = fit("whole", refit)
    interrupt, second, watch = Interrupt("measured", 5), Interrupt("refit", 9), Interrupt()
    for each in (interrupt, second):
        with pytest.raises(KeyboardInterrupt):
            fit("cut", refit, on_progress=each)
        assert not (tmp_path / "cut").exists()
        assert (tmp_path / ".cut.training").is_dir()
    resumed = fit("cut", refit, on_progress=watch)
    assert resumed.adapter.manifest.digest == whole.adapter.manifest.digest
    assert resumed.qualities == whole.qualities
    assert not (tmp_path / ".cut.training").exists()
    stages = {stage for stage, _ in watch.seen}
    assert stages == {"refit"}, "what was measured already is not trained again"
    assert min(step for _, step in watch.seen) > 1


def test_a_second_training_into_the_same_folder_stops_and_the_first_goes_on(
    fit: Callable[..., TrainResult],
) -> None:
    told = []

    def begin_another(_stage: str, progress: Progress) -> None:
        if progress.step == 2:
            with pytest.raises(
                RunningError, match=rf"another process \(pid {os.getpid()}\) holds this lock; wait"
            ) as error:
                fit("mine")
            told.append(str(error.value))

    alone, watched = fit("alone"), fit("mine", on_progress=begin_another)
    assert len(told) == 1
    assert ".mine.training" in told[0]
    assert watched.adapter.manifest.digest == alone.adapter.manifest.digest


def test_another_recipe_does_not_continue_an_interrupted_run(
    fit: Callable[..., TrainResult], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit("cut", on_progress=Interrupt(step=5))
    with pytest.raises(RecipeError, match=r"is of another recipe, seed, base or training data"):
        fit("cut", "lora.r=3")
    assert not (tmp_path / "cut").exists()


def test_what_a_killed_run_left_is_no_part_of_another_ones_adapter(
    fit: Callable[..., TrainResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """N-grams and hashes are no part of the weights, so that the checkpoint is gone on with."""

    def interrupt(_made: Path, _target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("drugmon.workflows.train.train.move_into_place", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fit("cut")
    less = {"hashes": False}
    resumed = fit("cut", "lexical.enabled=false", **less)
    whole = fit("whole", "lexical.enabled=false", **less)
    assert resumed.adapter.manifest.digest == whole.adapter.manifest.digest
    assert resumed.qualities == whole.qualities
    left = {LEXICON, SEEN, HELD_OUT} & {path.name for path in resumed.adapter.folder.iterdir()}
    assert left == set()


def test_existing_folder_is_never_overwritten(
    fit: Callable[..., TrainResult], tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(SinkError, match=r"mine exists: an adapter is never overwritten; name"):
        fit("mine")
    assert list((tmp_path / "mine").iterdir()) == []


def test_unknown_recipe_key_lists_the_valid_ones(fit: Callable[..., TrainResult]) -> None:
    with pytest.raises(RecipeError, match=r"no key 'rank'; valid keys: r, alpha, dropout, target_"):
        fit("mine", "lora.rank=8")


@pytest.mark.parametrize("rating", ["11", "abc", "0", "10.5"])
def test_wrong_rating_is_named_with_its_place(
    fit: Callable[..., TrainResult], rows: list[dict[str, str]], tmp_path: Path, rating: str
) -> None:
    rows[16]["rating"] = rating
    told = "a value of 3 characters" if rating == "abc" else re.escape(repr(rating))
    source = write(tmp_path / "wrong.csv", rows)
    with pytest.raises(
        TrainingDataError,
        match=rf"wrong\.csv, row 17, column 'rating': {told} is no rating from 1 to 10; give",
    ):
        fit("mine", source=source)


def test_refit_learns_from_every_review(fit: Callable[..., TrainResult]) -> None:
    plain, refit = fit("plain"), fit("refit", "split.refit=true")
    notes = refit.adapter.manifest.training
    assert notes is not None
    assert (notes.rows_measured, notes.rows_kept) == (48, 120)
    both, dev = (each.adapter.manifest.calibrations() for each in (refit, plain))
    assert both != dev, "without a refit, nothing that is kept saw the test split"
    assert refit.qualities == plain.qualities, "the measured model is the same"
    names = ("adapter_model.safetensors", HEADS, LEXICON)
    plain_files, refit_files = (each.adapter.manifest.files for each in (plain, refit))
    assert all(plain_files[name] != refit_files[name] for name in names)


def test_rating_alone_teaches_comments_and_overall(
    fit: Callable[..., TrainResult], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    source = write(tmp_path / "ratings.csv", rows, RATING_ONLY)
    made: Adapter = fit("mine", source=source, columns={"comments": "commentsReview"}).adapter
    assert made.manifest.targets == ("comments", "overall")
    card = (made.folder / CARD).read_text(encoding="utf-8")
    assert "--column comments=commentsReview" in card, "the command trains the same again"


def test_evaluation_source_is_what_is_measured(
    fit: Callable[..., TrainResult], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    """It has fewer graded columns than the training reviews, which is no failure."""
    other = write(tmp_path / "other.csv", rows[:30], RATING_ONLY)
    result = fit("mine", eval_source=str(other))
    assert result.measured_on == "the evaluation source"
    assert set(result.qualities) == {"comments", "overall"}
    assert result.qualities["overall"].n == 30
    calibration = result.adapter.manifest.calibration
    assert calibration["benefits"]["ece_after"] is None
    error = calibration["overall"]["ece_after"]
    assert isinstance(error, float) and 0 <= error <= 1
    result.adapter.verify()


def test_copies_of_the_evaluation_source_are_not_learned_from(
    fit: Callable[..., TrainResult], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    copies = [{**row, "benefitsReview": row["benefitsReview"].upper() + "!"} for row in rows[:30]]
    told: list[str] = []
    other = write(tmp_path / "other.csv", copies)
    made = fit("mine", "split.refit=true", eval_source=str(other), warn=told.append).adapter
    assert told == ["30 target reviews are left out: they are copies of reviews of --eval"]
    assert made.manifest.data is not None
    assert (made.manifest.data.rows, made.manifest.data.sources[0].left_out) == (90, 30)
    assert len((made.folder / SEEN).read_text(encoding="ascii").split()) == 90


def test_training_reviews_are_no_evaluation_source(
    fit: Callable[..., TrainResult], labelled: Path
) -> None:
    with pytest.raises(
        TrainingDataError, match="all reviews to learn from are copies of those tha"
    ):
        fit("mine", eval_source=str(labelled))


@pytest.mark.parametrize("split", ["split.refit=true", "split.folds=2"])
def test_the_evaluation_source_calibrates_nothing_that_is_kept(
    fit: Callable[..., TrainResult], rows: list[dict[str, str]], tmp_path: Path, split: str
) -> None:
    """Turned round, its ratings move its figures alone."""
    new = [{**row, "commentsReview": f"new {number}"} for number, row in enumerate(rows[:60])]
    turned = [{**row, "rating": str(11 - int(row["rating"]))} for row in new]
    made = [
        fit(name, split, eval_source=str(write(tmp_path / f"{name}.csv", reviews)))
        for name, reviews in (("true", new), ("turned", turned))
    ]
    assert made[0].qualities["overall"] != made[1].qualities["overall"]
    first, second = (result.adapter.manifest for result in made)
    assert first.calibrations() == second.calibrations()
    assert first.digest == second.digest
    assert first.files[HELD_OUT] == second.files[HELD_OUT], "no cascade is fitted to it either"


def test_without_a_test_split_dev_measures_and_it_is_said(
    fit: Callable[..., TrainResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = fit("mine", "split.test=0")
    name = "dev, which also chose the epoch and fitted the calibration: optimistic"
    assert result.measured_on == name
    assert result.adapter.manifest.training is not None
    assert result.adapter.manifest.training.measured_on == name
    assert f"Measured on {name}." in result.adapter.card
    monkeypatch.setattr(measure, "_FEWEST_OF_DEV", 10)
    parted = fit("parted", "split.test=0")
    name = "dev, which also chose the epoch: optimistic; calibrated by its other fifths"
    assert parted.measured_on == name
    assert parted.qualities["overall"].n == result.qualities["overall"].n == 36
    assert set(HeldOutEvidence.load(parted.adapter.folder).fold) == {0}, "one model judged it"


def test_target_that_a_side_lacks_is_named(
    fit: Callable[..., TrainResult], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    for row in rows[1:]:
        row["effectiveness"] = ""
    source = write(tmp_path / "few.csv", rows)
    with pytest.raises(TrainingDataError, match=r"none of the 1 labels of benefits fell to "):
        fit("mine", source=source)


def test_one_label_only_can_be_learned(
    fit: Callable[..., TrainResult], rows: list[dict[str, str]], tmp_path: Path
) -> None:
    for row in rows:
        row["sideEffects"] = "No Side Effects"
    source = write(tmp_path / "same.csv", rows)
    result = fit("mine", source=source)
    assert result.qualities["side_effects"].accuracy.value == 1


def test_balanced_and_without_the_lexical_model(fit: Callable[..., TrainResult]) -> None:
    made = fit("mine", "lexical.enabled=false", "balance.strategy=oversample").adapter
    assert LEXICON not in made.manifest.files
    assert not (made.folder / LEXICON).exists()
    assert made.manifest.calibration["overall"]["lexical_weight"] == 0


def test_hashes_of_the_reviews_are_told_of_and_can_be_left_out(
    fit: Callable[..., TrainResult],
) -> None:
    kept, left_out = fit("kept").adapter, fit("left_out", hashes=False).adapter
    cards = [(each.folder / CARD).read_text(encoding="utf-8") for each in (kept, left_out)]
    assert len((kept.folder / SEEN).read_text(encoding="ascii").split()) == 48
    assert f"`{SEEN}` has a short hash of every review" in cards[0]
    assert not (left_out.folder / SEEN).exists()
    assert SEEN not in cards[1]
    held_out = HeldOutEvidence.load(kept.folder)
    assert f"`{HELD_OUT}` has a hash of every review" in cards[0]
    assert len(held_out) == 2 * kept.manifest.metrics["overall"].n, "dev and test"
    assert set(held_out.evidence.model) == set(held_out.labels) == set(TARGETS)
    assert not (left_out.folder / HELD_OUT).exists()
    assert HELD_OUT not in cards[1]
    assert "--no-hashes" in cards[1]
    assert left_out.manifest.digest == kept.manifest.digest, "they decide no verdict"


def test_data_card_reaches_manifest_and_card(
    fit: Callable[..., TrainResult], tmp_path: Path
) -> None:
    data_card = tmp_path / "data.toml"
    data_card.write_text('name = "Invented"\nlicence = "CC0-1.0"\n', encoding="utf-8")
    result = fit("mine", "decision.rule=likeliest", data_card=data_card)
    made = result.adapter
    assert result.qualities == made.manifest.metrics_likeliest, "the figures of what it decides by"
    assert "this adapter goes by `likeliest`" in (made.folder / CARD).read_text(encoding="utf-8")
    assert made.manifest.rule == open_adapter(str(made.folder)).manifest.rule == "likeliest"
    assert made.manifest.data is not None
    assert made.manifest.data.name == "Invented"
    assert "CC0-1.0" in (made.folder / CARD).read_text(encoding="utf-8")
    assert json.loads((made.folder / MANIFEST).read_text(encoding="utf-8"))["digest"]
