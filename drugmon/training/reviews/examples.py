"""Examples: encoded reviews with what they teach, and the batches that a training epoch takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from drugmon.labels import LABELS
from drugmon.models.classifiers.classifier import Batch
from drugmon.models.tokens.prepared import Prepared

Array = NDArray[np.int64]

Words: TypeAlias = Mapping[str, NDArray[np.float32]]
"""What a teacher says: per target probabilities (n, 3), NaN where it says nothing."""

_POOL: Final = 20
"""Batches are cut from pools of this many, sorted by length: little padding, and still random."""


@dataclass(frozen=True)
class ReviewBatch:
    """Padded items, and per target (b,), int64, which of them judges each of `b` reviews."""

    items: Batch
    places: Mapping[str, torch.Tensor]

    def to(self, device: torch.device) -> ReviewBatch:
        """Return the same batch on `device`."""
        places = {target: rows.to(device) for target, rows in self.places.items()}
        return ReviewBatch(self.items.to(device), places)

    def logits(
        self, model: Callable[[Batch], Mapping[str, torch.Tensor]]
    ) -> dict[str, torch.Tensor]:
        """Return the level logits (b, levels) that `model` gives each review.

        They mean nothing where a target has no item; such a row has no label either.
        """
        by_item = model(self.items)
        return {target: by_item[target][items] for target, items in self.places.items()}


@dataclass(frozen=True)
class Examples:
    """`n` prepared reviews; of each target `levels` and `labels` (n,), int64, -1 where missing.

    `collate` pads the items of `prepared`, whose places are those of the same targets. The loss of
    each is multiplied by its `weights`, float32 (n,). `words` are a teacher's probabilities per
    target, float32 (n, 3), NaN where it says nothing; None: there is no teacher.
    """

    prepared: Prepared
    collate: Callable[[Sequence[Any]], Batch]
    levels: Mapping[str, Array]
    labels: Mapping[str, Array]
    weights: NDArray[np.float32]
    words: Words | None = None

    def __len__(self) -> int:
        return len(self.prepared)

    @property
    def lengths(self) -> Array:
        """Tokens of each review's longest item (n,)."""
        return self.prepared.review_lengths()

    def taught(self, target: str) -> NDArray[np.bool_]:
        """Tell which examples teach `target` (n,): by a label, or by a teacher's word."""
        labelled = self.labels[target] >= 0
        return labelled | has_word(self.words[target]) if self.words else labelled

    def has_words(self) -> NDArray[np.bool_]:
        """Tell of which examples a teacher says something on a target (n,)."""
        said = [has_word(words) for words in (self.words or {}).values()]
        return np.any(said, axis=0) if said else np.zeros(len(self), dtype=bool)

    def teaching(self) -> Array:
        """Return the rows that teach at least one target, ascending."""
        return np.flatnonzero(np.any([self.taught(target) for target in self.labels], axis=0))

    def take(self, rows: Array) -> Examples:
        """Return the examples at `rows`, which may repeat; their items are shared."""
        return Examples(
            self.prepared.take(rows),
            self.collate,
            {target: levels[rows] for target, levels in self.levels.items()},
            {target: labels[rows] for target, labels in self.labels.items()},
            self.weights[rows],
            {t: words[rows] for t, words in self.words.items()} if self.words else None,
        )

    def weighing(self, factor: float) -> Examples:
        """Return the same examples, their weights multiplied by `factor`."""
        return replace(self, weights=self.weights * np.float32(factor))

    def joined(self, others: Examples) -> Examples:
        """Return these examples and `others`, which have the same targets, after them."""
        return Examples(
            self.prepared.joined(others.prepared),
            self.collate,
            {
                t: np.concatenate([target_levels, others.levels[t]])
                for t, target_levels in self.levels.items()
            },
            {
                t: np.concatenate([target_labels, others.labels[t]])
                for t, target_labels in self.labels.items()
            },
            np.concatenate([self.weights, others.weights]),
            joined_words(self.words, len(self), others.words, len(others)),
        )

    def batch(self, rows: Array) -> ReviewBatch:
        """Return the padded batch of `rows`."""
        taken = self.prepared.take(rows)
        places = {target: torch.from_numpy(items) for target, items in taken.places.items()}
        return ReviewBatch(self.collate(taken.items), places)


def make_examples(
    prepared: Prepared,
    collate: Callable[[Sequence[Any]], Batch],
    levels: Mapping[str, Array],
    labels: Mapping[str, Array],
    weights: NDArray[np.float32] | None = None,
    words: Words | None = None,
) -> Examples:
    """Return examples that hold no more items than what teaches needs.

    Args:
        prepared: the reviews as the model reads them.
        collate: pads its items.
        levels: per target (n,).
        labels: per target (n,); one without an item to read it from teaches nothing.
        weights: of each review's loss (n,); None for 1.
        words: a teacher's probabilities per target (n, 3), as labels; None: there is no teacher.
    """
    there = {target: prepared.places[target] >= 0 for target in labels}
    labels = {
        target: np.where(there[target], target_labels, -1)
        for target, target_labels in labels.items()
    }
    if words is not None:
        words = {t: np.where(there[t][:, None], words[t], np.float32(np.nan)) for t in labels}
    if weights is None:
        weights = np.ones(len(prepared), np.float32)
    examples = Examples(prepared, collate, levels, labels, weights, words)
    places = {t: np.where(examples.taught(t), prepared.places[t], -1) for t in labels}
    needed = Prepared(prepared.items, places, prepared.tokens)
    return replace(examples, prepared=needed.take(np.arange(len(prepared))))


def has_word(words: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell of which reviews a teacher's probabilities (n, 3) say something: bool (n,)."""
    return np.asarray(~np.isnan(words).any(axis=1), dtype=bool)


def same_words(first: Words | None, second: Words | None) -> bool:
    """Tell whether two say the same, and of the same reviews."""
    if first is None or second is None:
        return first is second
    return all(np.array_equal(words, second[t], equal_nan=True) for t, words in first.items())


def joined_words(
    first: Words | None, first_count: int, second: Words | None, second_count: int
) -> Words | None:
    """Return the words of some reviews and of others after them; None is nothing said of any.

    Args:
        first: per target (n, 3).
        first_count: n.
        second: per target (m, 3).
        second_count: m.
    """
    if first is None and second is None:
        return None
    targets = [*(first or second or {})]

    def of(words: Words | None, target: str, count: int) -> NDArray[np.float32]:
        return np.full((count, len(LABELS)), np.nan, np.float32) if words is None else words[target]

    return {
        target: np.concatenate([of(first, target, first_count), of(second, target, second_count)])
        for target in targets
    }


def length_grouped(lengths: Array, rows: Array, size: int, rng: np.random.Generator) -> list[Array]:
    """Shuffle `rows` into ceil(len(rows) / size) batches of similar `lengths`, in random order.

    Args:
        lengths: of all examples (n,).
        rows: those to shuffle (m,).
        size: of a batch.
        rng: shuffles.
    """
    shuffled = rng.permutation(rows)
    batches = []
    for start in range(0, len(shuffled), size * _POOL):
        pool = shuffled[start : start + size * _POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[cut : cut + size] for cut in range(0, len(pool), size)]
    return [batches[index] for index in rng.permutation(len(batches))]
