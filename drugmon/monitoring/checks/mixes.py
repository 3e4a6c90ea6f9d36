"""Drift of names and words: which drugs, conditions and words moved, and whether more than chance.

Most names are rare, and a reference keeps only the commonest. A name that it keeps just so owes its
place partly to luck, and will be rarer in the next reviews without any change. So a name is looked
at by itself only where the rows of both sides together let expect so many of them in the reference
that it would have been kept by all means; the others are one heap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

from drugmon.monitoring.checks.findings import Finding, moved, percent, too_few
from drugmon.monitoring.checks.gate import Gate
from drugmon.monitoring.checks.summary import Mover
from drugmon.monitoring.profiles.names import LONGEST_NAME, NameMix
from drugmon.monitoring.profiles.words import SHARED_BY, WordCounts
from drugmon.statistics.correction import adjust, combine
from drugmon.statistics.distances import moved_share
from drugmon.statistics.figures import Interval
from drugmon.statistics.permutation import DRAWS, Integers, mix_test
from drugmon.statistics.permutation import p_value as p_value_of
from drugmon.statistics.reliability import wilson
from drugmon.statistics.shares import change, same_share, share

TOLD = 15
"""Movers of a kind that a report tells of."""

OTHER = "other names"
MISSING = "no name"


class Cells(NamedTuple):
    """Counts of both sides by name; `n` and `m` are the rows of each side."""

    names: list[str]
    current: Integers
    reference: Integers
    n: int
    m: int


def name_cells(current: NameMix, reference: NameMix) -> Cells:
    """The names to look at one by one, all others as one, and the rows without a name."""
    n, m = current.total + current.missing, reference.total + reference.missing
    counts = _comparable(current.names, reference.names, n, m, current.unnamed, reference.unnamed)
    names = [*counts, OTHER, MISSING]
    pairs = np.array([*counts.values(), (0, 0), (0, 0)], dtype=np.int64).reshape(-1, 2)
    counts_now, counts_then = pairs[:, 0], pairs[:, 1]
    counts_now[-2:] = max(0, current.total - counts_now.sum()), current.missing
    counts_then[-2:] = max(0, reference.total - counts_then.sum()), reference.missing
    return Cells(names, counts_now, counts_then, int(counts_now.sum()), int(counts_then.sum()))


def word_cells(current: WordCounts, reference: WordCounts) -> Cells:
    """The words to look at."""
    n, m = current.reviews, reference.reviews
    counts = _comparable(
        current.counts, reference.counts, n, m, current.least - 1, reference.least - 1
    )
    pairs = np.array(list(counts.values()), dtype=np.int64).reshape(-1, 2)
    return Cells(list(counts), pairs[:, 0], pairs[:, 1], n, m)


def mix_findings(
    key: str,
    title: str,
    current: NameMix,
    reference: NameMix,
    gate: Gate,
    random: np.random.Generator,
) -> Iterator[Finding]:
    """One finding: the mix of names in a column.

    Args:
        key: the column's part of the check's name.
        title: of the check, for people.
        current: names of the window.
        reference: names of what it is compared with.
        gate: the thresholds.
        random: draws the permutations.
    """
    name, cells = f"drift.{key}", name_cells(current, reference)
    if min(cells.n, cells.m) < gate.min_reviews:
        yield too_few(name, title, min(cells.n, cells.m), gate.min_reviews, "on one side")
        return
    p_values = [mix_test(cells.current, cells.reference, random)]
    effect = moved_share(cells.current, cells.reference, random)
    if not current.unnamed and not reference.unnamed:
        p_new, new = new_names(current.names, reference.names, random)
        p_values.append(p_new)
        effect = max(effect, new, key=lambda effect: effect.value or 0)
    shifts = cells.current / cells.n - cells.reference / cells.m
    most = int(np.abs(shifts).argmax())
    before, after = cells.reference[most] / cells.m, cells.current[most] / cells.n
    yield Finding(
        name,
        title,
        f"{title}: some {percent(effect.value)} of the reviews moved, {cells.names[most]} most "
        f"({percent(before)} → {percent(after)}).",
        "share of reviews that moved, freed of what chance moves on average",
        effect,
        combine(p_values),
        gate.names,
    )


def new_names(
    current: Mapping[str, int], reference: Mapping[str, int], random: np.random.Generator
) -> tuple[float, Interval]:
    """Are more reviews of names that the reference lacks than chance brings? P-value, and excess.

    All names of both sides must be told. Each may be so rare that no test of it by itself finds
    anything. Were the rows of both sides one heap, a name of c rows would have all of them on the
    current side with a probability that the hypergeometric distribution gives; names are drawn as
    if independent, which makes the spread a little too large. The excess is a share of the rows.
    """
    n, m = sum(current.values()), sum(reference.values())
    if not n or not m:
        return 1.0, Interval(0.0, 0.0, 0.0)
    pooled = np.array([c + reference.get(name, 0) for name, c in current.items()])
    pooled = np.append(pooled, [c for name, c in reference.items() if name not in current])
    rows, names = np.unique(pooled, return_counts=True)
    alone = stats.hypergeom.pmf(0, n + m, rows, m)
    drawn = (random.binomial(names, alone, size=(DRAWS, len(rows))) * rows).sum(axis=1)
    new_reviews = sum(c for name, c in current.items() if name not in reference)
    excess = max(0.0, (new_reviews - float(drawn.mean())) / n)
    low, high = wilson(new_reviews, n)
    by_chance = float(drawn.mean()) / n
    interval = Interval(excess, max(0.0, low - by_chance), max(excess, high - by_chance))
    return p_value_of(new_reviews, drawn), interval


def word_findings(current: WordCounts, reference: WordCounts, gate: Gate) -> Iterator[Finding]:
    """One finding: words that more, or fewer, reviews have; tested one by one, then together."""
    name, title, cells = "drift.words", "Words", word_cells(current, reference)
    if min(cells.n, cells.m) < gate.min_reviews:
        yield too_few(name, title, min(cells.n, cells.m), gate.min_reviews, "with a text")
        return
    if not cells.names:
        return
    adjusted = adjust(same_share(cells.current, cells.n, cells.reference, cells.m))
    shifts = cells.current / cells.n - cells.reference / cells.m
    sure = adjusted < gate.alpha
    most = int(np.where(sure, np.abs(shifts), 0).argmax()) if sure.any() else int(adjusted.argmin())
    largest = change(int(cells.current[most]), cells.n, int(cells.reference[most]), cells.m)
    effect = largest if sure.any() and largest else Interval(0.0, 0.0, 0.0)
    shares = cells.reference[most] / cells.m, cells.current[most] / cells.n
    yield Finding(
        name,
        title,
        f"Words: {int(sure.sum()):,} of {len(cells.names):,} moved; reviews with "
        f"“{cells.names[most]}” {moved(*shares, effect if sure.any() else None)}.",
        "largest significant change of the share of reviews with a word",
        effect,
        float(adjusted.min()),
        gate.words,
        about=cells.names[most] if sure.any() else None,
    )


def movers(kind: str, cells: Cells, alpha: float) -> tuple[Mover, ...]:
    """The names that moved, by evidence; those that too few reviews share are not told."""
    if not cells.names or not cells.n or not cells.m:
        return ()
    p_values = same_share(cells.current, cells.n, cells.reference, cells.m)
    adjusted = adjust(p_values)
    told: list[Mover] = []
    for place in np.argsort(p_values, kind="stable"):
        now, then = int(cells.current[place]), int(cells.reference[place])
        difference = change(now, cells.n, then, cells.m)
        private = max(now, then) < SHARED_BY or len(cells.names[place]) > LONGEST_NAME
        if adjusted[place] >= alpha or len(told) == TOLD:
            break
        if not private and difference is not None:
            sides = share(then, cells.m), share(now, cells.n)
            told.append(Mover(kind, cells.names[place], *sides, difference, float(adjusted[place])))
    return tuple(told)


def _comparable(
    current: Mapping[str, int],
    reference: Mapping[str, int],
    n: int,
    m: int,
    unnamed: int,
    unnamed_before: int,
) -> dict[str, tuple[int, int]]:
    """The counts of the names of which enough are expected on both sides.

    A name that a side does not tell may have up to `unnamed` rows there, and counts as many: that
    makes a difference smaller, never larger.
    """
    if not n or not m:
        return {}
    counts: dict[str, tuple[int, int]] = {}
    needed = max(_surely(unnamed) / n, _surely(unnamed_before) / m) * (n + m)
    for name in current.keys() | reference.keys():
        now, then = current.get(name, unnamed), reference.get(name, unnamed_before)
        if now + then >= max(needed, SHARED_BY):
            counts[name] = (now, then)
    return dict(sorted(counts.items()))


def _surely(unnamed: int) -> float:
    """How many rows to expect, so that there will be more than `unnamed` nearly always."""
    least = unnamed + 1
    return least + 2 * float(np.sqrt(least)) if unnamed else 0.0
