"""How much each token of a review moves a verdict: integrated gradients.

Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", 2017: the gradients of what
is explained, integrated along the straight line from an input that says nothing to the review,
times the difference of the two inputs. Input is here all that is read of a review: the embeddings
of its tokens, and the features of its n-grams for the lexical model. The input that says nothing
has the embedding of padding in every token's place, and no n-gram. What the tokens get adds up to
the difference of what is explained between the line's two ends (completeness), as closely as the
integral is computed; docs/decisions has what this was chosen beside.

What is explained is the calibrated probability of a label: the model's and the n-gram model's share
in it, all targets' where overall is judged from all of them, the softmax over the labels included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.functional import logsigmoid

from drugmon.data.reviews import Texts, with_text
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.adapters.calibration import Form
from drugmon.models.adapters.combination import Combination
from drugmon.models.classifiers.lexical import Occurrences
from drugmon.models.tokens.inputs import TokenBatch
from drugmon.models.tokens.prepared import Prepared
from drugmon.models.tokens.prompts import PromptBatch

Items = TypeVar("Items", bound=TokenBatch | PromptBatch)
Floats = npt.NDArray[np.float64]

BATCH_TOKENS: Final = 2_048
"""Tokens that gradients are kept of at a time: some 1 GB with six layers, 512 tokens a review."""


class Quadrature(NamedTuple):
    """Where on the line gradients are taken, 0 to 1, and their weights (quadrature)."""

    at: Floats
    weights: Floats

    @classmethod
    def gauss(cls, points: int) -> Quadrature:
        """Gauss and Legendre's points: exact for polynomials up to a degree of 2 * points - 1."""
        at, weights = np.polynomial.legendre.leggauss(points)
        return cls((at + 1) / 2, weights / 2)


PLAIN: Final = Quadrature(np.ones(1), np.ones(1))
"""The gradient at the review alone, times the input: cheap, and no integral."""


class Attribution(NamedTuple):
    """`tokens` float64 (tokens,): what each token, through the aspects, adds to the probability.

    `start` is the probability where nothing is said, `end` that of the review.
    """

    tokens: Floats
    start: float
    end: float

    @property
    def rest(self) -> float:
        """What the tokens' parts lack of adding up."""
        return self.end - self.start - float(self.tokens.sum())


@dataclass(frozen=True)
class _Inputs:
    """One review as the models read it.

    `nothing` and `embedded` float32 (items, L, hidden) are the line's ends, `sources` (items, L)
    says which token of the review stands where (-1: none), `features` float32 (k,) are those of
    its n-grams.
    """

    prepared: Prepared
    batch: TokenBatch | PromptBatch
    sources: npt.NDArray[np.int64]
    nothing: torch.Tensor
    embedded: torch.Tensor
    occurrences: Occurrences | None
    features: torch.Tensor
    mixtures: Mapping[str, Combination]

    @property
    def tokens(self) -> int:
        """How many the review has."""
        return sum(len(ids) for ids in self.prepared.tokens[0])

    def by_token(self, embeddings: torch.Tensor, features: torch.Tensor) -> Floats:
        """From the parts of embeddings (items, L, hidden) and n-grams (k,) to tokens (tokens,)."""
        read = self.sources >= 0
        parts = embeddings.sum(dim=2).double().numpy()[read]
        by_token: Floats = np.bincount(
            self.sources[read], weights=parts, minlength=self.tokens
        ).astype(np.float64)
        if self.occurrences:
            by_token += self.occurrences.spread(features.double().numpy(), self.tokens)
        return by_token


