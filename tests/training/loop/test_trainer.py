from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from drugmon.errors import RecipeError
from drugmon.training.loop.checkpoint import Checkpoint, run_key
from drugmon.training.loop.progress import Outcome, Progress
from drugmon.training.loop.trainer import Trainer
from drugmon.training.loop.validation import macro_f1, predict
from drugmon.training.recipe import BalanceSection, Recipe, Train
from drugmon.training.reviews.examples import Examples
from drugmon.training.reviews.sampling import class_weights

Build = Callable[[int, int], Examples]
Model = Callable[[], Any]

RECIPE = Recipe(
    "tiny",
    train=Train(epochs=3, batch_size=8, learning_rate=0.02, head_learning_rate=0.02, patience=3),
)
STEPS = 3 * 8  # of the 64 reviews of `fit`


def fit(model: Any, examples: Build, recipe: Recipe = RECIPE, **more: Any) -> Outcome:
    train, dev = examples(64, 0), examples(40, 1)
    weights = class_weights(train.labels, recipe.balance)
    return Trainer(model, train, dev, recipe, class_weights=weights, **more).run()


def weights_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_it_learns_what_can_be_learnt(tiny_model: Model, examples: Build) -> None:
    longer = replace(RECIPE, train=replace(RECIPE.train, epochs=12, patience=12))
    outcome = fit(tiny_model(), examples, longer)
    assert outcome.epochs[-1].loss < 0.7 * outcome.epochs[0].loss
    assert (outcome.epochs[outcome.best].mean_macro_f1 or 0) > 0.8
    assert set(outcome.epochs[0].macro_f1) == {"benefits", "overall"}


def test_only_what_requires_gradients_changes(tiny_model: Model, examples: Build) -> None:
    model = tiny_model()
    before = weights_of(model)
    fit(model, examples)
    changed = {
        name for name, old in before.items() if not torch.equal(old, model.state_dict()[name])
    }
    assert changed == set(before) - {"frozen.weight"}


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    tiny_model: Model, examples: Build
) -> None:
    other = replace(RECIPE, train=replace(RECIPE.train, seed=1))
    models = [tiny_model() for _ in range(3)]
    outcomes = [
        fit(model, examples, recipe)
        for model, recipe in zip(models, (RECIPE, RECIPE, other), strict=True)
    ]
    assert outcomes[0] == outcomes[1] != outcomes[2]
    first, second, third = (weights_of(model)["embedding.weight"] for model in models)
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


class InterruptedRunError(Exception):
    pass


@pytest.mark.parametrize("interrupted_at", [5, 8, 9])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    tmp_path: Path, tiny_model: Model, examples: Build, interrupted_at: int
) -> None:
    whole = tiny_model()
    expected = fit(whole, examples)

    def interrupt(progress: Progress) -> None:
        if progress.step == interrupted_at:
            raise InterruptedRunError

    path, key = tmp_path / "checkpoint.safetensors", run_key(RECIPE)
    with pytest.raises(InterruptedRunError):
        fit(
            tiny_model(),
            examples,
            checkpoint=Checkpoint(path, key, every_seconds=0),
            progress=interrupt,
        )
    torch.manual_seed(99)  # a fresh process draws other numbers
    resumed, steps = tiny_model(), list[int]()
    outcome = fit(
        resumed,
        examples,
        checkpoint=Checkpoint(path, key),
        progress=lambda progress: steps.append(progress.step),
    )
    assert steps == list(range(interrupted_at + 1, STEPS + 1))
    assert outcome == expected
    assert all(
        torch.equal(tensor, weights_of(resumed)[name]) for name, tensor in weights_of(whole).items()
    )


KILLED = """
import os, runpy, signal, sys
from pathlib import Path
tests = Path(sys.argv[1])
tiny = runpy.run_path(str(tests.parent / "conftest.py"))
run = runpy.run_path(str(tests / "test_trainer.py"))
import torch
torch.manual_seed(7)
torch.set_num_threads(1)

def kill(progress):
    if progress.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)

checkpoint = run["Checkpoint"](Path(sys.argv[2]), run["run_key"](run["RECIPE"]), 0)
run["fit"](tiny["TinyModel"](), tiny["make_examples"], checkpoint=checkpoint, progress=kill)
"""


