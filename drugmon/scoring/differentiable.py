"""An adapter in float32 on the CPU that gradients go through, down to all that is read of a review.

Packed kernels have no gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.functional import logsigmoid

from drugmon.data.reviews import Texts
from drugmon.labels import LABELS
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.classifiers.lexical import Occurrences
from drugmon.models.tokens.inputs import TokenBatch
from drugmon.models.tokens.prepared import Prepared
from drugmon.models.tokens.prompts import PromptBatch

Items = TypeVar("Items", bound=TokenBatch | PromptBatch)
Floats = npt.NDArray[np.float64]


class Place(NamedTuple):
    """n places on the line: embeddings float32 (n, items, L, hidden), n-grams' features (n, k)."""

    embeddings: torch.Tensor
    features: torch.Tensor


@dataclass(frozen=True)
class Inputs:
    """One review as an adapter reads it.

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

    def places(self, at: torch.Tensor) -> Place:
        """Those `at` (n,) of the line's length."""
        embeddings = self.nothing + at[:, None, None, None] * (self.embedded - self.nothing)
        return Place(embeddings, at[:, None] * self.features)

    def by_token(self, slope: Place) -> Floats:
        """What each token (tokens,) adds, from the mean gradients along the line, n of 1."""
        read = self.sources >= 0
        parts = ((self.embedded - self.nothing) * slope.embeddings[0]).sum(dim=2)
        tokens = sum(len(ids) for ids in self.prepared.tokens[0])
        by_token: Floats = np.bincount(
            self.sources[read], weights=parts.double().numpy()[read], minlength=tokens
        ).astype(np.float64)
        if self.occurrences:
            of_ngrams = (self.features * slope.features[0]).double().numpy()
            by_token += self.occurrences.spread(of_ngrams, tokens)
        return by_token


Experts = Mapping[str, tuple[torch.Tensor | None, torch.Tensor | None]]
"""Log-probabilities (n, 3) of a model and of the n-gram model, None where they say nothing."""


class Differentiable:
    """An adapter that gradients go through.

    Args:
        adapter: verified or not; its weights are loaded once more.

    Raises:
        AdapterError, BaseModelError: it cannot be loaded.
    """

    def __init__(self, adapter: Adapter) -> None:
        self.classifier = adapter.classifier()
        self._model = adapter.plain_model(self.classifier)
        self._lexical = adapter.lexical()

    @property
    def states(self) -> int:
        """Numbers in a token's states of all layers."""
        config: Any = self._model.backbone.config
        return int(config.num_hidden_layers * config.hidden_size)

    def inputs(self, review: Texts) -> Inputs:
        """A review as it reads it."""
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
        occurrences = self._lexical.occurrences(aspects) if self._lexical else None
        return Inputs(
            prepared=prepared,
            batch=batch,
            sources=sources,
            nothing=torch.where(torch.from_numpy(sources >= 0)[..., None], padding, embedded),
            embedded=embedded,
            occurrences=occurrences,
            features=torch.from_numpy(occurrences.values) if occurrences else torch.zeros(0),
        )

    def experts(self, inputs: Inputs, place: Place) -> Experts:
        """What it says of each target at `place`."""
        of_model = self._of_model(inputs, place.embeddings)
        of_lexical = self._of_lexical(inputs, place.features)
        return {
            # A model that reads no such text of this review says nothing of it.
            target: (of_model.get(target), of_lexical.get(target))
            for target in {*of_model, *of_lexical}
        }

    def _of_model(self, inputs: Inputs, points: torch.Tensor) -> dict[str, torch.Tensor]:
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

    def _of_lexical(self, inputs: Inputs, features: torch.Tensor) -> dict[str, torch.Tensor]:
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
