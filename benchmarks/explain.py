"""How faithful explanations are: the deletion curve of integrated gradients and of what is simpler.

    python -m benchmarks.explain reviews.tsv --reviews 100

A review loses the words that a method holds to push its verdict most, and is scored again: the
more of the label's probability goes with them, the more faithful the method is (Samek et al.,
"Evaluating the Visualization of What a Deep Neural Network Has Learned", 2017; DeYoung et al.,
"ERASER", 2020, call it comprehensiveness).
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from drugmon.config import DEFAULT_ADAPTER, EngineConfig
from drugmon.data.reviews import Texts
from drugmon.labels import TARGETS
from drugmon.models.adapters.adapter import open_adapter
from drugmon.scoring.attribution import PLAIN, Attributor, Quadrature
from drugmon.scoring.engine import Engine
from drugmon.scoring.words import ReviewWords, words_of
from drugmon.training.reviews.dataset import read_labelled

SHARES: Final = (0.05, 0.1, 0.2)
FEWEST: Final = 10
Pushes = Mapping[str, npt.NDArray[Any]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.explain", description=__doc__)
    parser.add_argument("source", type=Path, help="reviews with ratings")
    parser.add_argument("--adapter", default=DEFAULT_ADAPTER)
    parser.add_argument("--reviews", type=int, default=100)
    parser.add_argument("--words", type=int, default=150, help="leave longer reviews out")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    adapter = open_adapter(options.adapter)
    texts = read_labelled(str(options.source), adapter.manifest.grading).texts
    engine = Engine(adapter, EngineConfig("cpu", "fp32", options.threads), print)
    print(_markdown(deletion(Attributor(adapter), engine, texts, options.reviews, options.words)))


def deletion(
    attributor: Attributor, engine: Engine, texts: Sequence[Texts], reviews: int, most: int
) -> list[dict[str, Any]]:
    """Per method the mean probability lost with the first 5, 10 and 20 % of words, and seconds.

    The seconds are also told as the number of verdicts that take as long.
    """
    lost: dict[str, dict[float, list[float]]] = {}
    by_target: dict[str, dict[str, list[float]]] = {}
    seconds: dict[str, list[float]] = {}
    verdict_seconds: list[float] = []
    for review, words in _drawn(attributor, texts, reviews, most):
        began = time.monotonic()
        labels, before = _verdicts(engine, review)
        verdict_seconds.append(time.monotonic() - began)
        for method, pushes_of in _methods(attributor, engine).items():
            began = time.monotonic()
            pushes = pushes_of(review, words, labels)
            seconds.setdefault(method, []).append(time.monotonic() - began)
            for share in SHARES:
                for target, after in _after(engine, words, labels, pushes, share).items():
                    loss = before[target] - after
                    lost.setdefault(method, {}).setdefault(share, []).append(loss)
                    if share == SHARES[-1]:
                        by_target.setdefault(method, {}).setdefault(target, []).append(loss)
    return [
        {"method": method}
        | {f"first {share:.0%}": f"{np.mean(of[share]):.3f}" for share in SHARES}
        | {f"{SHARES[-1]:.0%} of {t}": f"{np.mean(by_target[method][t]):.3f}" for t in TARGETS}
        | {"seconds a review": f"{np.mean(seconds[method]):.2f}"}
        | {"in verdicts": f"{np.median(seconds[method]) / np.median(verdict_seconds):.0f}"}
        for method, of in lost.items()
    ]


def _drawn(
    attributor: Attributor, texts: Sequence[Texts], reviews: int, most: int
) -> Iterator[tuple[Texts, ReviewWords]]:
    """Reviews drawn at random, with their words."""
    for row in np.random.default_rng(0).permutation(len(texts)):
        words = words_of(texts[row], attributor.tokenizers()[0])
        if reviews and FEWEST <= len(words.spans) <= most:
            reviews -= 1
            yield texts[row], words


def _verdicts(engine: Engine, review: Texts) -> tuple[dict[str, int], dict[str, float]]:
    """Label and its probability by target."""
    scores = engine.score([review])
    likeliest = {t: int(scores.labels[0, k]) for k, t in enumerate(TARGETS)}
    labels = {target: label for target, label in likeliest.items() if label >= 0}
    return labels, {
        target: float(scores.probabilities[0, TARGETS.index(target), label])
        for target, label in labels.items()
    }


def _methods(
    attributor: Attributor, engine: Engine
) -> dict[str, Callable[[Texts, ReviewWords, dict[str, int]], Pushes]]:
    random = np.random.default_rng(1)

    def along(line: Quadrature) -> Callable[[Texts, ReviewWords, dict[str, int]], Pushes]:
        def pushes(review: Texts, words: ReviewWords, labels: dict[str, int]) -> Pushes:
            attributed = attributor.attribute(review, labels, line)
            n = len(words.spans)
            return {t: np.bincount(words.owners, of.tokens[0], n) for t, of in attributed.items()}

        return pushes

    def occlusion(_review: Texts, words: ReviewWords, labels: dict[str, int]) -> Pushes:
        shortened = [_without(words, {number}) for number in range(len(words.spans))]
        scores = engine.score(shortened)
        return {
            target: -np.nan_to_num(scores.probabilities[:, TARGETS.index(target), label])
            for target, label in labels.items()
        }

    return {
        "random words": lambda _review, words, labels: {
            target: random.random(len(words.spans)) for target in labels
        },
        "plain gradient x input": along(PLAIN),
        "integrated gradients, 16 points": along(Quadrature.gauss(16)),
        "occlusion": occlusion,
    }


def _after(
    engine: Engine, words: ReviewWords, labels: dict[str, int], pushes: Pushes, share: float
) -> dict[str, float]:
    """The label's probability by target, without its first words; 0 where no text is left."""
    count = math.ceil(share * len(words.spans))
    left = [_without(words, set(np.argsort(-pushes[t])[:count].tolist())) for t in labels]
    scores = engine.score(left).probabilities
    return {
        target: float(np.nan_to_num(scores[row, TARGETS.index(target), label]))
        for row, (target, label) in enumerate(labels.items())
    }


def _without(words: ReviewWords, gone: set[int]) -> Texts:
    kept: dict[str, list[str]] = {field: [] for field in Texts._fields}
    for number, (field, start, end) in enumerate(words.spans):
        if number not in gone:
            kept[field].append(words.texts[field][start:end])
    return Texts(**{field: " ".join(parts) or None for field, parts in kept.items()})


def _markdown(table: list[dict[str, Any]]) -> str:
    rows = [list(table[0]), ["---"] * len(table[0]), *([*row.values()] for row in table)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


if __name__ == "__main__":
    main()
