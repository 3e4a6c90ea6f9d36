"""The curve of a cascade: what a share that is sent on gains, on reviews that both held out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from drugmon.errors import SinkError
from drugmon.models.adapters.adapter import Adapter
from drugmon.reports.card import card_with_cascade
from drugmon.reports.comparison import CascadeCurve, CascadePoint
from drugmon.scoring.cascade.cascade import Cascade
from drugmon.scoring.cascade.doubt import Doubt
from drugmon.scoring.cascade.pair import HeldOutPair, PairCalibration, fit_pair
from drugmon.scoring.scores import Evidence, Scores, joined
from drugmon.workflows.compare.evaluate import measure_labels

SHARES: Final = (0, 0.05, 0.1, 0.2, 0.3, 0.5, 1)
FOLDS: Final = 5
FEWEST: Final = 450
"""Labelled reviews that both held out: four fifths of them are enough to fit on."""

_SEED: Final = 0
_STEPS: Final = FOLDS + len(SHARES)
_NOTHING: Final = Evidence({}, None)


def open_pair(first: Adapter, second: Adapter) -> HeldOutPair:
    """What both adapters said of the reviews that both held out, enough of them for a curve.

    Raises:
        AdapterError: an adapter has no held-out reviews, or they have too few in common.
    """
    for adapter in (first, second):
        adapter.verify()
    pair = Cascade.of(first, second, Doubt.at(0)).pair
    pair.check(first.manifest.identity, second.manifest.identity, FEWEST)
    return pair


def draw_curve(
    pair: HeldOutPair,
    first: Adapter,
    second: Adapter,
    speeds: Mapping[str, float],
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> CascadeCurve:
    """Measure every share on the common held-out reviews, fitted and measured in turns over folds.

    Calibrations, weights and thresholds come from the other folds, those of the first adapter too.

    Args:
        pair: of `open_pair`.
        first: the adapter that judges all; its rule decides.
        second: the one behind it.
        speeds: reviews per second that were measured of each, by identity.
        on_progress: told how many folds are fitted and shares measured, and of how many.
    """
    fold, likeliest = folds_of(pair), first.manifest.rule == "likeliest"
    parts = []
    for k in range(FOLDS):
        parts.append(_judged(pair.take(fold != k), pair.take(fold == k), likeliest))
        on_progress(len(parts), _STEPS)
    order = np.concatenate([np.flatnonzero(fold == k) for k in range(FOLDS)])
    labels = {
        target: target_labels[order].astype(np.int64)
        for target, target_labels in pair.labels.items()
    }
    _, copies = np.unique(pair.hashes[order], axis=0, return_inverse=True)
    one, other = (speeds[adapter.manifest.identity] for adapter in (first, second))
    points = []
    for number, share in enumerate(SHARES):
        scores = joined([part[number] for part in parts])
        sent = float(np.mean(np.concatenate([part[number].both for part in parts])))
        speed = 1 / (1 / one + sent / other)
        points.append(
            CascadePoint(share, sent, speed, measure_labels(scores, labels, copies.ravel()))
        )
        on_progress(FOLDS + len(points), _STEPS)
    identities = (first.manifest.identity, second.manifest.identity)
    return CascadeCurve(*identities, len(pair), FOLDS, tuple(points))


def check_card(adapter: Adapter) -> None:
    """See that the card of an adapter can be written, before anything is measured for it.

    Raises:
        SinkError: it cannot.
    """
    if not os.access(adapter.folder, os.W_OK | os.X_OK):
        raise SinkError(
            f"{adapter.folder}: this user cannot write there; copy the adapter to a folder of your "
            "own and name that with --adapter, or leave out --card"
        )


def keep_in_card(adapter: Adapter, curve: CascadeCurve, compute: str) -> None:
    """Let the card of the first adapter tell what the second one behind it gains.

    Args:
        adapter: the first one.
        curve: of both.
        compute: what both were timed on.

    Raises:
        SinkError: it cannot be written.
    """
    adapter.write_card(card_with_cascade(adapter.card, curve, compute))


def folds_of(pair: HeldOutPair) -> npt.NDArray[np.int64]:
    """The fold of each review (n,); copies are in one."""
    unique, places = np.unique(pair.hashes, axis=0, return_inverse=True)
    fold = np.random.default_rng(_SEED).permutation(len(unique)) % FOLDS
    return np.asarray(fold[places.reshape(-1)], np.int64)


def _judged(fitting: HeldOutPair, measured: HeldOutPair, likeliest: bool) -> list[Scores]:
    """The verdicts of `measured` for every share, all of it fitted on `fitting`."""
    alone = _fitted(replace(fitting, second=_NOTHING), likeliest)
    both = _fitted(fitting, likeliest)
    of_first = alone.judge(fitting.texts, fitting.first, _NOTHING).probabilities
    sure = alone.judge(measured.texts, measured.first, _NOTHING)
    certain = both.judge(measured.texts, measured.first, measured.second)
    scores = []
    for share in SHARES:
        sent = Doubt.of_share(share, fitting.texts, of_first).of(measured.texts, sure.probabilities)
        labels = np.where(sent[:, None], certain.labels, sure.labels)
        shares = np.where(sent[:, None, None], certain.probabilities, sure.probabilities)
        scores.append(Scores(labels, shares, sent))
    return scores


def _fitted(pair: HeldOutPair, likeliest: bool) -> PairCalibration:
    fitted = fit_pair(pair)
    return fitted.likeliest() if likeliest else fitted
