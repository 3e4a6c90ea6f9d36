"""What goes into an encoder: token ids with segments, padded batches, length-sorted batch plans.

A review becomes `[CLS] benefits [SEP] side effects [SEP] comments [SEP]`. `segments` says whose
token each one is: 0 for special tokens, 1, 2, 3 for the three aspects in the order of `ASPECTS`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from drugmon.data.reviews import Texts, clean
from drugmon.errors import BaseModelError
from drugmon.labels import ASPECTS, TARGETS
from drugmon.models.tokens.prepared import Prepared
from drugmon.wording import encodable

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

PAD_STEP: Final = 8
"""Batches are padded to multiples of it. So the same shapes come again, and with them what the
libraries below keep for a shape (plans, freed memory), which with every length would grow without
end; and GPUs multiply by eights."""

LITTLE: Final = 1 / 16
"""Of a batch's tokens, the padding that no other batch is begun for."""

LONE_TEXT_ASPECT: Final = ASPECTS.index("comments")
"""A lone review text stands where comments stand: both are taught by the overall rating."""

SPECIAL_TOKENS: Final = 1 + len(ASPECTS)
"""One [CLS] and one [SEP] behind each aspect, present even where the aspect is empty."""

_ANY_TEXT: Final = "good"


@dataclass(frozen=True)
class Encoded:
    """One review as tokens: `ids` int64 (L,), `segments` int8 (L,)."""

    ids: npt.NDArray[np.int64]
    segments: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class TokenBatch:
    """Padded reviews: `ids`, `mask` (1 = token, 0 = padding) and `segments`, all int64 (b, L)."""

    ids: torch.Tensor
    mask: torch.Tensor
    segments: torch.Tensor

    def to(self, device: torch.device) -> TokenBatch:
        """The same batch on `device`."""
        from drugmon.models.device import send

        return TokenBatch(*(send(t, device) for t in (self.ids, self.mask, self.segments)))


