"""Compare: both sides' profiles and texts into balance, checks, movers, quality and slices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from drugmon.labels import ASPECTS
from drugmon.monitoring.checks.balance import balance_findings, balances, rating_findings
from drugmon.monitoring.checks.drift import (
    distributions,
    empty_findings,
    length_findings,
    output_findings,
    repeat_findings,
    texts_called,
    unknown_findings,
)
from drugmon.monitoring.checks.findings import Finding, too_few, weigh
from drugmon.monitoring.checks.gate import Gate
from drugmon.monitoring.checks.mixes import (
    MISSING,
    OTHER,
    Cells,
    mix_findings,
    movers,
    name_cells,
    word_cells,
    word_findings,
)
from drugmon.monitoring.checks.quality_now import qualities, quality_findings, with_caution
from drugmon.monitoring.checks.slices import slices
from drugmon.monitoring.checks.summary import (
    Check,
    ClassBalance,
    Distribution,
    Mover,
    Slice,
    Status,
    TargetQuality,
)
from drugmon.monitoring.checks.text_drift import LEAST as LEAST_TEXTS
from drugmon.monitoring.checks.text_drift import tell_apart
from drugmon.monitoring.profiles.aggregate import Counted, Texts
from drugmon.monitoring.profiles.reference import Profile
from drugmon.statistics.figures import Quality

_COLUMNS = {"drugs": ("drug", "Drugs"), "conditions": ("condition", "Conditions")}


@dataclass(frozen=True)
class ReferenceSide:
    """What the current reviews are compared with.

    `name` is for people; `texts` are of some of its rows, none where only a profile is at hand.
    `held_out` are the adapter's own figures. `since` and `until` date its first and its last row,
    None where no dates are known; `runs` are the ids of the score runs that it is made of;
    `shared` rows are left out of it, as they are judged. `held_out_only` says that it is the
    adapter's own reference. `about_grades` are sentences on the true labels of another source.
    """

    name: str
    profile: Profile
    texts: Texts
    held_out: Mapping[str, Quality]
    since: datetime | None = None
    until: datetime | None = None
    runs: tuple[str, ...] = ()
    shared: int = 0
    held_out_only: bool = False
    about_grades: Sequence[str] = ()


@dataclass(frozen=True)
class Comparison:
    """All that a comparison found."""

    checks: tuple[Check, ...]
    balance: tuple[ClassBalance, ...]
    distributions: tuple[Distribution, ...]
    movers: tuple[Mover, ...]
    quality: tuple[TargetQuality, ...]
    slices: tuple[Slice, ...]
    slices_withheld: Mapping[str, int]
    left_out: tuple[str, ...]


def compare(
    current: Counted,
    reference: ReferenceSide | None,
    gate: Gate,
    *,
    aspects: Sequence[str] = ASPECTS,
    held_out: Mapping[str, Quality] | None = None,
    before: Sequence[Finding] = (),
    seed: int = 0,
) -> Comparison:
    """Compare the current side with the reference; without one, only describe it.

    Args:
        current: the reviews that are judged.
        reference: what they are compared with.
        gate: the thresholds.
        aspects: those whose texts are compared.
        held_out: the adapter's figures, where there is no reference.
        before: findings of other areas, to be weighed together with these.
        seed: of permutations, bootstraps and folds: the same sides give the same report.
    """
    random = np.random.default_rng(seed)
    there = _there(current.profile, reference.profile if reference else None, aspects)
    current = replace(current, profile=_only(current.profile, there))
    if reference is not None:
        reference = replace(reference, profile=_only(reference.profile, there))
    now, then = current.profile, reference.profile if reference else None
    measured = reference.held_out if reference else held_out or {}
    found_balance = balances(now, then, random)
    found_quality = qualities(now, then, measured)
    sliced = slices(now, then, gate)
    findings = list(before)
    if then is not None and reference is not None:
        findings += balance_findings(now, then, found_balance, gate)
        findings += [sliced.finding] if sliced.finding else []
        findings += _drift(current, reference, there, gate, random, seed)
    findings += quality_findings(found_quality, now, then, gate)
    checks = weigh(findings, gate)
    return Comparison(
        checks=checks,
        balance=found_balance,
        distributions=distributions(now, then),
        movers=_movers(now, then, gate) if then else (),
        quality=with_caution(found_quality, _caution(checks)),
        slices=sliced.slices,
        slices_withheld=sliced.withheld,
        left_out=tuple(_left_out(now, reference, there)),
    )


def _there(now: Profile, then: Profile | None, aspects: Sequence[str]) -> list[str]:
    """Those of `aspects` that a side has: of a source of one text nothing is told aspect by aspect.

    One that only the reference has is there: a column that vanished is a fault. Of no rows at all
    nothing is known, and all stay.
    """
    sides = [side for side in (now, then) if side is not None]
    return [
        aspect
        for aspect in aspects
        if not now.n or any(aspect in side.texts or side.targets[aspect].judged for side in sides)
    ]


def _only(profile: Profile, aspects: Sequence[str]) -> Profile:
    """The profile without the other aspects' verdicts and texts."""
    others = set(ASPECTS) - set(aspects)
    return replace(
        profile,
        targets={name: part for name, part in profile.targets.items() if name not in others},
        texts={name: part for name, part in profile.texts.items() if name not in others},
        quality={name: part for name, part in profile.quality.items() if name not in others},
    )


