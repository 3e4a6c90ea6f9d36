"""Reviews made ready for a model: the items that go through it, and whose verdicts they give.

An item is one sequence of tokens. An encoder reads a whole review as one item and judges all of its
targets; a seq2seq base reads a prompt for each. Equal prompts are one item: computed once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Value = TypeVar("Value", bound=np.generic)

Aspects = Sequence[Sequence[int]]
"""The token ids of one review's three aspects, whole: n-grams need no truncation."""


@dataclass(frozen=True)
class Prepared:
    """`n` reviews.

    The length of an item is its number of tokens. `places` per target (n,): which item judges it,
    -1 where there is nothing to judge. `tokens` are the whole texts' for the lexical model, empty
    where it has read them.
    """

    items: Sequence[Any]
    places: Mapping[str, Rows]
    tokens: Sequence[Aspects]

    def __len__(self) -> int:
        return len(next(iter(self.places.values())))

    @property
    def lengths(self) -> list[int]:
        """Tokens of each item."""
        return [len(item) for item in self.items]

    def review_lengths(self) -> Rows:
        """Tokens of each review's longest item (n,), 0 where it has none."""
        lengths = np.array([*self.lengths, 0], np.int64)
        longest: Rows = np.stack([lengths[rows] for rows in self.places.values()]).max(axis=0)
        return longest

    def take(self, rows: npt.NDArray[np.integer]) -> Prepared:
        """The reviews at `rows` (k,), which may repeat, with their items, in order of first use."""
        places = {target: items[rows] for target, items in self.places.items()}
        by_review = np.stack(list(places.values()), axis=1).ravel()
        used, first = np.unique(by_review[by_review >= 0], return_index=True)
        used = used[np.argsort(first)]
        renumbered = np.full(len(self.items) + 1, -1, np.int64)  # place -1 takes the last entry
        renumbered[used] = np.arange(len(used))
        return Prepared(
            [self.items[item] for item in used],
            {target: renumbered[items] for target, items in places.items()},
            [self.tokens[row] for row in rows],
        )

    def joined(self, others: Prepared) -> Prepared:
        """These reviews and `others` after them, with the targets of both."""
        first = len(self.items)
        moved = {t: np.where(items < 0, -1, items + first) for t, items in others.places.items()}
        lacking = [np.full(len(prepared), -1, np.int64) for prepared in (self, others)]
        places = {
            target: np.concatenate(
                [self.places.get(target, lacking[0]), moved.get(target, lacking[1])]
            )
            for target in {**self.places, **moved}
        }
        return Prepared([*self.items, *others.items], places, [*self.tokens, *others.tokens])

    def by_review(self, by_item: Mapping[str, npt.NDArray[Value]]) -> dict[str, npt.NDArray[Value]]:
        """From values of items (items, k) to values of reviews (n, k), 0 where there is no item."""
        return {
            target: np.concatenate([values, np.zeros_like(values, shape=(1, values.shape[1]))])[
                self.places[target]
            ]
            for target, values in by_item.items()
        }