class Attributor:
    """An adapter in float32 on the CPU, as gradients need it; packed kernels have none.

    Raises:
        AdapterError, BaseModelError: it cannot be loaded.
    """

    def __init__(self, adapter: Adapter) -> None:
        self.classifier = adapter.classifier()
        self._model = adapter.plain_model(self.classifier)
        self._lexical = adapter.lexical()
        self._calibrations = adapter.manifest.calibrations()

    def attribute(
        self, review: Texts, labels: Mapping[str, int], line: Quadrature
    ) -> dict[str, Attribution]:
        """What the tokens of a review add to the probability of each target's label.

        Args:
            review: it has a text for each of the targets.
            labels: per target the label, index into `LABELS`.
            line: where gradients are taken.
        """
        inputs = self._inputs(review)
        embeddings, features = self._gradients(inputs, labels, line)
        ends = self._probabilities(
            inputs,
            torch.stack([inputs.nothing, inputs.embedded]),
            torch.stack([torch.zeros_like(inputs.features), inputs.features]),
        )
        attributions = {}
        for target, label in labels.items():
            start, end = ends[target][:, label].tolist()
            tokens = inputs.by_token(
                (inputs.embedded - inputs.nothing) * embeddings[target],
                inputs.features * features[target],
            )
            attributions[target] = Attribution(tokens, start, end)
        return attributions

    def _inputs(self, review: Texts) -> _Inputs:
        prepared = self.classifier.prepare([review])
        aspects = prepared.tokens[0]
        batch: Any = self.classifier.collate(prepared.items)
        sources = np.full(batch.ids.shape, -1, np.int64)
        for target, places in prepared.places.items():
            if places[0] >= 0:
                token_sources = self.classifier.tokenizer.sources(aspects, target)
                sources[places[0], : len(token_sources)] = token_sources
        table = _embedding(self._model.backbone)
        embedded = table(batch.ids).detach()
        padding = table(torch.tensor(self.classifier.pad_id)).detach()
        nothing = torch.where(torch.from_numpy(sources >= 0)[..., None], padding, embedded)
        occurrences = self._lexical.occurrences(aspects) if self._lexical else None
        there = with_text([review])[0]
        return _Inputs(
            prepared=prepared,
            batch=batch,
            sources=sources,
            nothing=nothing,
            embedded=embedded,
            occurrences=occurrences,
            features=torch.from_numpy(occurrences.values) if occurrences else torch.zeros(0),
            mixtures={
                target: calibration.mixture(target, Form.of(there))
                for target, calibration in self._calibrations.items()
                if there[TARGETS.index(target)]
            },
        )

    def _gradients(
        self, inputs: _Inputs, labels: Mapping[str, int], line: Quadrature
    ) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """Mean gradients along the line, per target, by embeddings and by n-grams' features."""
        embeddings = {target: torch.zeros_like(inputs.embedded) for target in labels}
        features = {target: torch.zeros_like(inputs.features) for target in labels}
        step = max(1, BATCH_TOKENS // inputs.sources.size)
        for start in range(0, len(line.at), step):
            at = torch.tensor(line.at[start : start + step], dtype=torch.float32)
            weights = torch.tensor(line.weights[start : start + step], dtype=torch.float32)
            between = inputs.embedded - inputs.nothing
            points = (inputs.nothing + at[:, None, None, None] * between).requires_grad_()
            counts = (at[:, None] * inputs.features).requires_grad_()
            probabilities = self._probabilities(inputs, points, counts)
            for target, label in labels.items():
                explained = probabilities[target][:, label] @ weights
                slopes = torch.autograd.grad(
                    explained, [points, counts], retain_graph=True, materialize_grads=True
                )
                embeddings[target] += slopes[0].sum(dim=0)
                features[target] += slopes[1].sum(dim=0)
        return embeddings, features

    def _probabilities(
        self, inputs: _Inputs, points: torch.Tensor, features: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Calibrated probabilities (n, 3) per target at n `points` (n, items, L, hidden)."""
        model = self._of_model(inputs, points)
        lexical = self._of_lexical(inputs, features)
        probabilities = {}
        for target, mixture in inputs.mixtures.items():
            scores = torch.tensor([mixture.bias])
            for source, weights in mixture.weights.items():
                for weight, log_probs in zip(weights, (model, lexical), strict=True):
                    # A model that reads no such text of this review says nothing of it.
                    if source in log_probs:
                        scores = scores + weight * log_probs[source]
            probabilities[target] = scores.softmax(dim=1)
        return probabilities

    def _of_model(self, inputs: _Inputs, points: torch.Tensor) -> dict[str, torch.Tensor]:
        """The model's log-probabilities (n, 3) per target."""
        n, items = points.shape[:2]
        with _embedded(self._model.backbone, points.flatten(0, 1)):
            logits = self._model(_repeated(inputs.batch, n))
        of_model = {}
        for target in self._model.levels:
            if (item := int(inputs.prepared.places[target][0])) >= 0:
                log_probs = self._model.label_log_probs(logits[target], target)
                of_model[target] = log_probs.reshape(n, items, len(LABELS))[:, item]
        return of_model

    def _of_lexical(self, inputs: _Inputs, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """The n-gram model's log-probabilities (n, 3) per target, nothing where there is none."""
        if not (self._lexical and inputs.occurrences):
            return {}
        of_lexical = {}
        for target, weights in self._lexical.weights.items():
            target_weights = torch.from_numpy(weights[inputs.occurrences.columns])
            odds = features @ target_weights + torch.from_numpy(self._lexical.bias[target])
            of_lexical[target] = logsigmoid(odds).log_softmax(dim=1)
        return of_lexical


def _embedding(backbone: Any) -> nn.Module:
    """The layer that looks the embeddings of a review's tokens up."""
    reads = backbone.encoder if backbone.config.is_encoder_decoder else backbone
    layer: nn.Module = reads.get_input_embeddings()
    return layer


@contextmanager
def _embedded(backbone: nn.Module, states: torch.Tensor) -> Iterator[None]:
    """Have the model read `states` (b, L, hidden) in place of its next batch's embeddings.

    A decoder may look its first token up in the same layer, after the encoder.
    """
    waiting = [states]

    def replace(_layer: nn.Module, _inputs: object, looked_up: torch.Tensor) -> torch.Tensor:
        return waiting.pop() if waiting else looked_up

    handle = _embedding(backbone).register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()


def _repeated(batch: Items, times: int) -> Items:
    """The batch's items so often, one after the other."""
    tensors = (getattr(batch, field.name) for field in fields(batch))
    return type(batch)(*(tensor.repeat(times, 1) for tensor in tensors))
