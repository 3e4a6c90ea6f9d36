"""Two adapters' evidence joined: weights, bias and decision rule for what both have judged.

A product of experts as in `combination`, over what the encoder and the lexical model of both
adapters say, fitted on the reviews that both held out: what either had learned by heart does not
count. As for one adapter, overall of a review with a text for every aspect is judged from all
targets, and that of a lone text from those that tell on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from drugmon.errors import AdapterError
from drugmon.labels import TARGETS
from drugmon.models.adapters.calibration import LONE_TARGETS, Form
from drugmon.models.adapters.combination import FEWEST, Combination, fit_combination
from drugmon.scoring.held_out import HeldOutEvidence
from drugmon.scoring.scores import Evidence, Floats, Scores, no_verdicts

SEED: Final = 0
"""Of the resamples that steady decision offsets: the same pair is fitted alike everywhere."""

T = TypeVar("T")
Rows = npt.NDArray[Any]
Experts = dict[str, list[Floats]]


@dataclass(frozen=True)
class HeldOutPair:
    """What both adapters said of n reviews that neither had seen.

    `hashes` uint8 (n, 16) are the reviews', `texts` bool (n, 4) tells which texts there are.
    `labels` has per target the true label indices int8 (n,), -1 where unknown.
    """

    hashes: npt.NDArray[np.uint8]
    texts: npt.NDArray[np.bool_]
    first: Evidence
    second: Evidence
    labels: Mapping[str, npt.NDArray[np.int8]]

    def __len__(self) -> int:
        return len(self.hashes)

    @classmethod
    def of(cls, first: HeldOutEvidence, second: HeldOutEvidence) -> HeldOutPair:
        """The reviews of `first` that `second` holds too; a label that one does not know is the
        other's.
        """
        places = second.rows_of(first.hashes)
        shared = np.flatnonzero(places >= 0)
        one, other = first.take(shared), second.take(places[shared])
        unknown = np.full(len(shared), -1, np.int8)
        labels = {}
        for target in {*one.labels, *other.labels}:
            first_labels = one.labels.get(target, unknown)
            labels[target] = np.where(
                first_labels < 0, other.labels.get(target, unknown), first_labels
            )
        return cls(one.hashes, one.texts, one.evidence, other.evidence, labels)

    def take(self, rows: Rows) -> HeldOutPair:
        """That of some rows, indices (k,) or a mask (n,)."""
        return HeldOutPair(
            self.hashes[rows],
            self.texts[rows],
            self.first.take(rows),
            self.second.take(rows),
            {target: labels[rows] for target, labels in self.labels.items()},
        )

    @property
    def targets(self) -> tuple[str, ...]:
        """What is judged, in output order."""
        return tuple(target for target in TARGETS if target in self.first.model)

    def labelled(self, target: str) -> npt.NDArray[np.bool_]:
        """The reviews (n,) that have a text for `target` and a label of it."""
        labels = self.labels.get(target, np.full(len(self), -1, np.int8))
        return np.asarray(self.texts[:, TARGETS.index(target)] & (labels >= 0))

    def check(self, first: str, second: str, fewest: int = FEWEST) -> None:
        """Refuse a pair that cannot be calibrated.

        Args:
            first: what messages call the first adapter, and
            second: the second.
            fewest: how many labelled reviews each target needs.

        Raises:
            AdapterError: they judge different targets, or held too few of the same reviews out.
        """
        if set(self.first.model) != set(self.second.model):
            one, other = (
                ", ".join(sorted(evidence.model)) for evidence in (self.first, self.second)
            )
            raise AdapterError(
                f"a cascade needs adapters of the same targets: {first} judges {one}, {second} "
                f"{other}; train one of them again"
            )
        for target in self.targets:
            if (count := int(self.labelled(target).sum())) < fewest:
                raise AdapterError(
                    f"adapters {first} and {second} held out {count:,} of the same reviews with a "
                    f"label of {target}, and it takes {fewest:,} to weigh one against the other: "
                    "train both on the same target source, cross-fitted (split.folds), or score "
                    "with one of them"
                )


@dataclass(frozen=True)
class PairCalibration:
    """`mixtures` has, per target and form of a review, what joins the evidence of both adapters."""

    mixtures: Mapping[str, Mapping[Form, Combination]]

    def judge(self, there: npt.NDArray[np.bool_], first: Evidence, second: Evidence) -> Scores:
        """Verdicts of n reviews that both adapters have judged.

        Args:
            there: bool (n, 4), which targets have a text.
            first: what the first adapter says of them, and
            second: the second.
        """
        scores = no_verdicts(len(there))
        for target, mixtures in self.mixtures.items():
            column = TARGETS.index(target)
            for form, of_form in Form.rows(there).items():
                rows = np.flatnonzero(of_form & there[:, column])
                probabilities = mixtures[form].probabilities(_experts(first, second, rows))
                scores.probabilities[rows, column] = probabilities
                scores.labels[rows, column] = mixtures[form].decide(probabilities)
        return scores

    def likeliest(self) -> PairCalibration:
        """The same probabilities; the largest gives the label."""
        return PairCalibration(
            {
                target: {form: mixture.likeliest() for form, mixture in by_form.items()}
                for target, by_form in self.mixtures.items()
            }
        )


def fit_pair(pair: HeldOutPair) -> PairCalibration:
    """Fit every target, by form; `pair.check` tells whether there is enough to fit on."""
    return PairCalibration({target: _fit_target(pair, target) for target in pair.targets})


def _fit_target(pair: HeldOutPair, target: str) -> dict[Form, Combination]:
    labelled, forms = pair.labelled(target), Form.rows(pair.texts)
    in_parts = labelled & ~forms[Form.LONE]
    from_itself = _fit(pair, target, [target], in_parts if in_parts.sum() >= FEWEST else labelled)
    if from_itself is None:
        raise ValueError(f"{labelled.sum()} reviews are too few to fit {target} on")
    by_form = dict.fromkeys(Form, from_itself)
    if target == "overall":
        every = pair.targets if set(pair.targets) == set(TARGETS) else ()
        lone = [source for source in LONE_TARGETS if source in pair.targets]
        for form, sources in ((Form.EVERY_ASPECT, every), (Form.LONE, lone)):
            if special := _fit(pair, target, sources, labelled & forms[form]):
                by_form[form] = special
    return by_form


def _fit(
    pair: HeldOutPair, target: str, sources: Sequence[str], rows: npt.NDArray[np.bool_]
) -> Combination | None:
    """`target` from what both say of `sources`; None where the reviews are too few, or nothing."""
    experts = _experts(pair.first, pair.second, rows)
    of_sources = {
        key: evidence
        for source in sources
        for key, evidence in experts.items()
        if key in _keys(source)
    }
    if not of_sources:
        return None
    return fit_combination(of_sources, pair.labels[target][rows].astype(np.int64), seed=SEED)


def _experts(first: Evidence, second: Evidence, rows: Rows) -> Experts:
    """Every target's evidence of both adapters, as a combination weighs it."""
    return joined_experts(first.experts(rows), second.experts(rows))


def joined_experts(first: Mapping[str, T], second: Mapping[str, T]) -> dict[str, T]:
    """What both adapters say, by target, under the names that a pair's combinations weigh it by."""
    return {
        _keys(target)[number]: said
        for number, experts in enumerate((first, second))
        for target, said in experts.items()
    }


def _keys(target: str) -> tuple[str, str]:
    """What the weights of a target's evidence are called: by the first adapter, and the second."""
    return f"first {target}", f"second {target}"