def _drift(
    current: Counted,
    reference: ReferenceSide,
    aspects: Sequence[str],
    gate: Gate,
    random: np.random.Generator,
    seed: int,
) -> Iterator[Finding]:
    now, then = current.profile, reference.profile
    yield from output_findings(now, then, gate, random)
    yield from length_findings(now, then, aspects, gate, random)
    yield from empty_findings(now, then, aspects, gate)
    yield from repeat_findings(now, then, gate)
    yield from unknown_findings(now, then, gate)
    yield from rating_findings(now, then, gate, random)
    for key, (_, title) in _COLUMNS.items():
        mix_now, mix_then = getattr(now, key), getattr(then, key)
        if mix_now is not None and mix_then is not None:
            yield from mix_findings(key, title, mix_now, mix_then, gate, random)
    if now.words is not None and then.words is not None:
        yield from word_findings(now.words, then.words, gate)
    if current.texts and reference.texts:
        yield _texts(current.texts, reference.texts, gate, seed)


def _texts(current: Texts, reference: Texts, gate: Gate, seed: int) -> Finding:
    name, title = "drift.texts", "Texts"
    now, then = ([" \n".join(filter(None, row)) for row in side] for side in (current, reference))
    least = max(LEAST_TEXTS, gate.min_reviews)
    separation = tell_apart(now, then, least=least, seed=seed)
    if separation is None:
        fewest = min(len(set(now)), len(set(then)))
        return too_few(name, title, fewest, least, "different texts")
    return Finding(
        name,
        title,
        f"Texts: a classifier tells {separation.n:,} current from {separation.m:,} reference "
        f"reviews with a ROC AUC of {separation.auc.value:.2f} (0.50 is chance).",
        "ROC AUC of a domain classifier",
        separation.auc,
        separation.p_value,
        gate.texts,
    )


def _movers(now: Profile, then: Profile, gate: Gate) -> tuple[Mover, ...]:
    largest: list[Mover] = []
    if now.words is not None and then.words is not None:
        largest += movers("word", word_cells(now.words, then.words), gate.alpha)
    for key, (kind, _) in _COLUMNS.items():
        mix_now, mix_then = getattr(now, key), getattr(then, key)
        if mix_now is not None and mix_then is not None:
            largest += movers(kind, _named(name_cells(mix_now, mix_then)), gate.alpha)
    return tuple(largest)


def _named(cells: Cells) -> Cells:
    """Without the heaps of other and of missing names."""
    keep = [place for place, name in enumerate(cells.names) if name not in (OTHER, MISSING)]
    names = [cells.names[place] for place in keep]
    return cells._replace(names=names, current=cells.current[keep], reference=cells.reference[keep])


def _caution(checks: Sequence[Check]) -> str | None:
    """Why estimates of quality are shaky: what the texts or probabilities say."""
    moved = [
        check.title.lower()
        for check in checks
        if check.area == "drift" and check.status in (Status.WARN, Status.FAIL)
    ]
    if not moved:
        return None
    return (
        f"These reviews differ from the reference ({', '.join(moved)}): the probabilities may be "
        "off on them, and the estimate with them."
    )


def _left_out(
    now: Profile, reference: ReferenceSide | None, aspects: Sequence[str]
) -> Iterator[str]:
    if reference is None:
        return
    then = reference.profile
    if reference.shared:
        yield (
            f"{reference.shared:,} rows of {reference.name} are among those judged here: "
            "the reference is the others."
        )
    for says in reference.about_grades:
        yield f"In the reference: {says[:1].lower()}{says[1:]}"
    for aspect in ASPECTS:
        if aspect not in aspects and aspects:
            yield f"{aspect} is not compared: the source has no such column."
    if not aspects:
        yield "The source has no texts by aspect: only the overall verdict is compared."
    for key, (column, title) in {**_COLUMNS, "ratings": ("rating", "Ratings")}.items():
        mix_now, mix_then = getattr(now, key), getattr(then, key)
        if mix_now is None and mix_then is not None:
            yield f"{title} are not compared: the source has no {column} column."
        elif mix_now is not None and mix_then is None:
            yield f"{title} are not compared: the reference has no {column} column."
    lacking = {
        "words": then.words is None and now.words is not None,
        "repeats": then.repeats is None,
        "words unknown to the tokenizer": then.unknown_words is None
        and now.unknown_words is not None,
    }
    missing = [name for name, lacks in lacking.items() if lacks]
    if missing:
        yield (
            f"The reference does not tell of {', '.join(missing)}: those are not compared "
            "(a file of scored reviews as --reference would)."
        )
    unmixed = {column for key, (column, _) in _COLUMNS.items() if getattr(then, key) is None}
    if lacking_columns := [name for name in now.groups if name not in {*then.groups, *unmixed}]:
        yield (
            f"Slices by {', '.join(lacking_columns)} are not compared: the reference tells of none."
        )
    for name, text in now.texts.items():
        if name not in then.texts and any(text.length.counts):
            yield (
                f"Lengths of {texts_called(name)} are not compared: the reference tells of none."
            )
    if now.words is not None and not reference.texts:
        yield "The reference holds no texts, so that no classifier compares them; words are."
    elif now.words is None:
        yield "The source has no texts: lengths, words and texts are not compared."
