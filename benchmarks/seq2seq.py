"""How fast a T5 of flan-t5-base's size scores, beside a plain loop around transformers' `generate`.

    python -m benchmarks.seq2seq reviews.tsv --limit 64

The weights are random, in the true sizes: they cost what trained ones cost, and what they answer
means nothing. The tokenizer is the one of the base `minilm` (30,522 pieces, lower case); its tokens
stand in for those of T5's SentencePiece (32,000 pieces, four languages), of which there would be
somewhat more. All read the same prompts, four for each review:

* drugmon as it scores: equal prompts once, sorted by length, one decoder step, T5 laid out anew;
* the same with transformers' own T5;
* the loop: batches of 32 prompts in the order of the file, padded, float32, and `generate` with two
  new tokens, the label word and the end.

drugmon is measured before and after the loop, because shared machines change their speed.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForSeq2SeqLM, T5Config, T5ForConditionalGeneration

from benchmarks.ceiling import matrix_product_rate, seconds
from drugmon.config import EngineConfig
from drugmon.data.reviews import Texts
from drugmon.grading import Grading
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.zero_shot import MAX_LENGTH, open_base
from drugmon.models.bases.bases import resolve_base
from drugmon.models.bases.loading import silence
from drugmon.models.classifiers import seq2seq
from drugmon.models.classifiers.classifier import Classifier
from drugmon.models.classifiers.factory import make_classifier
from drugmon.models.device import Compute
from drugmon.models.tokens.prompts import PROMPT, PromptTokenizer
from drugmon.scoring.engine import Engine
from drugmon.training.reviews.dataset import read_labelled

HIDDEN, INNER, LAYERS, HEADS = 768, 2048, 12, 12
LOOP_BATCH: Final = 32
NEW_TOKENS: Final = 2

Labels = npt.NDArray[np.integer]
"""Of reviews and targets (n, 4), -1 where there is no text."""


def make_base(folder: Path) -> None:
    """Write random weights of flan-t5-base's sizes, with the tokenizer of `minilm`."""
    untied: dict[str, Any] = {"tie_word_embeddings": False, "decoder_start_token_id": 0}
    config = T5Config(
        vocab_size=32128,
        d_model=HIDDEN,
        d_ff=INNER,
        d_kv=HIDDEN // HEADS,
        num_layers=LAYERS,
        num_heads=HEADS,
        feed_forward_proj="gated-gelu",
        **untied,
    )
    torch.manual_seed(0)
    silence()
    T5ForConditionalGeneration(config).save_pretrained(folder)
    shutil.copy(resolve_base("minilm").folder / "tokenizer.json", folder)


def operations(lengths: Sequence[int]) -> float:
    """Floating-point operations of the encoder over prompts; the decoder's step is left out."""
    dense = 2 * (4 * HIDDEN**2 + 3 * HIDDEN * INNER)
    return float(sum(LAYERS * (n * dense + 4 * n * n * HIDDEN) for n in lengths))


def sample(source: str, limit: int) -> list[Texts]:
    """At most `limit` reviews drawn with a fixed seed, in the order of the file."""
    reviews = read_labelled(source, Grading()).texts
    count = min(limit, len(reviews))
    rows = np.random.default_rng(0).choice(len(reviews), count, replace=False)
    return [reviews[row] for row in sorted(rows)]


class Loop:
    """The loop around `generate`."""

    def __init__(self, folder: Path, classifier: Classifier, compute: Compute) -> None:
        self._classifier, self._device = classifier, compute.device
        model: Any = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32)
        self._model = model.to(compute.device).eval()
        self._words = PromptTokenizer(folder, PROMPT, MAX_LENGTH).label_ids()

    def labels(self, reviews: Sequence[Texts]) -> Labels:
        """The likeliest label word at the first position of each answer."""
        prepared = self._classifier.prepare(reviews)
        places = np.stack([prepared.places[target] for target in TARGETS], axis=1)
        order = places[places >= 0]
        labels = np.full(places.shape, -1, np.int64)
        answers = [
            self._batch([prepared.items[item] for item in order[start : start + LOOP_BATCH]])
            for start in range(0, len(order), LOOP_BATCH)
        ]
        labels[places >= 0] = np.concatenate(answers)
        return labels

    @torch.inference_mode()
    def _batch(self, prompts: Sequence[Any]) -> Labels:
        batch: Any = self._classifier.collate(prompts).to(self._device)
        answer = self._model.generate(
            input_ids=batch.ids,
            attention_mask=batch.mask,
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            output_scores=True,
            return_dict_in_generate=True,
        )
        labels: Labels = answer.scores[0][:, self._words].argmax(dim=1).cpu().numpy()
        return labels


