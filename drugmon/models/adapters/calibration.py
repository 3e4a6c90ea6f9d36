"""Calibration: probabilities that mean what they say, and a decision rule of its own.

The encoder's and the lexical model's log-probabilities are weighed and a bias per class is added,
all fitted by likelihood on held-out reviews: temperature scaling (Guo et al., "On Calibration of
Modern Neural Networks", 2017) with bias correction (Alexandari et al., "Maximum Likelihood with
Bias-Corrected Calibration is Hard-To-Beat at Label Shift Adaptation", 2020) over a product of
experts (Hinton, 2002). The label is decided by its own offsets on the log-probabilities (logit
adjustment: Menon et al., 2021; how they are chosen: `decision`). Offsets move labels, never
probabilities.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from drugmon.labels import ASPECTS
from drugmon.models.adapters.combination import Combination
from drugmon.models.adapters.decision import (
    NO_OFFSETS,
    Floats,
    Labels,
    Triple,
    decide,
    fit_offsets,
    softmax,
)
from drugmon.records import filled

LONE_TARGETS: Final = ("comments", "overall")
"""Whose evidence tells on a lone text: it stands where comments do."""

_SPECIAL: Final = ("combination", "lone")


class Form(Enum):
    """Which texts a review has, as far as calibrations tell them apart."""

    EVERY_ASPECT = "a text for every aspect"
    SOME = "texts of some aspects"
    LONE = "a lone text"

    @classmethod
    def of(cls, with_text: npt.NDArray[np.bool_]) -> Form:
        """The form of a review, from which targets have a text (4,)."""
        if with_text.all():
            return cls.EVERY_ASPECT
        return cls.SOME if with_text[: len(ASPECTS)].any() else cls.LONE

    @classmethod
    def rows(cls, with_text: npt.NDArray[np.bool_]) -> dict[Form, npt.NDArray[np.bool_]]:
        """Which reviews (n,) are of each form, from which targets have a text (n, 4)."""
        every = np.asarray(with_text.all(axis=1))
        some = np.asarray(with_text[:, : len(ASPECTS)].any(axis=1)) & ~every
        return {cls.EVERY_ASPECT: every, cls.SOME: some, cls.LONE: ~some & ~every}


@dataclass(frozen=True)
class Calibration:
    """One target's calibration.

    Probabilities are softmax(encoder / temperature + lexical_weight * lexical + bias), both inputs
    log-probabilities; the label is where log-probability + `offsets` is largest. Overall may have a
    `combination`, which judges the reviews that have a text for every aspect, and one for `lone`
    texts.
    """

    temperature: float = 1.0
    lexical_weight: float = 0.0
    bias: Triple = (0.0, 0.0, 0.0)
    offsets: Triple = (0.0, 0.0, 0.0)
    combination: Combination | None = None
    lone: Combination | None = None

    def probabilities(
        self, encoder: Floats, lexical: Floats | None = None
    ) -> npt.NDArray[np.float32]:
        """Calibrated probabilities float32 (n, 3), rows sum to 1, from log-probabilities (n, 3)."""
        scores = np.asarray(encoder, dtype=np.float64) / self.temperature + np.array(self.bias)
        if lexical is not None:
            scores = scores + self.lexical_weight * lexical
        return softmax(scores).astype(np.float32)

    def mixture(self, target: str, form: Form) -> Combination:
        """What judges `target` of a review of that form, as all ways of judging can be written."""
        if special := self.special(form):
            return special
        weights = {target: (1 / self.temperature, self.lexical_weight)}
        return Combination(weights, self.bias, self.offsets)

    def special(self, form: Form) -> Combination | None:
        """What judges reviews of that form in place of the target's own evidence, if anything."""
        return {Form.EVERY_ASPECT: self.combination, Form.LONE: self.lone}.get(form)

    def decide(self, probabilities: Floats) -> npt.NDArray[np.int8]:
        """Label indices int8 (n,) from calibrated probabilities (n, 3)."""
        return decide(probabilities, self.offsets)

    def likeliest(self) -> Calibration:
        """The same probabilities; the largest gives the label."""
        return dataclasses.replace(
            self,
            offsets=NO_OFFSETS,
            combination=self.combination.likeliest() if self.combination else None,
            lone=self.lone.likeliest() if self.lone else None,
        )

    def to_dict(self) -> dict[str, object]:
        """For the manifest; without what is not there."""
        whole = asdict(self)
        for name in _SPECIAL:
            special: Combination | None = getattr(self, name)
            whole[name] = special.to_dict() if special else None
        return {name: value for name, value in whole.items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Calibration:
        """From the manifest; other keys are ignored. Raises ValueError on another shape."""
        return filled(cls, {name: value for name, value in values.items() if value is not None})


def fit_calibration(
    encoder: Floats, lexical: Floats | None, labels: Labels, *, seed: int | None
) -> Calibration:
    """Fit one target on held-out reviews.

    Args:
        encoder: (n, 3) log-probabilities of the encoder on the path that scores.
        lexical: (n, 3) log-probabilities of the lexical model, None where the adapter has none.
        labels: (n,) true label indices.
        seed: for the resamples that steady the decision offsets; None where nothing is decided.
    """
    fitted = _fit_probabilities(encoder, lexical, labels)
    if seed is None:
        return fitted
    log_probs = np.log(np.maximum(fitted.probabilities(encoder, lexical), 1e-12))
    return dataclasses.replace(fitted, offsets=fit_offsets(log_probs, labels, seed))


def _fit_probabilities(encoder: Floats, lexical: Floats | None, labels: Labels) -> Calibration:
    """Weights and bias of most likelihood, lightly held to no change for small samples."""
    from scipy.optimize import minimize

    rows = np.arange(len(labels))

    def at(values: Floats) -> Calibration:
        log_temperature, weight, negative, neutral = map(float, values)
        bias = (negative, neutral, 0.0)
        return Calibration(float(np.exp(log_temperature)), weight, bias)

    def loss(values: Floats) -> float:
        likely = at(values).probabilities(encoder, lexical)[rows, labels]
        pull = np.square(values).sum() / len(labels)
        return float(pull - np.log(np.maximum(likely, 1e-12), dtype=np.float64).mean())

    bounds = [(-2, 2), (0, 3 if lexical is not None else 0), (-3, 3), (-3, 3)]
    # float32 probabilities are too coarse for the default step of the numerical gradient.
    best = minimize(loss, np.zeros(4), method="L-BFGS-B", bounds=bounds, options={"eps": 1e-3})
    return at(best.x)
