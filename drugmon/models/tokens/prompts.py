"""Prompts: what a seq2seq base reads, one for each target of a review.

An aspect's prompt holds its text, overall's the texts of all aspects, joined in their order. A
prompt that is too long loses the end of its text, never a part of the instruction; in overall's,
the texts are cut in fair shares. A review with a lone text has overall's prompt only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from drugmon.data.reviews import Texts, with_text
from drugmon.errors import BaseModelError, RecipeError
from drugmon.labels import ASPECTS, LABELS, TARGETS
from drugmon.models.tokens.inputs import TextTokenizer, padded, share_budget
from drugmon.models.tokens.prepared import Aspects, Prepared

if TYPE_CHECKING:
    import torch

PROMPT: Final = "Classify the sentiment of this review as positive, neutral, or negative:\n{text}"
PLACE: Final = "{text}"

PROMPTED: Final = ("t5", "mt5")
"""What the bases that read prompts call themselves: T5, T5 1.1 and Flan-T5; mT5."""

Ids = tuple[int, ...]


@dataclass(frozen=True)
class PromptBatch:
    """Padded prompts: `ids` and `mask` (1 = token, 0 = padding), int64 (b, L)."""

    ids: torch.Tensor
    mask: torch.Tensor

    def to(self, device: torch.device) -> PromptBatch:
        """The same batch on `device`."""
        from drugmon.models.device import send

        return PromptBatch(*(send(t, device) for t in (self.ids, self.mask)))


class PromptTokenizer(TextTokenizer):
    """Turns reviews into prompts of at most `max_length` tokens each."""

    def __init__(self, folder: Path, template: str, max_length: int) -> None:
        """Read `tokenizer.json` in `folder`; `template` has its text at `{text}`.

        The texts are tokenised by themselves and put between the tokens of the template's parts.
        SentencePiece splits at white space, so this is how it would read the whole prompt, as long
        as white space stands around `{text}`.

        Raises:
            BaseModelError: the tokenizer cannot be read.
            RecipeError: the template has no one place for the text, or leaves no room for it.
        """
        super().__init__(folder)
        before, *after = template.split(PLACE)
        if len(after) != 1:
            raise RecipeError(f"model.prompt must hold {PLACE} once, where the text goes")
        self._before: Ids = self._ids(before)
        self._after: Ids = (*self._ids(after[0]), *self._tokenizer.encode("").ids)
        self._room = max_length - len(self._before) - len(self._after)
        if self._room < 1:
            raise RecipeError(
                f"model.max_length = {max_length} leaves no room for a text: the prompt itself "
                f"takes {max_length - self._room} tokens"
            )

    def label_ids(self) -> list[int]:
        """The token of each label's word, in the order of `LABELS`.

        Raises:
            BaseModelError: a word is not one token of this vocabulary.
        """
        token_ids = [self._ids(label) for label in LABELS]
        for label, ids in zip(LABELS, token_ids, strict=True):
            pieces = [str(self._tokenizer.id_to_token(token)).strip("▁ ") for token in ids]
            if pieces != [label]:
                raise BaseModelError(
                    f"the tokenizer splits {label!r} into {len(ids)} tokens or does not know it: "
                    "this base cannot answer with one word; take a T5, Flan-T5 or mT5 base"
                )
        return [ids[0] for ids in token_ids]

    def prepare(self, reviews: Sequence[Texts]) -> Prepared:
        """A prompt for every target that has a text; equal prompts are one item."""
        tokens = self.tokens(reviews)
        numbers: dict[Ids, int] = {}
        places = np.full((len(reviews), len(TARGETS)), -1, np.int64)
        for row, column in np.argwhere(with_text(reviews)):
            prompt = self._prompt(tokens[row], TARGETS[column])
            places[row, column] = numbers.setdefault(prompt, len(numbers))
        return Prepared(list(numbers), dict(zip(TARGETS, places.T, strict=True)), tokens)

    def sources(self, aspects: Aspects, target: str) -> npt.NDArray[np.int64]:
        """Which token stands where (L,) in the prompt of `target`; -1 is one of the instruction.

        Tokens are numbered through the three aspects.
        """
        ends = np.cumsum([len(ids) for ids in aspects])
        numbered = [
            range(end - len(ids), end) for ids, end in zip(aspects, ends.tolist(), strict=True)
        ]
        before, after = ([-1] * len(ids) for ids in (self._before, self._after))
        return np.array([*before, *self._read(numbered, target), *after], np.int64)

    def _prompt(self, aspects: Aspects, target: str) -> Ids:
        return (*self._before, *self._read(aspects, target), *self._after)

    def _read(self, aspects: Aspects, target: str) -> Iterator[int]:
        """Of the aspects' tokens those that `target`'s prompt has room for."""
        parts = [aspects[ASPECTS.index(target)]] if target in ASPECTS else aspects
        shares = share_budget([len(ids) for ids in parts], self._room)
        return (token for ids, share in zip(parts, shares, strict=True) for token in ids[:share])

    def _ids(self, text: str) -> Ids:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)


def collate_prompts(prompts: Sequence[Ids | npt.NDArray[np.int64]], pad_id: int) -> PromptBatch:
    """Pad prompts (L,) to the longest and to `PAD_STEP`: T5 knows no longest sequence."""
    import torch

    shape = (len(prompts), padded(max(len(prompt) for prompt in prompts)))
    ids: npt.NDArray[np.int64] = np.full(shape, pad_id, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = prompt
        mask[row, : len(prompt)] = 1
    return PromptBatch(torch.from_numpy(ids), torch.from_numpy(mask))
