"""Aggregating scored reviews in SQL: a profile of any number of rows, and some of their texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from drugmon.data.queries import Sql, statement
from drugmon.data.reviews import clean
from drugmon.data.verdicts.no_text import shows_something
from drugmon.data.verdicts.relations import label_counts
from drugmon.data.verdicts.scored import TEXTS, Scored
from drugmon.errors import SourceError
from drugmon.grading import Grading, RatingScale, doubt, fold_word, rating_of
from drugmon.labels import LABELS, TARGETS, TEACHERS_OF_TARGET
from drugmon.monitoring.profiles.groups import kept_groups
from drugmon.monitoring.profiles.names import NameMix, mix_of, name_key
from drugmon.monitoring.profiles.profile import rating_counts, rating_key, spread, text_profile
from drugmon.monitoring.profiles.reference import Groups, Profile, Spread, TextProfile
from drugmon.monitoring.profiles.target_counts import TargetCounts
from drugmon.monitoring.profiles.words import WordCounts, count_words, words_of
from drugmon.statistics.figures import Quality
from drugmon.statistics.quality import measure

if TYPE_CHECKING:
    from drugmon.models.tokens.vocabulary import Vocabulary

TEXT_ROWS: Final = 4000
"""Reviews whose texts are looked at, at most."""

LABELLED_ROWS: Final = 100_000
"""Reviews that quality is measured on, at most."""

REPEAT_ROWS: Final = 500_000
"""Reviews among which repeats are counted, about."""

_LABEL_COLUMNS: Final = [f"{target}_sentiment" for target in reversed(TARGETS)]
_BLANKS: Final = Sql(r"e' \t\n\r\f\u000b\u0085\u00a0\u2028\u2029\u3000'")

Texts = list[tuple[str | None, ...]]


@dataclass(frozen=True)
class Counted:
    """What one side of a comparison is.

    `texts` are the cleaned texts of some rows; `newest` is when the last of the verdicts was given;
    `adapters` counts rows by who judged; `about_grades` are sentences on ratings that are not what
    the scale lets expect, and on cells that quality is not measured on, as nobody told what they
    mean.
    """

    profile: Profile
    texts: Texts
    empty: int
    since: datetime | None
    until: datetime | None
    newest: datetime | None
    adapters: Mapping[str, int]
    about_grades: Sequence[str]


def count_scored(
    scored: Scored,
    grading: Grading,
    vocabulary: Vocabulary | None,
    *,
    seed: int = 0,
) -> Counted:
    """Aggregate the rows of `scored`.

    Args:
        scored: the view.
        grading: what the graded columns mean.
        vocabulary: of the adapter's base; None where it is not at hand.
        seed: of the bootstrap behind the intervals of quality.

    Raises:
        SourceError: a verdict has a label or a probability that is none, or a cell cannot be read.
    """
    _refuse_broken(scored)
    rows, empty, since, until, newest = scored.rows("count_scored", labels=_LABEL_COLUMNS)[0]
    targets = {}
    for target in TARGETS:
        counts = TargetCounts()
        counts.add_cells(scored.rows("count_verdicts", **_columns(target)))
        targets[target] = counts.profile()
    mixes, groups = _names(scored)
    texts = _sample_texts(scored, rows)
    words, unknown = _words(texts, vocabulary)
    ratings, about_ratings = _ratings(scored, grading)
    profile = Profile(
        n=rows,
        targets=targets,
        texts=_lengths(scored),
        drugs=mixes.get("drug"),
        conditions=mixes.get("condition"),
        ratings=ratings,
        quality=_quality(scored, rows, grading, seed),
        words=words,
        groups=groups,
        repeats=_repeats(scored, rows),
        unknown_words=unknown,
    )
    adapters: dict[str, int] = dict(scored.rows("count_adapters"))
    return Counted(
        profile,
        texts,
        empty,
        since=_utc(since),
        until=_utc(until),
        newest=_utc(newest),
        adapters=adapters,
        about_grades=[*about_ratings, *_about_words(scored, grading)],
    )


def label_of(grading: Grading, teacher: str, cell: object) -> str | None:
    """The label that a cell of a column that teaches gives; None where it holds no level of it."""
    if teacher == "rating":
        return grading.rating.get(rating_key(cell, grading.scale))
    if teacher.endswith("_label"):
        return grading.words.get(fold_word(cell))
    return _folded(tuple(grading.of(teacher).items())).get(fold_word(cell))


@cache
def _folded(levels: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {fold_word(level): label for level, label in levels}


def _columns(target: str) -> dict[str, str]:
    probabilities = {f"p_{label}": f"{target}_p_{label}" for label in LABELS}
    return {"label": f"{target}_sentiment", "confidence": f"{target}_confidence", **probabilities}


def _refuse_broken(scored: Scored) -> None:
    for target in TARGETS:
        ((labels, probabilities),) = scored.rows("count_broken", **_columns(target))
        if labels:
            raise SourceError(
                f"{scored.where}: {labels:,} rows of {target}_sentiment hold something else than "
                f"{', '.join(LABELS)}; score them again with --rescore"
            )
        if probabilities:
            raise SourceError(
                f"{scored.where}: the confidence or a probability of {probabilities:,} "
                f"verdict{'s' if probabilities > 1 else ''} on {target} is missing, infinite or no "
                "share; score them again with --rescore"
            )


def _lengths(scored: Scored) -> dict[str, TextProfile]:
    return {name: text_profile(_lengths_of(scored, name)) for name in TEXTS if name in scored.has}


def _lengths_of(scored: Scored, text: str) -> Counter[int]:
    counted: Counter[int] = Counter()
    for characters, rows in scored.rows(
        "count_lengths", text=text, blanks=_BLANKS, shows=shows_something(text)
    ):
        counted[characters or 0] += rows
    return counted


def _names(scored: Scored) -> tuple[dict[str, NameMix], Groups]:
    """Counts of every name of drugs and conditions; labels by the names of what is sliced by."""
    items = label_counts()
    named: dict[str, str] = {name: name for name in ("drug", "condition") if name in scored.has}
    mixes: dict[str, NameMix] = {}
    groups: dict[str, Mapping[str, Mapping[str, Mapping[str, int]]]] = {}
    for name, column in {**named, **scored.by}.items():
        counted: Counter[str | None] = Counter()
        cells: dict[str, npt.NDArray[np.int64]] = {}
        for value, rows, *counts in scored.rows("count_names", column=column, counts=items):
            key = name_key(value)
            counted[key] += rows
            if key is not None:
                array = np.array(counts, np.int64).reshape(len(TARGETS), len(LABELS))
                cells[key] = cells[key] + array if key in cells else array
        if name in named:
            mixes[name] = mix_of(counted, top=None, rare=1)
        if name in scored.by:
            groups[name] = kept_groups(cells, top=None, rare=1)
    return mixes, groups


def _ratings(scored: Scored, grading: Grading) -> tuple[dict[str, int] | None, list[str]]:
    """Rows by rating, and what is to be said of them."""
    if "rating" not in scored.has:
        return None, []
    scale = grading.scale
    counted: Counter[str] = Counter()
    numbers: Counter[float] = Counter()
    unreadable = 0
    for cell, rows in scored.rows("count_cells", column="rating"):
        counted[rating_key(cell, scale)] += rows
        try:
            if (rating := rating_of(cell)) is not None:
                numbers[rating] += rows
        except ValueError:
            unreadable += rows
    said = _about_ratings(numbers, scale, declared=grading.declared)
    if unreadable:
        said.append(
            f"{unreadable:,} of {numbers.total() + unreadable:,} ratings are no numbers, as with a "
            "comma in place of the point: quality leaves them out."
        )
    return rating_counts(counted, scale), said


def _about_words(scored: Scored, grading: Grading) -> list[str]:
    """Sentences on labels and grades in words whose meaning is not known; no word is told."""
    grades = dict.fromkeys(_grade_of(scored, target) for target in TEACHERS_OF_TARGET)
    said = []
    for grade in grades:
        if grade is None or grade == "rating":
            continue
        cells = scored.rows("count_cells", column=grade)
        filled = sum(rows for cell, rows in cells if cell)
        unknown = sum(
            rows for cell, rows in cells if cell and label_of(grading, grade, cell) is None
        )
        if unknown:
            remedy = "; tell what a word means with --label WORD=LABEL, in nightly.toml with labels"
            said.append(
                f"{unknown:,} of {filled:,} cells of {grade} are none of its words: quality leaves "
                f"them out{remedy if grade.endswith('_label') else ''}."
            )
    return said


def _grade_of(scored: Scored, target: str) -> str | None:
    """The column that tells the true labels of a target; None where the source has none."""
    return next((name for name in TEACHERS_OF_TARGET[target] if name in scored.has), None)


def _about_ratings(numbers: Counter[float], scale: RatingScale, *, declared: bool) -> list[str]:
    total = numbers.total()
    said = []
    if not declared and numbers:
        low, high = min(numbers), max(numbers)
        if (likely := doubt(low, high, total, scale)) is not None:
            said.append(
                f"The ratings lie between {low:g} and {high:g} and are read on the scale {scale}: "
                f"if that is wrong, so is the quality; declare the scale with --rating-scale "
                f"{likely}, in nightly.toml with rating_scale."
            )
    outside = sum(n for rating, n in numbers.items() if not scale.low <= rating <= scale.high)
    between = sum(n for rating, n in numbers.items() if not rating.is_integer())
    if outside:
        said.append(
            f"{outside:,} of {total:,} ratings lie outside the scale {scale}: quality leaves them "
            "out."
        )
    if between:
        said.append(
            f"{between:,} of {total:,} ratings lie between two levels of the scale {scale}: each "
            "is taken for the nearest one, from the middle upwards."
        )
    return said


def _repeats(scored: Scored, rows: int) -> dict[int, int]:
    parts = Sql(str(max(1, rows // REPEAT_ROWS)))
    counted: dict[int, int] = dict(scored.rows("count_repeats", labels=_LABEL_COLUMNS, parts=parts))
    return dict(sorted(counted.items()))


def _sample_texts(scored: Scored, rows: int) -> Texts:
    columns = [name for name in TEXTS if name in scored.has]
    if not columns:
        return []
    condition = Sql(statement("has_text", texts=columns))
    sampled = _sample(scored, columns, condition, rows, TEXT_ROWS)
    return [tuple(map(clean, row)) for row in sampled]


def _sample(
    scored: Scored, columns: Sequence[str], condition: Sql, rows: int, most: int
) -> list[tuple[Any, ...]]:
    """About `most` rows that meet the condition: all copies of a review, or none."""
    sql = statement("sample_rows", view=scored.view, columns=columns, condition=condition)
    return scored.execute(sql, {"parts": max(1, rows // (2 * most)), "most": most})


def _words(texts: Texts, vocabulary: Vocabulary | None) -> tuple[WordCounts | None, Spread | None]:
    if not texts:
        return None, None
    reviews, counts = count_words(texts)
    words = WordCounts(reviews, 1, counts)
    if vocabulary is None:
        return words, None
    return words, spread(vocabulary.unknown_shares(words_of(row) for row in texts))


def _quality(scored: Scored, rows: int, grading: Grading, seed: int) -> dict[str, Quality]:
    """The quality of each target whose true labels the rows tell."""
    qualities = {}
    for target in TEACHERS_OF_TARGET:
        grade = _grade_of(scored, target)
        if grade is None:
            continue
        columns = [f"{target}_sentiment", grade, *(f"{target}_p_{label}" for label in LABELS)]
        parts = [Sql(statement("is_known", column=name)) for name in columns[:2]]
        sampled = _sample(scored, columns, Sql(" AND ".join(parts)), rows, LABELLED_ROWS)
        triples = [
            (label_of(grading, grade, cell), label, probabilities)
            for label, cell, *probabilities in sampled
        ]
        rated = [triple for triple in triples if triple[0] is not None]
        if rated:
            qualities[target] = measure(
                np.array([LABELS.index(str(true)) for true, _, _ in rated]),
                np.array([LABELS.index(label) for _, label, _ in rated]),
                np.array([probabilities for _, _, probabilities in rated], dtype=np.float64),
                seed=seed,
            )
    return qualities


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
