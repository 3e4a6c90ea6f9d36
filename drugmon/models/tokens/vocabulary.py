"""Which words a base's tokenizer has no token of its own for: it has seen few of them, or none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from drugmon.models.tokens.inputs import read_tokenizer


class Vocabulary:
    """The tokenizer of a base, asked for single words; answers are kept."""

    def __init__(self, folder: Path) -> None:
        """Read `tokenizer.json` in `folder`.

        Raises:
            BaseModelError: it cannot be read.
        """
        self._tokenizer = read_tokenizer(folder)
        self._in_one_piece: dict[str, bool] = {}

    def unknown_shares(self, reviews: Iterable[set[str]]) -> list[float]:
        """For every set of words that is not empty, the share of words in more than one piece."""
        sets = [words for words in reviews if words]
        new = sorted(set().union(*sets) - self._in_one_piece.keys())
        pieces = self._tokenizer.encode_batch_fast(new, add_special_tokens=False)
        self._in_one_piece.update(
            (word, len(encoding.ids) == 1) for word, encoding in zip(new, pieces, strict=True)
        )
        return [sum(not self._in_one_piece[word] for word in words) / len(words) for words in sets]
