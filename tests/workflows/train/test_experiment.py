from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drugmon.config import EngineConfig
from drugmon.errors import RecipeError, TrainingDataError
from drugmon.models.adapters.adapter import open_adapter
from drugmon.training.recipe import load_recipe
from drugmon.training.reviews.dataset import read_labelled
from drugmon.training.trials.plan import read_plan
from drugmon.workflows.compare.compare import compare_models
from drugmon.workflows.train import experiment as module
from drugmon.workflows.train.experiment import ExperimentConfig, ExperimentResult, experiment
from drugmon.workflows.train.fit import Fit

ROOT = Path(__file__).resolve().parents[3]
CPU = EngineConfig(device="cpu", dtype="fp32", threads=1)
QUICK = (
    "model.max_length=64",
    "train.epochs=1",
    "train.batch_size=16",
    "balance.per_class=12",
    "lora.r=2",
)
STAGES = """
source = "nothing.csv"
out = "nothing"

[split]
dev = 0.3
test = 0.3

[[stage]]
title = "Zero-shot"
zero_shot = true

[[stage]]
title = "Of two trials"
recipe = "flan-t5-lora-qvo"
trials = ["lora.alpha=4", "lora.alpha=16"]

[[stage]]
title = "Broken"
recipe = "flan-t5-lora-312"
settings = ['lora.target_modules=["nothing"]']

[[stage]]
title = "Small batches"
recipe = "flan-t5-lora-all"
settings = ["train.batch_size=8"]
"""


@pytest.fixture(name="run")
def _run(labelled: Path, models: Path, tmp_path: Path) -> Callable[..., ExperimentResult]:
    """Runs the stages, or another plan, on a base: `run("tiny-t5", plan=..., on_progress=...)`."""
    assert models.is_dir()

    def run(base: str, plan: Path | None = None, **told: Any) -> ExperimentResult:
        if plan is None:
            plan = tmp_path / "plan.toml"
            plan.write_text(STAGES, encoding="utf-8")
        read = read_plan(
            plan, source=str(labelled), out=tmp_path / "out", base=base, settings=QUICK
        )
        return experiment(ExperimentConfig(read, engine=CPU), **told)

    return run


class Watch:
    """Notes what was worked on; interrupts, as ^C does, at some work's first step."""

    def __init__(self, at: tuple[str, str] = ("", "")) -> None:
        self.at = at
        self.seen: list[tuple[str, str]] = []

    def __call__(self, title: str, _done: int, _total: int, note: str) -> None:
        self.seen.append((title, note.split(",")[0].split(" ")[0]))
        if (title, note) == self.at:
            raise KeyboardInterrupt


def test_stages_are_trained_and_compared(
    run: Callable[..., ExperimentResult], tmp_path: Path
) -> None:
    warnings: list[str] = []
    result = run("tiny-t5", warn=warnings.append)
    comparison = result.comparison
    assert [stage.title for stage in comparison.stages] == [
        "Zero-shot",
        "Of two trials",
        "Small batches",
    ]
    assert list(comparison.missing) == ["Broken"]
    assert "no layers named nothing" in comparison.missing["Broken"]
    ties = "Of two trials: 2 trials tie on dev, none is the best; the first of them, 1, is trained"
    assert [warning for warning in warnings if warning != ties] == [warnings[-1]]
    assert warnings[-1].startswith("stage 'Broken' failed: ")
    assert comparison.rows == 36
    assert {stage.qualities["overall"].n for stage in comparison.stages} == {36}
    told = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert [stage["title"] for stage in told["stages"]] == [s.title for s in comparison.stages]
    assert told["missing"] == comparison.missing
    page = result.page.read_text(encoding="utf-8")
    assert "no layers named nothing" in page
    assert "Of two trials" in page


