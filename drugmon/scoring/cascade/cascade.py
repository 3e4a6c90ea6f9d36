"""A cascade: the adapter that judges every review, and the one behind it for those of doubt.

What the first is sure of is its own verdict, as it would be without a second. What it doubts is
judged by both, under an identity and a fingerprint of their own: the share that is asked for is in
neither, so that a verdict that is settled is settled for every share.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from drugmon.config import DEFAULT_SHARE, CascadeOptions
from drugmon.errors import UsageError
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.models.adapters.manifest import pair_identity
from drugmon.models.files import HELD_OUT
from drugmon.scoring.cascade.doubt import Doubt
from drugmon.scoring.cascade.pair import HeldOutPair, PairCalibration, fit_pair
from drugmon.scoring.held_out import HeldOutEvidence
from drugmon.scoring.scores import judge_texts


@dataclass(frozen=True)
class Cascade:
    """Two adapters under one decision rule, and what of the first one's verdicts is doubted.

    `pair` is what both said of reviews that neither had seen.
    """

    first: Adapter
    second: Adapter
    doubt: Doubt
    pair: HeldOutPair

    @classmethod
    def of(cls, first: Adapter, second: Adapter, doubt: Doubt) -> Cascade:
        """That of two verified adapters.

        Args:
            first: what judges every review.
            second: what judges again those of doubt.
            doubt: which these are.

        Raises:
            AdapterError: they were not trained such that one can be weighed against the other.
        """
        pair = HeldOutPair.of(*map(HeldOutEvidence.of_adapter, (first, second)))
        pair.check(first.manifest.identity, second.manifest.identity)
        return cls(first, second, doubt, pair)

    @property
    def identity(self) -> str:
        """What is written beside verdicts that both have judged: `name@digest+name@digest`."""
        return pair_identity(self.first.manifest, self.second.manifest)

    @property
    def context(self) -> str:
        """All that decides the verdicts of both: adapters, rule, and what joins their evidence."""
        both = (self.first.manifest, self.second.manifest)
        fitted_on = (manifest.files[HELD_OUT] for manifest in both)
        return ":".join((*(manifest.digest for manifest in both), both[0].rule, *fitted_on))

    @cached_property
    def calibration(self) -> PairCalibration:
        """How the evidence of both is joined; fitting it takes seconds, so no night with nothing to
        send on does.
        """
        fitted = fit_pair(self.pair)
        return fitted.likeliest() if self.first.manifest.rule == "likeliest" else fitted


def open_cascade(first: Adapter, options: CascadeOptions) -> Cascade | None:
    """The cascade that is asked for; None where no second adapter is.

    Args:
        first: the adapter that judges every review.
        options: which adapter is behind it, and what is sent on to it.

    Raises:
        UsageError: both are the same.
        AdapterError: the second is not to be had, or the two were not trained such that one can be
            weighed against the other.
    """
    if not options.then:
        return None
    second = open_adapter(options.then).under(first.manifest.rule)
    if second.manifest.digest == first.manifest.digest:
        raise UsageError(
            f"--then {options.then} is the adapter that judges first; name another one"
        )
    for adapter in (first, second):
        adapter.verify()
    return Cascade.of(first, second, _doubt(first, options))


def _doubt(first: Adapter, options: CascadeOptions) -> Doubt:
    if options.below is not None:
        return Doubt.at(options.below)
    held_out = HeldOutEvidence.of_adapter(first)
    there = held_out.texts
    scores = judge_texts(there, held_out.evidence, first.manifest.calibrations())
    share = DEFAULT_SHARE if options.share is None else options.share
    return Doubt.of_share(share, there, scores.probabilities)
