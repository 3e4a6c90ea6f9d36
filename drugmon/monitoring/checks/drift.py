"""Drift of outputs and inputs: probabilities, lengths, empty and repeated reviews, new words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from scipy import special, stats

from drugmon.labels import LABELS
from drugmon.monitoring.checks.balance import title_of
from drugmon.monitoring.checks.findings import Finding, moved, percent, too_few
from drugmon.monitoring.checks.gate import Gate
from drugmon.monitoring.checks.summary import Distribution
from drugmon.monitoring.profiles.reference import NONE, Profile
from drugmon.statistics.correction import combine
from drugmon.statistics.distances import kolmogorov_smirnov
from drugmon.statistics.figures import Interval
from drugmon.statistics.histogram import Histogram
from drugmon.statistics.permutation import Integers, ordered_test
from drugmon.statistics.shares import change, same_share

LONE_TEXT: Final = "text"
"""What a profile calls the only texts of reviews that have none by aspect."""


def output_findings(
    current: Profile, reference: Profile, gate: Gate, random: np.random.Generator
) -> Iterator[Finding]:
    """One finding a target: confidence and the three probabilities, each tested, taken together.

    Args:
        current: the window.
        reference: what it is compared with.
        gate: the thresholds.
        random: draws the permutations.
    """
    for target, now in current.targets.items():
        then = reference.targets[target]
        name, title = f"drift.probabilities.{target}", f"{title_of(target)}: probabilities"
        if not now.judged and not then.judged:
            continue
        judged = min(now.judged, then.judged)
        if judged < gate.min_reviews:
            yield too_few(name, title, judged, gate.min_reviews, "on one side")
            continue
        pairs = {
            "confidence": (now.confidence, then.confidence),
            **{f"p({x})": (now.probabilities[x], then.probabilities[x]) for x in LABELS},
        }
        p_value, most, effect = _most_moved(pairs, random)
        yield Finding(
            name,
            title,
            f"{title_of(target)}: {most} moved by {percent(effect.value)} of the verdicts at its "
            "largest gap.",
            f"Kolmogorov-Smirnov distance ({most})",
            effect,
            p_value,
            gate.probabilities,
            about=most,
        )


def length_findings(
    current: Profile,
    reference: Profile,
    aspects: Sequence[str],
    gate: Gate,
    random: np.random.Generator,
) -> Iterator[Finding]:
    """One finding: the lengths of all aspects' texts, and of reviews' only texts.

    Args:
        current: the window.
        reference: what it is compared with.
        aspects: those that both sides have.
        gate: the thresholds.
        random: draws the permutations.
    """
    pairs = {
        text: (current.texts[text].length, reference.texts[text].length)
        for text in (*aspects, LONE_TEXT)
        if text in current.texts and text in reference.texts
    }
    name, title = "drift.lengths", "Lengths of the texts"
    judged = {
        text: both
        for text, both in pairs.items()
        if min(sum(side.counts) for side in both) >= gate.min_reviews
    }
    if pairs and not judged:
        most = max(min(sum(side.counts) for side in both) for both in pairs.values())
        yield too_few(name, title, most, gate.min_reviews, "with a text")
    elif judged:
        p_value, most_moved, effect = _most_moved(judged, random)
        yield Finding(
            name,
            title,
            f"Lengths: {texts_called(most_moved)} differ most, by {percent(effect.value)} of "
            "the texts at the largest gap.",
            f"Kolmogorov-Smirnov distance ({texts_called(most_moved)})",
            effect,
            p_value,
            gate.lengths,
            about=most_moved,
        )


def texts_called(name: str) -> str:
    """What people call the texts of an aspect, or the only texts of reviews, within a sentence."""
    return "lone texts" if name == LONE_TEXT else title_of(name).lower()


def empty_findings(
    current: Profile, reference: Profile, aspects: Sequence[str], gate: Gate
) -> Iterator[Finding]:
    """One finding: reviews without a verdict on an aspect, which are those without its text.

    Args:
        current: the window.
        reference: what it is compared with.
        aspects: those that both sides have.
        gate: the thresholds.
    """
    name, title = "drift.empty", "Reviews without a text"
    if min(current.n, reference.n) < gate.min_reviews:
        yield too_few(name, title, min(current.n, reference.n), gate.min_reviews, "on one side")
        return
    p_values, changes = [], {}
    for aspect in (*aspects, "overall"):
        now, then = (side.targets[aspect].counts[NONE] for side in (current, reference))
        rise = change(now, current.n, then, reference.n)
        if rise is not None and (now or then):
            changes[aspect] = (rise, then / reference.n, now / current.n)
            p_values.append(float(same_share(now, current.n, then, reference.n)))
    if not changes:
        yield Finding(name, title, "No review is without a text.", status=None)
        return
    most = max(changes, key=lambda aspect: abs(changes[aspect][0].value or 0))
    largest, before, after = changes[most]
    p_value = combine(p_values)
    what = "any text" if most == "overall" else title_of(most).lower()
    yield Finding(
        name,
        title,
        f"Without {what}: {moved(before, after, largest)}.",
        f"change of the share without a text ({what})",
        largest,
        p_value,
        gate.empty,
        about=most,
    )


def repeat_findings(current: Profile, reference: Profile, gate: Gate) -> Iterator[Finding]:
    """One finding: reviews that repeat another one, at equal numbers of reviews."""
    if current.repeats is None or reference.repeats is None:
        return
    name, title = "drift.repeats", "Reviews that repeat another one"
    sides = current.repeats, reference.repeats
    size = min(sum(copies * reviews for copies, reviews in side.items()) for side in sides)
    if size < gate.min_reviews:
        yield too_few(name, title, size, gate.min_reviews, "with a text")
        return
    now, then = (round(size * repeated_share(side, size)) for side in sides)
    rise = change(now, size, then, size)
    # Only more of them is a fault; and a share at half the size has the larger variance.
    p_value = float(same_share(now, size, then, size)) if now > then else 1.0
    yield Finding(
        name,
        title,
        f"Repeats among {size:,} reviews: {moved(then / size, now / size)}.",
        "rise of the share that repeats another review",
        rise if now > then else Interval(0.0, 0.0, max(0.0, (rise.high or 0) if rise else 0)),
        p_value,
        gate.repeats,
    )


def repeated_share(repeats: Mapping[int, int], size: int) -> float:
    """The share of `size` reviews, drawn without replacement, that repeat another one of them.

    Larger heaps have more repeats; this makes heaps of different sizes comparable (S. H. Hurlbert,
    "The nonconcept of species diversity", Ecology 1971: rarefaction).
    """
    copies = np.array(list(repeats), dtype=np.float64)
    reviews = np.array(list(repeats.values()), dtype=np.float64)
    total = float((copies * reviews).sum())
    left = np.maximum(total - copies - size, -1)
    absent = np.where(
        left < 0,
        -np.inf,
        _log_choose(total - copies, size, left) - _log_choose(total, size, total - size),
    )
    different = (reviews * -np.expm1(absent)).sum()
    return float(np.clip(1 - different / size, 0, 1))


def unknown_findings(current: Profile, reference: Profile, gate: Gate) -> Iterator[Finding]:
    """One finding: the share of words that the tokenizer has no token for (B. L. Welch's test)."""
    now, then = current.unknown_words, reference.unknown_words
    if now is None or then is None:
        return
    name, title = "drift.unknown_words", "Words unknown to the tokenizer"
    if min(now.n, then.n) < gate.min_reviews:
        yield too_few(name, title, min(now.n, then.n), gate.min_reviews, "with words")
        return
    rise = now.mean - then.mean
    error = float(np.hypot(now.deviation / np.sqrt(now.n), then.deviation / np.sqrt(then.n)))
    test = stats.ttest_ind_from_stats(
        now.mean, now.deviation, now.n, then.mean, then.deviation, then.n, equal_var=False
    )
    p_value = 1.0 if not error else float(test.pvalue)
    yield Finding(
        name,
        title,
        f"Words that the tokenizer has no token for: {moved(then.mean, now.mean)}.",
        "change of the mean share of unknown words",
        Interval(rise, rise - 1.96 * error, rise + 1.96 * error),
        p_value,
        gate.unknown_words,
    )


def distributions(current: Profile, reference: Profile | None) -> tuple[Distribution, ...]:
    """The histograms of both sides, for plots: confidences, probabilities, lengths."""
    drawn = []
    for target, now in current.targets.items():
        then = reference.targets[target] if reference else None
        pairs = [("confidence", "confidence", now.confidence, then.confidence if then else None)]
        pairs += [
            (
                f"probability.{label}",
                f"probability of {label}",
                now.probabilities[label],
                then.probabilities[label] if then else None,
            )
            for label in LABELS
        ]
        for key, title, counts_now, counts_then in pairs:
            kind, _, label = key.partition(".")
            name = f"{kind}.{target}.{label}".rstrip(".")
            if (
                made := _distribution(name, f"{title_of(target)}: {title}", counts_now, counts_then)
            ) is not None:
                drawn.append(made)
    for aspect, text in current.texts.items():
        before = reference.texts.get(aspect) if reference else None
        title = f"{texts_called(aspect).capitalize()}: length in characters"
        made = _distribution(
            f"length.{aspect}", title, text.length, before.length if before else None
        )
        if made is not None:
            drawn.append(made)
    return tuple(drawn)


def _most_moved(
    pairs: dict[str, tuple[Histogram, Histogram]], random: np.random.Generator
) -> tuple[float, str, Interval]:
    """One p-value of all pairs of histograms, and which differs most by how much."""
    p_values, effects = [], {}
    for key, (now, then) in pairs.items():
        counts_now, counts_then = _counts(now), _counts(then)
        p_values.append(ordered_test(counts_now, counts_then, random))
        effects[key] = kolmogorov_smirnov(counts_now, counts_then, random)
    most = max(effects, key=lambda key: effects[key].value or 0)
    return combine(p_values), most, effects[most]


def _counts(side: Histogram) -> Integers:
    return np.array(side.counts, dtype=np.int64)


def _log_choose(n: object, k: float, rest: object) -> np.ndarray:
    left = np.maximum(np.asarray(rest, dtype=np.float64), 0)
    return np.asarray(
        special.gammaln(np.asarray(n) + 1.0) - special.gammaln(k + 1.0) - special.gammaln(left + 1)
    )


def _distribution(
    name: str, title: str, now: Histogram, then: Histogram | None
) -> Distribution | None:
    total, before = sum(now.counts), sum(then.counts) if then else 0
    if not total:
        return None
    return Distribution(
        name=name,
        title=title,
        edges=now.edges,
        reference=tuple(count / before for count in then.counts) if then and before else None,
        current=tuple(count / total for count in now.counts),
    )