def test_what_is_done_is_skipped_and_what_failed_is_tried_again(
    run: Callable[..., ExperimentResult], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("tiny-t5", on_progress=Watch(at=("Of two trials", "trial 2 of 2")))
    first, second = Watch(), Watch()
    result = run("tiny-t5", on_progress=first)
    trained = [title for title, note in first.seen if note == "trial"]
    assert len(set(trained)) == 1, "the second trial is all that was left of them"
    warnings: list[str] = []
    again = run("tiny-t5", on_progress=second, warn=warnings.append)
    assert {note for _, note in second.seen} == {"measuring"}
    broken = [warning for warning in warnings if warning.startswith("stage 'Broken' failed: ")]
    assert len(broken) == 1, "the broken stage is tried again"
    for one, other in zip(result.comparison.stages, again.comparison.stages, strict=True):
        assert one.qualities == other.qualities
        assert one.identity == other.identity
    (tmp_path / "out" / "adapters" / "small-batches" / "manifest.json").write_text("{}")
    damaged = run("tiny-t5")
    assert "cannot read the adapter's manifest" in damaged.comparison.missing["Small batches"]


def test_a_stage_with_a_teacher_in_a_folder_is_not_another_one_the_next_time(
    run: Callable[..., ExperimentResult], adapter: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "taught.toml"
    stage = f"title = 'Taught'\nrecipe = 'minilm'\nsettings = ['teacher.adapters={adapter}']\n"
    plan.write_text(f"source = 'x'\nout = 'y'\n[[stage]]\n{stage}", encoding="utf-8")
    run("tiny-base", plan)
    again = Watch()
    assert run("tiny-base", plan, on_progress=again).comparison.missing == {}
    assert {note for _, note in again.seen} == {"measuring"}


def test_no_stage_sees_the_test_reviews(
    run: Callable[..., ExperimentResult],
    labelled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used: list[np.ndarray] = []
    original, compare = Fit.run, compare_models

    def watched(self: Fit, stage: str, train: Any, dev: Any, **more: Any) -> Any:
        used.extend([train, dev])
        return original(self, stage, train, dev, **more)

    measured: list[Any] = []

    def watched_compare(models: Any, reviews: Any, **more: Any) -> Any:
        measured.extend(reviews.texts)
        return compare(models, reviews, **more)

    monkeypatch.setattr(Fit, "run", watched)
    monkeypatch.setattr(module, "compare_models", watched_compare)
    run("tiny-t5")
    reviews = read_labelled(str(labelled), load_recipe("minilm").grading)
    seen = {reviews.texts[row] for rows in used for row in rows}
    assert len(measured) == 36
    assert not seen & set(measured)
    for folder in (tmp_path / "out" / "adapters").iterdir():
        if not folder.name.startswith("."):
            manifest = open_adapter(str(folder)).manifest
            assert manifest.recipe["split"] == {
                "dev": 0.3,
                "test": 0.3,
                "refit": False,
                "folds": 0,
            }


def test_the_shipped_plan_runs_on_an_encoder_too(run: Callable[..., ExperimentResult]) -> None:
    """All of its stages; only the encoder by itself gives no verdicts."""
    comparison = run("tiny-base", plan=ROOT / "jobs" / "experiment.toml").comparison
    assert list(comparison.missing) == ["Zero-shot"]
    assert len(comparison.stages) == 9
    for stage in comparison.stages:
        assert set(stage.qualities) == {"benefits", "side_effects", "comments", "overall"}
        assert stage.training is not None
        assert (stage.training.share == 1) == stage.title.startswith("Full")


def test_no_stage_with_a_model_is_an_error(
    run: Callable[..., ExperimentResult], tmp_path: Path
) -> None:
    plan = tmp_path / "broken.toml"
    head, *_, broken, _ = STAGES.split("[[stage]]")
    plan.write_text(f"{head}[[stage]]{broken}", encoding="utf-8")
    with pytest.raises(TrainingDataError, match="no stage has a model to compare; Broken: the ba"):
        run("tiny-t5", plan=plan)


def test_stages_that_label_differently_are_refused(
    run: Callable[..., ExperimentResult], tmp_path: Path
) -> None:
    """The split is stratified by labels: another one holds out other reviews."""
    plan = tmp_path / "labels.toml"
    other = STAGES.replace("train.batch_size=8", "labels.rating.7=neutral")
    plan.write_text(other, encoding="utf-8")
    with pytest.raises(RecipeError, match="stages 'Of two trials' and 'Small batches' map grades"):
        run("tiny-t5", plan=plan)
    assert not (tmp_path / "out").exists()