def share_budget(lengths: Sequence[int], budget: int) -> list[int]:
    """Split `budget` tokens fairly: none gets more than it needs, the others get what it leaves."""
    shares = [0] * len(lengths)
    left = budget
    by_length = sorted(range(len(lengths)), key=lambda k: lengths[k])
    for position, k in enumerate(by_length):
        shares[k] = min(lengths[k], left // (len(lengths) - position))
        left -= shares[k]
    return shares


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of the base in `folder`, without its own truncation and padding.

    Raises:
        BaseModelError: its `tokenizer.json` cannot be read.
    """
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise BaseModelError(f"cannot read {path}: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class TextTokenizer:
    """The tokenizer of a base, without its own truncation and padding."""

    def __init__(self, folder: Path) -> None:
        """Read `tokenizer.json` in `folder`.

        Raises:
            BaseModelError: it cannot be read.
        """
        self._tokenizer = read_tokenizer(folder)

    @property
    def vocabulary(self) -> int:
        """How many tokens it has."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def tokens(self, reviews: Sequence[Texts]) -> list[list[list[int]]]:
        """The token ids of each review's three aspects, whole; none where an aspect is empty."""
        texts = [text for review in reviews for text in aspect_texts(review)]
        # Only the texts that are there: encoding an empty one costs as much as a short one.
        present = [encodable(text) for text in texts if text]
        encodings = iter(self._tokenizer.encode_batch_fast(present, add_special_tokens=False))
        ids = [next(encodings).ids if text else [] for text in texts]
        width = len(ASPECTS)
        return [ids[start : start + width] for start in range(0, len(ids), width)]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """From where to where in a cleaned text each of its tokens stands."""
        encoding = self._tokenizer.encode(encodable(text), add_special_tokens=False)
        return [(int(start), int(end)) for start, end in encoding.offsets]


class ReviewTokenizer(TextTokenizer):
    """Turns reviews into `Encoded`, at most `max_length` tokens each."""

    def __init__(self, folder: Path, max_length: int, pad_id: int) -> None:
        """Read `tokenizer.json` in `folder`.

        Raises:
            BaseModelError: the tokenizer cannot be read, or does not put one token before and one
                behind a text.
        """
        super().__init__(folder)
        self._first, self._last = self._frame(folder)
        self.pad_id = pad_id
        self.max_length = max_length

    def _frame(self, folder: Path) -> tuple[int, int]:
        """The tokens before and behind a text.

        Raises:
            BaseModelError: there are others than these two.
        """
        text = self._tokenizer.encode(_ANY_TEXT, add_special_tokens=False).ids
        framed = self._tokenizer.encode(_ANY_TEXT).ids
        if framed[1:-1] != text:
            pieces = " ".join(map(str, map(self._tokenizer.id_to_token, framed)))
            raise BaseModelError(
                f"base {folder.name}: its tokenizer reads {_ANY_TEXT!r} as {pieces}; drugmon "
                "needs one token before and one behind a text, as BERT and RoBERTa have them"
            )
        return framed[0], framed[-1]

    def prepare(self, reviews: Sequence[Texts]) -> Prepared:
        """One item per review, whether it has a text or not; it judges every target."""
        tokens = self.tokens(reviews)
        items = [self.layout(aspects) for aspects in tokens]
        return Prepared(items, dict.fromkeys(TARGETS, np.arange(len(items))), tokens)

    def layout(self, aspects: Sequence[Sequence[int]]) -> Encoded:
        """What the encoder reads of one review: its aspects, cut fairly to `max_length` tokens."""
        shares = share_budget([len(ids) for ids in aspects], self.max_length - SPECIAL_TOKENS)
        ids, segments = [self._first], [0]
        for number, (tokens, share) in enumerate(zip(aspects, shares, strict=True), start=1):
            ids += [*tokens[:share], self._last]
            segments += [number] * share + [0]
        return Encoded(np.array(ids, dtype=np.int64), np.array(segments, dtype=np.int8))

    def sources(self, aspects: Sequence[Sequence[int]], target: str) -> npt.NDArray[np.int64]:
        """Which token stands where (L,) in the item that judges every target; -1 is a special one.

        Tokens are numbered through the three aspects.
        """
        del target
        segments = self.layout(aspects).segments
        positions = np.full(len(segments), -1, np.int64)
        first = 0
        for number, ids in enumerate(aspects, start=1):
            places = np.flatnonzero(segments == number)
            positions[places] = first + np.arange(len(places))
            first += len(ids)
        return positions

    def encode(self, reviews: Sequence[Texts]) -> list[Encoded]:
        """`layout` of the `tokens` of reviews."""
        return [self.layout(aspects) for aspects in self.tokens(reviews)]


def aspect_texts(review: Texts) -> list[str | None]:
    """The three cleaned texts in `ASPECTS` order; a lone review text takes its place among them."""
    texts = [clean(review.benefits), clean(review.side_effects), clean(review.comments)]
    if not any(texts):
        texts[LONE_TEXT_ASPECT] = clean(review.text)
    return texts


def padded(length: int) -> int:
    """The next multiple of `PAD_STEP`."""
    return -(-length // PAD_STEP) * PAD_STEP


def collate(reviews: Sequence[Encoded], pad_id: int, most: int | None = None) -> TokenBatch:
    """Pad reviews to the longest and to `PAD_STEP`, but not beyond `most`, the model's limit.

    Mask and pad id are written together, so they cannot disagree.
    """
    import torch

    longest = max(len(review) for review in reviews)
    shape = (len(reviews), max(longest, min(padded(longest), most or sys.maxsize)))
    ids = np.full(shape, pad_id, dtype=np.int64)
    mask = np.zeros(shape, dtype=np.int64)
    segments = np.zeros(shape, dtype=np.int64)
    for row, review in enumerate(reviews):
        ids[row, : len(review)] = review.ids
        mask[row, : len(review)] = 1
        segments[row, : len(review)] = review.segments
    return TokenBatch(torch.from_numpy(ids), torch.from_numpy(mask), torch.from_numpy(segments))


def token_batches(
    lengths: Sequence[int], max_tokens: int | Callable[[], int], begin: int | None = None
) -> Iterator[npt.NDArray[np.int64]]:
    """Plan batches of similar length, each of at most `max_tokens` tokens, padding included.

    Yields the row numbers (b,) of one batch after the other. A single review longer than
    `max_tokens` is a batch of its own. Longest first, so that a device that is too small says so at
    once.

    Args:
        lengths: tokens of each row (n,).
        max_tokens: where it is callable, it is asked before each batch.
        begin: in how many tokens' time one more batch is begun; a batch is parted where that saves
            more padding than it costs. None for as few batches as can be.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    widths = np.array([padded(max(1, lengths[row])) for row in order], np.int64)
    start = 0
    while start < len(order):
        budget = max_tokens if isinstance(max_tokens, int) else max_tokens()
        size = min(max(1, budget // int(widths[start])), len(order) - start)
        if begin is not None:
            size = _worth_padding(widths[start : start + size], begin)
        yield order[start : start + size]
        start += size


def _worth_padding(widths: npt.NDArray[np.int64], begin: int) -> int:
    """How many of rows, `widths` (b,) the widest first, are better padded together than parted.

    Large batches are kept whole for a little padding, so that their shapes come again.
    """
    size = len(widths)
    while size > 1:
        saved = np.arange(size - 1, 0, -1) * (widths[0] - widths[1:size])
        cut = int(saved.argmax())
        if saved[cut] <= begin + LITTLE * size * widths[0]:
            break
        size = cut + 1
    return size
