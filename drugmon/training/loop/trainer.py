"""The training loop: batch by batch, early stopping on dev, resumable wherever it was killed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from drugmon.errors import RecipeError
from drugmon.models.device import release_freed_memory
from drugmon.training.loop.checkpoint import (
    Checkpoint,
    flatten,
    nested,
    random_tensors,
    restore_random,
)
from drugmon.training.loop.loss import review_loss
from drugmon.training.loop.micro import MicroBatches
from drugmon.training.loop.optimizer import Optimizer
from drugmon.training.loop.progress import Epoch, Outcome, Position, Progress
from drugmon.training.loop.validation import Trainable, device_of, macro_f1, predict
from drugmon.training.loop.weights import Weights, copy_weights, set_weights, trained_weights
from drugmon.training.recipe import Recipe
from drugmon.training.reviews.examples import Examples, length_grouped
from drugmon.training.reviews.sampling import class_log_priors

_RELEASE_EVERY: Final = 32
"""Steps between two releases of freed memory: one costs as much as an eighth of a step."""

_REPLAY: Final = 99
"""Keeps the draws of a replay apart from those of the batches."""


def seed_everything(seed: int) -> None:
    """Seed torch on every device. Call it before the model is built: adapters start at random."""
    torch.manual_seed(seed)


@dataclass(frozen=True)
class Replay:
    """Of the rows from `first` on, every epoch takes a `share`, and another part each time."""

    first: int
    share: float

    def rows(self, rows: NDArray[np.int64], epoch: int, seed: int) -> NDArray[np.int64]:
        """Return those of `rows` (n,), ascending, that `epoch` (from 0) takes."""
        kept, pool = rows[rows < self.first], rows[rows >= self.first]
        count = round(self.share * len(pool))
        drawn = np.random.default_rng([seed, _REPLAY]).permutation(pool)
        places = range(epoch * count, (epoch + 1) * count)
        taken = np.take(drawn, places, mode="wrap") if count else pool[:0]
        return np.concatenate([kept, taken])


class Trainer:
    """Trains `model` on `train`, choosing the epoch by mean macro-F1 over the targets of `dev`.

    Without `dev` nothing is chosen: it stops after `stop_after` epochs and keeps the last one's
    weights. The learning rate falls over all epochs of the recipe either way.

    With `replay`, an epoch takes a part of the rows behind the others only.

    Only parameters that require gradients are trained and kept. A batch that the memory does not
    hold at once goes through in parts, see `MicroBatches`; `warn` is told so. Batches follow from
    seed and epoch alone and all other state is in the checkpoint, so a run that was killed and
    started again ends where an uninterrupted one does.
    """

    def __init__(
        self,
        model: Trainable,
        train: Examples,
        dev: Examples | None,
        recipe: Recipe,
        *,
        stop_after: int | None = None,
        class_weights: Mapping[str, NDArray[np.float32]],
        replay: Replay | None = None,
        checkpoint: Checkpoint | None = None,
        progress: Callable[[Progress], None] | None = None,
        warn: Callable[[str], None] = lambda _warning: None,
    ) -> None:
        self._model, self._train, self._dev, self._recipe = model, train, dev, recipe
        self._epochs = stop_after or recipe.train.epochs
        self._checkpoint, self._progress = checkpoint, progress
        self._device = device_of(model)
        self._class_weights = {
            target: torch.from_numpy(weights).to(self._device)
            for target, weights in class_weights.items()
        }
        self._rows, self._lengths, self._replay = train.teaching(), train.lengths, replay
        self._taught = {target: train.taught(target) for target in train.labels}
        first = {
            target: target_labels[self._rows_of(0)]
            for target, target_labels in train.labels.items()
        }
        self._log_priors = {
            target: torch.from_numpy(priors).to(self._device)
            for target, priors in class_log_priors(first).items()
        }
        self._micro = MicroBatches(self._lengths, recipe.train.micro_tokens, self._device, warn)
        self._steps_per_epoch = math.ceil(len(self._rows_of(0)) / recipe.train.batch_size)
        self._steps = self._steps_per_epoch * recipe.train.epochs
        self._parameters = trained_weights(model)
        self._optimizer = Optimizer(self._parameters, recipe.train, self._steps)
        self._position = Position()
        self._best: Weights = {}
        self._since = time.monotonic()

    def run(self) -> Outcome:
        """Train to the end and leave the best epoch's weights in the model. Call it once.

        Raises:
            RecipeError: the loss is no longer a number, or the checkpoint is of another run.
            SinkError: the checkpoint cannot be written.
        """
        settings = self._recipe.train
        torch.manual_seed(settings.seed)
        self._resume()
        self._since = time.monotonic()
        while not self._position.finished(self._epochs, settings.patience):
            self._run_epoch()
        set_weights(self._parameters, self._best)
        self._count_seconds()
        return Outcome(tuple(self._position.epochs), self._position.best, self._position.seconds)

    def _run_epoch(self) -> None:
        settings, position, began = self._recipe.train, self._position, time.monotonic()
        rng = np.random.default_rng([settings.seed, len(position.epochs)])
        rows = self._rows_of(len(position.epochs))
        batches = length_grouped(self._lengths, rows, settings.batch_size, rng)
        self._model.train(True)
        first = position.step
        for rows in batches[first:]:
            loss = self._take_step(rows)
            position.step, position.loss = position.step + 1, position.loss + loss
            if position.step % _RELEASE_EVERY == 0:
                release_freed_memory()
            if self._checkpoint and self._checkpoint.due():
                self._save(self._checkpoint)
            if self._progress:
                pace = (time.monotonic() - began) / (position.step - first)
                self._progress(self._report(loss, pace))
        self._end_epoch()

    def _rows_of(self, epoch: int) -> NDArray[np.int64]:
        """The rows that an epoch goes through."""
        if self._replay is None:
            return self._rows
        return self._replay.rows(self._rows, epoch, self._recipe.train.seed)

    def _take_step(self, rows: NDArray[np.int64]) -> float:
        """Learn from one batch; return its loss."""
        counts = {target: int(taught[rows].sum()) for target, taught in self._taught.items()}
        value = self._micro.run(
            rows, self._optimizer.begin, lambda part: self._differentiate(part, counts)
        )
        done = self._steps_done()
        if not math.isfinite(value):
            raise RecipeError(
                f"recipe {self._recipe.name}: the loss is {value} at step {done + 1}; lower "
                f"train.learning_rate (now {self._recipe.train.learning_rate:g})"
            )
        self._optimizer.step(done)
        return value

    def _differentiate(self, rows: NDArray[np.int64], counts: Mapping[str, int]) -> float:
        """Add the gradients of part of a batch that `counts` reviews teach; return its loss."""
        words = self._train.words
        loss = review_loss(
            self._train.batch(rows).to(self._device).logits(self._model),
            self._on_device(self._train.levels, rows),
            self._on_device(self._train.labels, rows),
            label_log_probs=self._model.label_log_probs,
            class_weights=self._class_weights,
            log_priors=self._log_priors,
            loss=self._recipe.loss,
            counts=counts,
            weights=torch.from_numpy(self._train.weights[rows]).to(self._device),
            words=self._on_device(words, rows) if words else None,
            teacher=self._recipe.teacher,
        )
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    def _end_epoch(self) -> None:
        """Measure dev, keep the weights if they are the best so far, and begin the next epoch."""
        position = self._position
        scores = macro_f1(predict(self._model, self._dev), self._dev.labels) if self._dev else {}
        mean = float(np.mean(list(scores.values()))) if scores else None
        position.epochs.append(Epoch(position.loss / self._steps_per_epoch, scores, mean))
        position.step, position.loss = 0, 0.0
        if position.best == len(position.epochs) - 1:
            self._best = copy_weights(self._parameters)
        if self._checkpoint:
            self._save(self._checkpoint)

    def _steps_done(self) -> int:
        return len(self._position.epochs) * self._steps_per_epoch + self._position.step

    def _on_device(
        self, arrays: Mapping[str, NDArray[Any]], rows: NDArray[np.int64]
    ) -> dict[str, Tensor]:
        return {t: torch.from_numpy(values[rows]).to(self._device) for t, values in arrays.items()}

    def _report(self, loss: float, pace: float) -> Progress:
        done, epochs = self._steps_done(), self._position.epochs
        steps = self._steps_per_epoch * self._epochs
        dev = epochs[-1].mean_macro_f1 if epochs else None
        return Progress(done, steps, loss, dev, (steps - done) * pace)

    def _count_seconds(self) -> None:
        now = time.monotonic()
        self._position.seconds += now - self._since
        self._since = now

    def _save(self, checkpoint: Checkpoint) -> None:
        self._count_seconds()
        tensors = {
            **flatten("model", self._parameters),
            **flatten("best", self._best),
            **flatten("optimizer", self._optimizer.tensors()),
            **flatten("random", random_tensors(self._device)),
        }
        checkpoint.save(tensors, self._position.to_json())

    def _resume(self) -> None:
        saved = self._checkpoint.load() if self._checkpoint else None
        if saved is None:
            return
        tensors, position = saved
        self._position, self._best = Position.of_json(position), nested("best", tensors)
        set_weights(self._parameters, nested("model", tensors))
        self._optimizer.restore(nested("optimizer", tensors))
        restore_random(nested("random", tensors), self._device)
