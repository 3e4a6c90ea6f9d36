"""Items one after the other in long arrays: what pickles in no time, where thousands would not."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from drugmon.models.tokens.inputs import Encoded


@dataclass(frozen=True)
class FlatItems:
    """`lengths` int64 (items,); `ids` int32 and `segments` int8 (tokens,), None of prompts."""

    lengths: npt.NDArray[np.int64]
    ids: npt.NDArray[np.int32]
    segments: npt.NDArray[np.int8] | None

    @classmethod
    def of(cls, items: Sequence[Any]) -> FlatItems:
        """From `Encoded` or from the ids of prompts."""
        lengths = np.array([len(item) for item in items], np.int64)
        if items and isinstance(items[0], Encoded):
            ids = np.concatenate([item.ids for item in items]).astype(np.int32)
            return cls(lengths, ids, np.concatenate([item.segments for item in items]))
        chained = itertools.chain.from_iterable(items)
        return cls(lengths, np.fromiter(chained, np.int32, int(lengths.sum())), None)

    def items(self) -> Sequence[Encoded] | Sequence[npt.NDArray[np.int64]]:
        """The items again; the ids of a prompt are an array (L,) now."""
        ends = self.lengths.cumsum()[:-1]
        ids = np.split(self.ids.astype(np.int64), ends) if len(self.lengths) else []
        if self.segments is None:
            return ids
        return [Encoded(*pair) for pair in zip(ids, np.split(self.segments, ends), strict=True)]
