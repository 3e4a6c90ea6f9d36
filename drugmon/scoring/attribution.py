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
Of a review that both adapters of a cascade judged it is the probability that joins what both say:
then one line leads through the inputs of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch

from drugmon.data.reviews import Texts, with_text
from drugmon.labels import TARGETS
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.adapters.calibration import Form
from drugmon.models.adapters.combination import Combination
from drugmon.models.classifiers.classifier import Tokenizer
from drugmon.scoring.cascade.pair import joined_experts
from drugmon.scoring.differentiable import Differentiable, Floats, Place

if TYPE_CHECKING:
    from drugmon.scoring.cascade.cascade import Cascade

BATCH_STATES: Final = 2_048 * 6 * 384
"""Numbers in the states of all layers that gradients are kept of at a time: some 1 GB with reviews
of 512 tokens."""


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
    """What tokens add to a probability.

    Attributes:
        tokens: by adapter float64 (tokens,), what each of its tokens, through the aspects, adds.
        start: the probability where nothing is said, and
        end: that of the review.
    """

    tokens: tuple[Floats, ...]
    start: float
    end: float

    @property
    def rest(self) -> float:
        """What the tokens' parts lack of adding up."""
        return self.end - self.start - sum(float(parts.sum()) for parts in self.tokens)


class Attributor:
    """What the tokens of a review add to its verdicts.

    Args:
        adapter: what judges.
        cascade: the one that it is the first of, for verdicts that both adapters gave.

    Raises:
        AdapterError, BaseModelError: an adapter cannot be loaded; the second one is with the first
            verdict of both.
    """

    def __init__(self, adapter: Adapter, cascade: Cascade | None = None) -> None:
        self._first, self._cascade = Differentiable(adapter), cascade
        self._calibrations = adapter.manifest.calibrations()

    def tokenizers(self, both: bool = False) -> list[Tokenizer]:
        """What cuts reviews into the tokens of an attribution, by adapter."""
        return [model.classifier.tokenizer for model in self._models(both)]

    def attribute(
        self, review: Texts, labels: Mapping[str, int], line: Quadrature, both: bool = False
    ) -> dict[str, Attribution]:
        """What the tokens of a review add to the probability of each target's label.

        Args:
            review: it has a text for each of the targets.
            labels: per target the label, index into `LABELS`.
            line: where gradients are taken.
            both: of the verdict that both adapters of the cascade gave, not of the first one's own.
        """
        joint = _Joint(review, self._models(both), self._mixtures(review, both))
        slopes = joint.slopes(labels, line)
        with torch.no_grad():
            ends = joint.probabilities(joint.places(torch.tensor([0.0, 1.0])))
        attributions = {}
        for target, label in labels.items():
            start, end = ends[target][:, label].tolist()
            tokens = tuple(
                inputs.by_token(slope)
                for inputs, slope in zip(joint.inputs, slopes[target], strict=True)
            )
            attributions[target] = Attribution(tokens, start, end)
        return attributions

    @cached_property
    def _second(self) -> Differentiable:
        assert self._cascade is not None
        return Differentiable(self._cascade.second)

    def _models(self, both: bool) -> list[Differentiable]:
        return [self._first, self._second] if both else [self._first]

    def _mixtures(self, review: Texts, both: bool) -> dict[str, Combination]:
        """What judges the targets that have a text, from what the adapters say."""
        there = with_text([review])[0]
        form = Form.of(there)
        if both:
            assert self._cascade is not None
            of_both = self._cascade.calibration.mixtures
            mixtures = {target: of_target[form] for target, of_target in of_both.items()}
        else:
            mixtures = {
                target: calibration.mixture(target, form)
                for target, calibration in self._calibrations.items()
            }
        return {target: mixtures[target] for target in mixtures if there[TARGETS.index(target)]}


class _Joint:
    """One review before all that judge it together."""

    def __init__(
        self, review: Texts, models: Sequence[Differentiable], mixtures: Mapping[str, Combination]
    ) -> None:
        self._models, self._mixtures = models, mixtures
        self.inputs = [model.inputs(review) for model in models]

    def places(self, at: torch.Tensor) -> list[Place]:
        """For each model those `at` (n,) of the line's length."""
        return [inputs.places(at) for inputs in self.inputs]

    def slopes(self, labels: Mapping[str, int], line: Quadrature) -> dict[str, list[Place]]:
        """Mean gradients along the line, by target and model, n of 1."""
        slopes = {
            target: [Place(*map(torch.zeros_like, place)) for place in self.places(torch.zeros(1))]
            for target in labels
        }
        states = (
            model.states * inputs.sources.size
            for model, inputs in zip(self._models, self.inputs, strict=True)
        )
        step = max(1, BATCH_STATES // sum(states))
        for start in range(0, len(line.at), step):
            at = torch.tensor(line.at[start : start + step], dtype=torch.float32)
            weights = torch.tensor(line.weights[start : start + step], dtype=torch.float32)
            places = self.places(at)
            flat = [part.requires_grad_() for place in places for part in place]
            probabilities = self.probabilities(places)
            for target, label in labels.items():
                gradients = torch.autograd.grad(
                    probabilities[target][:, label] @ weights,
                    flat,
                    retain_graph=True,
                    materialize_grads=True,
                )
                sums = [part for slope in slopes[target] for part in slope]
                for part, gradient in zip(sums, gradients, strict=True):
                    part += gradient.sum(dim=0)
        return slopes

    def probabilities(self, places: Sequence[Place]) -> dict[str, torch.Tensor]:
        """Calibrated probabilities (n, 3) by target, with each model at its `places`."""
        said = [
            model.experts(inputs, place)
            for model, inputs, place in zip(self._models, self.inputs, places, strict=True)
        ]
        experts = said[0] if len(said) == 1 else joined_experts(*said)
        probabilities = {}
        for target, mixture in self._mixtures.items():
            scores = torch.tensor([mixture.bias])
            for source, weights in mixture.weights.items():
                for weight, log_probs in zip(weights, experts.get(source, ()), strict=False):
                    if log_probs is not None:
                        scores = scores + weight * log_probs
            probabilities[target] = scores.softmax(dim=1)
        return probabilities
