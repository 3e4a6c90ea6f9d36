"""Profiles put together: what several runs scored, as one reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from drugmon.labels import LABELS
from drugmon.monitoring.profiles.groups import kept_groups
from drugmon.monitoring.profiles.names import NameMix, mix_of
from drugmon.monitoring.profiles.reference import (
    Groups,
    Profile,
    Spread,
    TargetProfile,
    TextProfile,
)
from drugmon.monitoring.profiles.words import WordCounts, kept_words
from drugmon.statistics.histogram import Histogram
from drugmon.statistics.moments import Moments


def kept_profile(profile: Profile) -> Profile:
    """The profile without rare names and words: what may be written to a file."""

    def mix(names: NameMix | None) -> NameMix | None:
        if names is None:
            return None
        counted: dict[str | None, int] = {None: names.missing}
        counted.update(names.names)
        return mix_of(counted)

    words = profile.words
    return replace(
        profile,
        drugs=mix(profile.drugs),
        conditions=mix(profile.conditions),
        words=None if words is None else kept_words(words.reviews, words.counts),
        groups={
            column: kept_groups(
                {
                    value: np.array(
                        [[cell[label] for label in LABELS] for cell in targets.values()]
                    )
                    for value, targets in values.items()
                }
            )
            for column, values in profile.groups.items()
        },
    )


def merge_profiles(profiles: Sequence[Profile]) -> Profile:
    """One profile of the rows of all; quality is left out, as its intervals do not add up.

    A part that one of them lacks is left out. Names and words that one of them does not tell count
    as none there.
    """
    first, *others = profiles
    if not others:
        return first
    return Profile(
        n=sum(profile.n for profile in profiles),
        targets={
            name: _targets([profile.targets[name] for profile in profiles])
            for name in first.targets
        },
        texts={
            name: _texts([(profile.texts[name], profile.n) for profile in profiles])
            for name in first.texts
            if all(name in profile.texts for profile in profiles)
        },
        drugs=_mixes([profile.drugs for profile in profiles]),
        conditions=_mixes([profile.conditions for profile in profiles]),
        ratings=_counts([profile.ratings for profile in profiles]),
        words=_words([profile.words for profile in profiles]),
        groups=_groups([profile.groups for profile in profiles]),
        # A review that two runs scored would be a repeat which neither of them saw.
        repeats=None,
        unknown_words=_spreads([profile.unknown_words for profile in profiles]),
    )


def _targets(parts: Sequence[TargetProfile]) -> TargetProfile:
    judged = sum(part.judged for part in parts)
    means = {
        label: sum((part.mean_probabilities or {}).get(label, 0.0) * part.judged for part in parts)
        for label in LABELS
    }
    return TargetProfile(
        counts=_counts([part.counts for part in parts]) or {},
        confidence=_histograms([part.confidence for part in parts]),
        probabilities={
            label: _histograms([part.probabilities[label] for part in parts]) for label in LABELS
        },
        mean_probabilities={label: total / judged for label, total in means.items()}
        if judged
        else None,
        moments=_moments([part.moments for part in parts]),
    )


def _moments(parts: Sequence[Mapping[str, Moments] | None]) -> dict[str, Moments] | None:
    present = [part for part in parts if part is not None]
    if len(present) < len(parts):
        return None
    return {
        label: Moments(
            sum(part[label].n for part in present),
            tuple(np.sum([part[label].sums for part in present], axis=0).tolist()),
            tuple(map(tuple, np.sum([part[label].products for part in present], axis=0).tolist())),
        )
        for label in LABELS
    }


def _histograms(parts: Sequence[Histogram]) -> Histogram:
    counts = np.sum([part.counts for part in parts], axis=0)
    return Histogram(parts[0].edges, tuple(map(int, counts)))


def _texts(parts: Sequence[tuple[TextProfile, int]]) -> TextProfile:
    rows = sum(n for _, n in parts)
    empty = sum((part.share_empty or 0.0) * n for part, n in parts)
    lengths = _histograms([part.length for part, _ in parts])
    return TextProfile(lengths, empty / rows if rows else None)


def _mixes(parts: Sequence[NameMix | None]) -> NameMix | None:
    present = [part for part in parts if part is not None]
    if len(present) < len(parts):
        return None
    names: Counter[str] = Counter()
    for part in present:
        names.update(part.names)
    return NameMix(
        dict(names.most_common()),
        sum(part.other for part in present),
        sum(part.missing for part in present),
        max(len(names), *(part.distinct for part in present)),
        most_unnamed=sum(part.unnamed for part in present),
    )


def _words(parts: Sequence[WordCounts | None]) -> WordCounts | None:
    present = [part for part in parts if part is not None]
    if len(present) < len(parts):
        return None
    counts: Counter[str] = Counter()
    for part in present:
        counts.update(part.counts)
    # A word that a part does not tell may have stood in all but `least` of its reviews there.
    least = sum(part.least - 1 for part in present) + 1
    return WordCounts(sum(part.reviews for part in present), least, dict(counts.most_common()))


def _groups(parts: Sequence[Groups]) -> Groups:
    merged: dict[str, dict[str, dict[str, Mapping[str, int]]]] = {}
    for column in set.intersection(*(set(part) for part in parts)):
        values: dict[str, dict[str, Mapping[str, int]]] = {}
        for part in parts:
            for value, targets in part[column].items():
                merged_targets = values.setdefault(value, {})
                for target, counts in targets.items():
                    earlier = merged_targets.get(target, dict.fromkeys(counts, 0))
                    merged_targets[target] = _counts([earlier, counts]) or {}
        merged[column] = values
    return merged


def _counts(parts: Sequence[Mapping[str, int] | None]) -> dict[str, int] | None:
    present = [part for part in parts if part is not None]
    if len(present) < len(parts):
        return None
    return {key: sum(part.get(key, 0) for part in present) for key in present[0]}


def _spreads(parts: Sequence[Spread | None]) -> Spread | None:
    present = [part for part in parts if part is not None]
    if len(present) < len(parts):
        return None
    n = sum(part.n for part in present)
    mean = sum(part.n * part.mean for part in present) / n
    squares = sum(
        (part.n - 1) * part.deviation**2 + part.n * (part.mean - mean) ** 2 for part in present
    )
    return Spread(n, mean, float(np.sqrt(squares / (n - 1))))
