"""Paraphrases of reviews, written by the seq2seq base itself before it is trained."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch

from drugmon.data.reviews import Texts, clean
from drugmon.errors import RecipeError
from drugmon.models.bases.bases import Base
from drugmon.models.bases.loading import load_seq2seq

PROMPT: Final = "Paraphrase this text in other words:\n{text}"
BATCH: Final = 16
MAX_TOKENS: Final = 512
"""What is longer is cut before it is paraphrased."""


class Rewriter(Protocol):
    """What rewords texts."""

    def write(self, texts: Sequence[str], temperature: float, seed: int) -> list[str]:
        """One paraphrase of each text."""


class Paraphraser:
    """Rewords each text of a review by sampling from `base` at `temperature`.

    The same seed gives the same paraphrases. Finished batches are kept in `cache`, a file that only
    its owner reads and that goes with the folder of the training, so that a killed run goes on.

    Args:
        base: what writes.
        device: where.
        temperature: of the sampling.
        seed: what is drawn.
        cache: keeps what is written.
        open_writer: gives what writes, when there is something to write.

    Raises:
        RecipeError: the base cannot write.
    """

    def __init__(
        self,
        base: Base,
        device: torch.device,
        temperature: float,
        seed: int,
        cache: Path,
        open_writer: Callable[[Base, torch.device], Rewriter] | None = None,
    ) -> None:
        if not base.config.get("is_encoder_decoder"):
            raise RecipeError(
                f"augment.method = 'paraphrase' needs a seq2seq base, and {base.name} cannot "
                "write; take 'mask', or a recipe with another base.name"
            )
        self._base, self._device, self._cache = base, device, cache
        self._temperature, self._seed = temperature, seed
        self._open_writer = open_writer or BaseWriter
        self._writer: Rewriter | None = None

    def __call__(self, reviews: Sequence[Texts]) -> list[Texts | None]:
        """Return each review reworded, None where nothing of it came out otherwise."""
        texts = [text for review in reviews for field in review if (text := clean(field))]
        written = iter(self._write(texts))
        return [self._reword(review, written) for review in reviews]

    @staticmethod
    def _reword(review: Texts, written: Iterator[str]) -> Texts | None:
        cleaned = [clean(text) for text in review]
        reworded = [_other(next(written), text) if text else None for text in cleaned]
        return None if reworded == cleaned else Texts(*reworded)

    def _write(self, texts: Sequence[str]) -> list[str]:
        """Paraphrases of `texts`, in their order; texts of like length share a batch."""
        written = [""] * len(texts)
        cached = _read(self._cache)
        order = np.argsort([len(text) for text in texts], kind="stable")
        for number, start in enumerate(range(0, len(order), BATCH)):
            rows = order[start : start + BATCH]
            batch = [texts[row] for row in rows]
            key = self._key(number, batch)
            if key not in cached:
                cached[key] = self._generate(number, batch)
                _append(self._cache, key, cached[key])
            for row, text in zip(rows, cached[key], strict=True):
                written[row] = text
        self._writer = None  # its memory is needed for training
        return written

    def _generate(self, number: int, batch: Sequence[str]) -> list[str]:
        if self._writer is None:
            self._writer = self._open_writer(self._base, self._device)
        # The batch's own seed: a run that goes on from the cache draws what a whole one does.
        return self._writer.write(batch, self._temperature, self._seed + 1_000_003 * number)

    def _key(self, number: int, batch: Sequence[str]) -> str:
        settings = [self._base.sha256, self._temperature, self._seed, number, PROMPT, list(batch)]
        return blake2b(json.dumps(settings).encode(), digest_size=16).hexdigest()


class BaseWriter:
    """The base with its language-model head."""

    def __init__(self, base: Base, device: torch.device) -> None:
        from transformers import PreTrainedTokenizerFast

        self._model: Any = load_seq2seq(base, torch.float32).to(device).eval()
        config = base.config
        file = str(base.folder / "tokenizer.json")
        self._tokenizer: Any = PreTrainedTokenizerFast(tokenizer_file=file)  # type: ignore[no-untyped-call]
        self._tokenizer.pad_token_id = int(config["pad_token_id"])
        self._device = device

    @torch.inference_mode()
    def write(self, texts: Sequence[str], temperature: float, seed: int) -> list[str]:
        """One paraphrase of each text."""
        inputs = self._tokenizer(
            [PROMPT.format(text=text) for text in texts],
            padding=True,
            truncation=True,
            max_length=MAX_TOKENS,
            return_tensors="pt",
        ).to(self._device)
        longest = int(inputs["attention_mask"].sum(dim=1).max())
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            written = self._model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                do_sample=True,
                temperature=temperature,
                top_p=0.95,
                max_new_tokens=min(MAX_TOKENS, longest + 16),
            )
        return list(self._tokenizer.batch_decode(written, skip_special_tokens=True))


def _other(written: str, text: str) -> str:
    """The paraphrase, or the text where the paraphrase is empty or the same."""
    written = clean(written) or ""
    same = " ".join(written.split()).casefold() == " ".join(text.split()).casefold()
    return text if same or not written else written


def _read(cache: Path) -> dict[str, list[str]]:
    if not cache.exists():
        return {}
    cached = {}
    for line in cache.read_text(encoding="utf-8").split("\n"):
        try:
            key, texts = json.loads(line)
        except ValueError:  # torn by a kill
            continue
        cached[key] = texts
    return cached


def _append(cache: Path, key: str, texts: Sequence[str]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    with os.fdopen(os.open(cache, flags, 0o600), "a", encoding="utf-8") as file:
        file.write("\n" + json.dumps([key, list(texts)]))