@dataclass
class Times:
    """Seconds of each scoring; rates of the matrix product between them."""

    compute: Compute
    drugmon: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    loop: list[float] = field(default_factory=list)
    ceilings: list[float] = field(default_factory=list)

    def add(self, taken: list[float], work: Callable[[], Labels]) -> Labels:
        """Do `work`, put its time to `taken`, and measure the matrix product behind it."""
        labels: list[Labels] = []
        taken.append(seconds(lambda: labels.append(work()), self.compute))
        self.ceilings.append(matrix_product_rate(self.compute))
        return labels[0]


def measure(folder: Path, reviews: list[Texts], config: EngineConfig) -> None:
    """Score by both and print the figures."""
    adapter = open_base(str(folder))
    engine = Engine(adapter, config, print)
    with patch.object(seq2seq, "takes", lambda _model: False):
        plain = Engine(adapter, config, print)
        plain.score(reviews[:8])  # loads the weights
    classifier = make_classifier(adapter.base(), MAX_LENGTH, PROMPT)
    prepared = classifier.prepare(reviews)
    places = np.concatenate(list(prepared.places.values()))
    asked = [prepared.lengths[item] for item in places[places >= 0]]
    print(
        f"{len(reviews)} reviews, {len(asked)} prompts of {np.mean(asked):.0f} tokens, "
        f"{len(prepared.items)} of them different; {engine.compute}",
        flush=True,
    )
    loop = Loop(folder, classifier, engine.compute)
    engine.score(reviews[:8])
    loop.labels(reviews[:2])

    times = Times(engine.compute, ceilings=[matrix_product_rate(engine.compute)])
    ours = times.add(times.drugmon, lambda: engine.score(reviews).labels)
    times.add(times.plain, lambda: plain.score(reviews).labels)
    theirs = times.add(times.loop, lambda: loop.labels(reviews))
    times.add(times.drugmon, lambda: engine.score(reviews).labels)
    print_speed(times, len(reviews), operations(prepared.lengths))
    there = theirs >= 0
    counted = Counter(LABELS[label] for label in theirs[there])
    print(f"labels that agree  {(ours == theirs)[there].mean():8.1%}  of {dict(counted)}")


def print_speed(times: Times, reviews: int, work: float) -> None:
    """Print rates, their ratio, and the share of the matrix product; `work` in operations."""
    ours, plain, loop = (fmean(part) for part in (times.drugmon, times.plain, times.loop))
    ceiling = fmean(times.ceilings)
    rates = " and ".join(f"{reviews / taken:.2f}" for taken in times.drugmon)
    span = f"{min(times.ceilings) / 1e12:.2f}-{max(times.ceilings) / 1e12:.2f}"
    print(f"drugmon            {reviews / ours:8.2f} reviews/s  (before and after: {rates})")
    print(f"transformers' T5   {reviews / plain:8.2f} reviews/s  (ratio {plain / ours:.2f})")
    print(f"generate loop      {reviews / loop:8.2f} reviews/s  (ratio {loop / ours:.2f}; fp32)")
    print(f"matrix product     {ceiling / 1e12:8.2f} TFLOP/s  ({span})")
    print(f"share of it        {work / ours / ceiling:8.0%}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="labelled reviews")
    parser.add_argument("--limit", type=int, default=64, help="reviews, drawn with a fixed seed")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto", help="drugmon's; the loop has fp32")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        make_base(Path(name))
        reviews = sample(options.source, options.limit)
        measure(Path(name), reviews, EngineConfig(options.device, options.dtype))
    print(f"took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