def test_a_killed_process_leaves_a_checkpoint_that_continues(
    tmp_path: Path, tiny_model: Model, examples: Build
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    child = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    killed = subprocess.run(child, env=environment, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    seen: list[Progress] = []
    checkpoint = Checkpoint(path, run_key(RECIPE))
    outcome = fit(tiny_model(), examples, checkpoint=checkpoint, progress=seen.append)
    assert seen[0].step == 6
    assert outcome == fit(tiny_model(), examples)


def test_a_finished_run_is_not_run_again(
    tmp_path: Path, tiny_model: Model, examples: Build
) -> None:
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", "key")
    first = fit(tiny_model(), examples, checkpoint=checkpoint)

    def fail(_: Progress) -> None:
        pytest.fail("it took a step")

    model = tiny_model()
    again = fit(model, examples, checkpoint=checkpoint, progress=fail)
    assert again == first
    assert again.seconds > first.seconds / 2 > 0, "the time of the process before counts"


def test_it_stops_early_and_keeps_the_best_epoch(tiny_model: Model, examples: Build) -> None:
    # Rates this high spoil the model after its first epochs.
    wild = Train(epochs=30, batch_size=8, learning_rate=1.0, head_learning_rate=1.0, patience=2)
    model = tiny_model()
    outcome = fit(model, examples, replace(RECIPE, train=wild))
    assert len(outcome.epochs) == outcome.best + 3 < 30
    best = max(epoch.mean_macro_f1 or 0 for epoch in outcome.epochs)
    assert outcome.epochs[outcome.best].mean_macro_f1 == best
    dev = examples(40, 1)
    kept = macro_f1(predict(model, dev), dev.labels)
    assert kept == outcome.epochs[outcome.best].macro_f1


def test_progress_tells_where_it_is(tiny_model: Model, examples: Build) -> None:
    seen: list[Progress] = []
    outcome = fit(tiny_model(), examples, progress=seen.append)
    assert [progress.step for progress in seen] == list(range(1, STEPS + 1))
    assert {progress.steps for progress in seen} == {STEPS}
    assert seen[0].dev_macro_f1 is None
    assert seen[-1].dev_macro_f1 == outcome.epochs[1].mean_macro_f1
    assert seen[0].seconds_left > 0 == seen[-1].seconds_left
    assert np.mean([progress.loss or 0 for progress in seen[:8]]) == pytest.approx(
        outcome.epochs[0].loss
    )


def test_class_weights_move_the_predictions(tiny_model: Model, examples: Build) -> None:
    plain = fit(tiny_model(), examples)
    weighted = fit(tiny_model(), examples, replace(RECIPE, balance=BalanceSection("weights")))
    assert plain.epochs[0].loss != weighted.epochs[0].loss


def test_micro_batches_give_what_whole_batches_do(tiny_model: Model, examples: Build) -> None:
    def still() -> Any:  # dropout would be drawn differently
        model = tiny_model()
        model.dropout.p = 0.0
        return model

    small = replace(RECIPE, train=replace(RECIPE.train, micro_tokens=20))
    models = [still(), still()]
    outcomes = [fit(m, examples, r) for m, r in zip(models, (RECIPE, small), strict=True)]
    for whole, parts in zip(*(outcome.epochs for outcome in outcomes), strict=True):
        assert parts.loss == pytest.approx(whole.loss, rel=1e-4)
    first, second = (weights_of(model)["embedding.weight"] for model in models)
    assert torch.allclose(first, second, atol=1e-4)


def test_running_out_of_memory_changes_neither_batches_nor_weights(
    tiny_model: Model, examples: Build
) -> None:
    said: list[str] = []

    class Tight(type(tiny_model())):  # type: ignore[misc]
        def forward(self, batch: Any) -> Any:
            if self.training and len(batch.ids) > 3:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            return super().forward(batch)

    torch.manual_seed(7)
    tight, free = Tight(), tiny_model()
    tight.dropout.p = free.dropout.p = 0.0
    fit(tight, examples, warn=said.append)
    fit(free, examples)
    assert torch.allclose(
        weights_of(tight)["embedding.weight"], weights_of(free)["embedding.weight"], atol=1e-4
    )
    assert len(said) == 1


def test_a_loss_that_is_no_number_ends_the_run(tiny_model: Model, examples: Build) -> None:
    model = tiny_model()
    with torch.no_grad():
        model.embedding.weight.fill_(float("nan"))
    with pytest.raises(RecipeError, match=r"tiny: the loss is nan at step 1; lower train\.learn"):
        fit(model, examples)


@pytest.mark.parametrize("setting", [{"focal_gamma": 2.0}, {"logit_adjustment": 1.0}])
def test_losses_for_rare_labels_reach_the_training(
    tiny_model: Model, examples: Build, setting: dict[str, float]
) -> None:
    plain = fit(tiny_model(), examples)
    shaped = fit(tiny_model(), examples, replace(RECIPE, loss=replace(RECIPE.loss, **setting)))
    assert plain.epochs[0].loss != shaped.epochs[0].loss


def test_it_learns_from_a_teacher_alone(tiny_model: Model, examples: Build) -> None:
    train, dev = examples(64, 0), examples(40, 1)
    words = {t: np.full((64, 3), 0.02, np.float32) for t in train.labels}
    for target, own in words.items():
        rows = np.flatnonzero(train.labels[target] >= 0)
        own[rows, train.labels[target][rows]] = 0.96
        own[train.labels[target] < 0] = np.nan
    none = {target: np.full(64, -1) for target in train.labels}
    alone = replace(train, levels=none, labels=none, words=words)
    recipe = replace(RECIPE, train=replace(RECIPE.train, epochs=12, patience=12))
    model = tiny_model()
    outcome = Trainer(
        model, alone, dev, recipe, class_weights=class_weights(none, BalanceSection("weights"))
    ).run()
    assert outcome.epochs[-1].loss < 0.7 * outcome.epochs[0].loss
    assert (outcome.epochs[outcome.best].mean_macro_f1 or 0) > 0.7
