"""The lexical model: a linear classifier over token n-grams that stands beside the encoder.

Rare but telling words ("useless", "lifesaver") take many steps of fine-tuning in a small encoder,
but one weight in a linear model. Both see the same tokens, so nothing is read twice; the
calibration weighs the two. Features: token unigrams and bigrams of each aspect by itself, tf-idf
with sublinear tf, each aspect's vector of unit length (Salton and Buckley, "Term-weighting
approaches in automatic text retrieval", 1988). Per target and label, logistic regression of the
label against the rest over features scaled by their log-count ratio (Wang and Manning, "Baselines
and Bigrams: Simple, Good Sentiment and Topic Classification", 2012).

N-grams are kept as numbers (aspect and token ids), and only those that at least `min_df` reviews
share.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from drugmon.errors import AdapterError
from drugmon.labels import ASPECTS, LABELS
from drugmon.models.files import LEXICON
from drugmon.models.tokens.prepared import Aspects

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_ID_BITS: Final = 24
"""Token ids fit into 24 bits (16 million); a key is aspect, first id, and second id + 1 or 0."""

_NEVER: Final = -30.0
"""A log-odds that is as good as impossible, and finite."""


@dataclass(frozen=True)
class LexicalModel:
    """Sorted n-gram `keys` int64 (n,) with their `idf` float32 (n,).

    Per target `weights` float32 (n, 3) and `bias` float32 (3,).
    """

    keys: npt.NDArray[np.int64]
    idf: npt.NDArray[np.float32]
    weights: Mapping[str, npt.NDArray[np.float32]]
    bias: Mapping[str, npt.NDArray[np.float32]]

    def log_probs(self, reviews: Sequence[Aspects]) -> dict[str, npt.NDArray[np.float32]]:
        """Log-probabilities float32 (n, 3) per target."""
        features = _tfidf(reviews, self.keys, self.idf)
        log_probs = {}
        for target, weights in self.weights.items():
            # Each label against the rest, brought to a sum of 1.
            likely = -np.logaddexp(0, -(features @ weights + self.bias[target]))
            total = np.logaddexp.reduce(likely, axis=1, keepdims=True)
            log_probs[target] = (likely - total).astype(np.float32)
        return log_probs

    def occurrences(self, review: Aspects) -> Occurrences:
        """Where the n-grams of one review stand that the model knows."""
        _, ngrams = _ngrams([review])
        texts = np.repeat(np.arange(len(review)), [len(ids) for ids in review])
        single = np.arange(len(texts))
        first = np.concatenate([single, np.flatnonzero(texts[:-1] == texts[1:])])
        last = first + (np.arange(len(first)) >= len(texts))
        features = _tfidf([review], self.keys, self.idf)
        in_vocabulary = np.isin(ngrams, self.keys[features.indices])
        place = np.searchsorted(self.keys[features.indices], ngrams[in_vocabulary])
        return Occurrences(
            features.indices,
            features.data,
            place,
            np.stack([first[in_vocabulary], last[in_vocabulary]], axis=1),
        )

    def save(self, folder: Path) -> None:
        """Write `lexical.safetensors` in `folder`."""
        from safetensors.numpy import save_file

        tensors: dict[str, npt.NDArray[Any]] = {"keys": self.keys, "idf": self.idf}
        for target, weights in self.weights.items():
            # Half precision: the weights are a few units at most, and the file is half as large.
            tensors[f"{target}.weights"] = np.ascontiguousarray(weights, dtype=np.float16)
            tensors[f"{target}.bias"] = self.bias[target]
        save_file(tensors, folder / LEXICON)

    @classmethod
    def load(cls, folder: Path) -> LexicalModel:
        """Read what `save` wrote.

        Raises:
            AdapterError: the file does not hold such a model.
        """
        from safetensors.numpy import load_file

        tensors = load_file(folder / LEXICON)
        try:
            targets = [name.removesuffix(".bias") for name in tensors if name.endswith(".bias")]
            weights = {t: tensors[f"{t}.weights"].astype(np.float32) for t in targets}
            bias = {t: tensors[f"{t}.bias"] for t in targets}
            return cls(tensors["keys"], tensors["idf"], weights, bias)
        except KeyError as error:
            raise AdapterError(
                f"{folder / LEXICON} lacks {error}: train the adapter again"
            ) from error


@dataclass(frozen=True)
class Occurrences:
    """The n-grams of one review that the model knows.

    `columns` int (k,) of the weights, ascending, and `values` float32 (k,), their features. Of o
    occurrences, `ngram` int (o,) says of which of the k, and `tokens` int64 (o, 2) its first
    and last token, numbered through the aspects.
    """

    columns: npt.NDArray[np.integer[Any]]
    values: npt.NDArray[np.float32]
    ngram: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int64]

    def spread(self, parts: npt.NDArray[np.float64], tokens: int) -> npt.NDArray[np.float64]:
        """From n-grams' parts (k,) to tokens' (tokens,).

        An n-gram's part goes to its occurrences alike, and to both tokens of a pair alike.
        """
        share = parts / np.maximum(np.bincount(self.ngram, minlength=len(parts)), 1)
        halves = np.repeat(share[self.ngram] / 2, 2)
        halves_of_token = np.bincount(self.tokens.ravel(), weights=halves, minlength=tokens)
        return halves_of_token.astype(np.float64)


def fit_lexical(
    reviews: Sequence[Aspects],
    labels: Mapping[str, npt.NDArray[np.int64]],
    *,
    min_df: int,
    c: float,
    weights: npt.NDArray[np.float32] | None = None,
) -> LexicalModel:
    """Fit on training reviews.

    Args:
        reviews: n reviews' tokens, see `Aspects`.
        labels: per target (n,), index into `LABELS`, -1 where there is none.
        min_df: n-grams of fewer reviews are left out.
        c: inverse strength of the L2 penalty, as in scikit-learn.
        weights: (n,), what the loss of each review is multiplied by; None for 1.
    """
    _, once = np.unique(np.stack(_ngrams(reviews)), axis=1)
    keys, df = np.unique(once, return_counts=True)
    keys, df = keys[df >= min_df], df[df >= min_df]
    # scikit-learn's smoothed idf: as if one more review held every n-gram.
    idf = (np.log((1 + len(reviews)) / (1 + df)) + 1).astype(np.float32)
    features = _tfidf(reviews, keys, idf)
    coefficients, bias = {}, {}
    for target, target_labels in labels.items():
        rows = np.flatnonzero(target_labels >= 0)
        row_weights = None if weights is None else weights[rows]
        fitted = [
            _fit_label(features[rows], target_labels[rows] == k, c, row_weights)
            for k in range(len(LABELS))
        ]
        coefficients[target] = np.stack([coefficient for coefficient, _ in fitted], axis=1)
        bias[target] = np.array([intercept for _, intercept in fitted], np.float32)
    return LexicalModel(keys, idf, coefficients, bias)


def _fit_label(
    features: csr_matrix,
    positives: npt.NDArray[np.bool_],
    c: float,
    weights: npt.NDArray[np.float32] | None,
) -> tuple[npt.NDArray[np.float32], float]:
    """Weights float32 (n-grams,) and bias of one label against the rest."""
    from scipy.sparse import diags
    from sklearn.linear_model import LogisticRegression

    if positives.all() or not positives.any():  # nothing to tell apart
        return np.zeros(features.shape[1], np.float32), -_NEVER if positives.all() else _NEVER
    present = features > 0
    counts = [
        np.asarray(present[rows].sum(axis=0)).ravel() + 1.0 for rows in (positives, ~positives)
    ]
    ratio = np.log(counts[0] / counts[0].sum()) - np.log(counts[1] / counts[1].sum())
    fitted = LogisticRegression(C=c, class_weight="balanced", max_iter=1000)
    fitted.fit(features @ diags(ratio), positives, sample_weight=weights)
    return (fitted.coef_[0] * ratio).astype(np.float32), float(fitted.intercept_[0])


def _ngrams(
    reviews: Sequence[Aspects],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All uni- and bigrams, with repeats: the review that each is in, and its key."""
    texts = [tokens for review in reviews for tokens in review]
    text = np.repeat(np.arange(len(texts)), [len(tokens) for tokens in texts])
    ids = np.fromiter(itertools.chain.from_iterable(texts), np.int64, len(text))
    row, aspect = np.divmod(text, len(ASPECTS))
    first = (aspect << 2 * _ID_BITS) + (ids << _ID_BITS)
    pairs = np.flatnonzero(text[:-1] == text[1:])
    rows = np.concatenate([row, row[pairs]])
    return rows, np.concatenate([first, first[pairs] + ids[pairs + 1] + 1])


def _tfidf(
    reviews: Sequence[Aspects], keys: npt.NDArray[np.int64], idf: npt.NDArray[np.float32]
) -> csr_matrix:
    """Sparse features float32 (n, len(keys))."""
    from scipy.sparse import csr_matrix

    shape = (len(reviews), len(keys))
    rows, ngrams = _ngrams(reviews)
    place = np.searchsorted(keys, ngrams)
    in_vocabulary = place < len(keys)
    in_vocabulary[in_vocabulary] = keys[place[in_vocabulary]] == ngrams[in_vocabulary]
    cells, counts = np.unique(
        rows[in_vocabulary] * len(keys) + place[in_vocabulary], return_counts=True
    )
    rows, columns = np.divmod(cells, max(1, len(keys)))
    values = (1 + np.log(counts)) * idf[columns]
    part = rows * len(ASPECTS) + (keys[columns] >> 2 * _ID_BITS)
    length = np.sqrt(np.bincount(part, weights=values**2, minlength=len(reviews) * len(ASPECTS)))
    ends = np.searchsorted(rows, np.arange(len(reviews) + 1))
    return csr_matrix(((values / length[part]).astype(np.float32), columns, ends), shape=shape)
