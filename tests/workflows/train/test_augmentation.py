"""What augmentation and the losses for rare labels do to a whole training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drugmon.config import EngineConfig
from drugmon.errors import RecipeError
from drugmon.models.bases.bases import resolve_base
from drugmon.training.loop.trainer import Trainer
from drugmon.training.recipe import load_recipe
from drugmon.training.reviews.augment import augmented
from drugmon.training.reviews.dataset import LabelledReviews, read_labelled
from drugmon.training.reviews.examples import Examples
from drugmon.workflows.train import fit as module
from drugmon.workflows.train.fit import Fit
from drugmon.workflows.train.fitted import Fitted

CPU = EngineConfig(device="cpu", dtype="fp32", threads=1)
SETTINGS = ("model.max_length=64", "train.epochs=1", "lexical.enabled=false", "lora.r=2")


@pytest.fixture(name="reviews")
def _reviews(labelled: Path) -> LabelledReviews:
    """78 reviews, of which only 8 are neutral."""
    reviews = read_labelled(str(labelled), load_recipe("minilm").grading)
    neutral = np.flatnonzero(reviews.strata == 1)
    return reviews.take(np.setdiff1d(np.arange(len(reviews)), neutral[8:]))


def fit(work: Path, reviews: LabelledReviews, recipe: str, *settings: str) -> Fitted:
    loaded = load_recipe(recipe, (*SETTINGS, *settings))
    made = Fit(loaded, resolve_base(loaded.base.name), reviews, work, CPU, lambda *_: None)
    rows = np.arange(len(reviews))
    return made.run("measured", rows[rows % 4 != 0], rows[rows % 4 == 0])


@pytest.mark.parametrize(
    ("recipe", "base", "method"),
    [
        ("minilm", "tiny-base", "mask"),
        ("flan-t5-lora-qvo", "tiny-t5", "mask"),
        ("flan-t5-lora-qvo", "tiny-t5", "paraphrase"),
    ],
)
def test_copies_reach_training_and_nothing_else(
    models: Path,
    tmp_path: Path,
    reviews: LabelledReviews,
    monkeypatch: pytest.MonkeyPatch,
    recipe: str,
    base: str,
    method: str,
) -> None:
    assert models.is_dir()
    seen: dict[str, Any] = {}

    def watched(own: LabelledReviews, *rest: Any) -> LabelledReviews:
        copies = augmented(own, *rest)
        seen["given"], seen["copies"] = own, copies
        return copies

    def watched_trainer(model: Any, train: Examples, dev: Examples, *rest: Any, **more: Any) -> Any:
        seen["train"], seen["dev"] = train, dev
        return Trainer(model, train, dev, *rest, **more)

    monkeypatch.setattr(module, "augmented", watched)
    monkeypatch.setattr(module, "Trainer", watched_trainer)
    settings = (f"base.name={base}", f"augment.method={method}", "augment.per_class=20")
    fitted = fit(tmp_path, reviews, recipe, *settings, "balance.strategy=none")
    rows = np.arange(len(reviews))
    assert list(seen["given"].texts) == [reviews.texts[row] for row in rows[rows % 4 != 0]]
    assert len(seen["dev"]) == np.sum(rows % 4 == 0)
    copies = len(seen["copies"])
    assert copies > 5
    assert set(seen["copies"].labels["overall"]) == {1}
    assert len(seen["train"]) == np.sum(rows % 4 != 0) + copies == fitted.record.examples
    before, after = (fitted.record.label_counts[when]["overall"] for when in ("before", "after"))
    assert after == [before[0], before[1] + copies, before[2]]


def test_copies_are_the_same_for_a_seed_and_change_the_model(
    models: Path, tmp_path: Path, reviews: LabelledReviews
) -> None:
    assert models.is_dir()
    settings = ("base.name=tiny-base", "augment.method=mask")
    first, again = (fit(tmp_path / name, reviews, "minilm", *settings) for name in "ab")
    other = fit(tmp_path / "c", reviews, "minilm", settings[0])
    assert first.record.outcome == again.record.outcome
    assert first.record.outcome != other.record.outcome


def test_paraphrases_need_a_base_that_writes(
    models: Path, tmp_path: Path, reviews: LabelledReviews
) -> None:
    assert models.is_dir()
    with pytest.raises(RecipeError, match="needs a seq2seq base, and tiny-base cannot write"):
        fit(tmp_path, reviews, "minilm", "base.name=tiny-base", "augment.method=paraphrase")
