"""Which column holds what: aliases of the usual sources, and the user's own `--column` choices."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

from drugmon.data.reviews import Rows, Texts, clean
from drugmon.errors import SourceError, UsageError
from drugmon.labels import ASPECTS
from drugmon.wording import name_told, names_told


@dataclass(frozen=True)
class ColumnMap:
    """The source's column for each field of a review; None where it has none.

    `rating` is the overall score; `effectiveness` and `side_effects_grade` are DrugLib's five-step
    grades; the `..._label` columns hold a target's label itself. `text` is a review's only text: it
    is read in the rows that have none of the aspects.
    """

    benefits: str | None = None
    side_effects: str | None = None
    comments: str | None = None
    text: str | None = None
    rating: str | None = None
    effectiveness: str | None = None
    side_effects_grade: str | None = None
    benefits_label: str | None = None
    side_effects_label: str | None = None
    comments_label: str | None = None
    overall_label: str | None = None
    drug: str | None = None
    condition: str | None = None
    date: str | None = None
    id: str | None = None

    @property
    def has_text(self) -> bool:
        """Whether a column holds texts."""
        return any(getattr(self, field) is not None for field in (*ASPECTS, "text"))

    @property
    def named_id(self) -> str | None:
        """The column of ids; None for one that was not given a name, and may number the rows."""
        nameless = self.id is not None and _normal(self.id) in _NAMELESS
        return None if nameless else self.id


FIELDS: Final = tuple(field.name for field in fields(ColumnMap))
"""What `--column FIELD=NAME` can name."""

_NAMELESS: Final = ("", "unnamed:0")
"""What an index column is called."""

_ALIASES: Final[Mapping[str, Sequence[str]]] = {
    "benefits": ("benefitsreview", "benefitreview", "benefits", "benefit", "pros", "advantages"),
    "side_effects": (
        *("sideeffectsreview", "sideeffectreview", "sideeffects", "sideeffect"),
        *("cons", "disadvantages"),
    ),
    "comments": ("commentsreview", "commentreview", "comments", "comment"),
    "text": (
        *("review", "reviews", "reviewtext", "textreview", "reviewbody", "reviewcontent"),
        *("drugreview", "drugreviews", "patientreview", "patientreviews", "userreview"),
        *("customerreview", "fullreview", "reviewcomment", "text", "reviewtexts", "texts", "body"),
    ),
    "rating": ("rating", "overallrating"),
    "effectiveness": ("effectiveness",),
    "side_effects_grade": ("sideeffectsgrade", "sideeffects"),
    "benefits_label": ("benefitslabel",),
    "side_effects_label": ("sideeffectslabel",),
    "comments_label": ("commentslabel",),
    "overall_label": ("overalllabel", "sentiment", "sentimentlabel", "label"),
    "drug": ("drug", "drugname", "urldrugname"),
    "condition": ("condition",),
    "date": ("date", "reviewdate"),
    "id": ("id", "reviewid", "uniqueid", *_NAMELESS),
}
_DRUGLIB_TEXTS: Final = frozenset({"benefitsreview", "sideeffectsreview", "commentsreview"})


def resolve_columns(
    names: Sequence[str], overrides: Mapping[str, str], where: str, *, need_text: bool = True
) -> ColumnMap:
    """Find the columns of a source by their names, whatever their case, spaces and underscores.

    A field other than a text that two columns suit is left out, unless an override names one. So is
    a column of labels beside a rating, which tells more. With an override for `text` and none for
    an aspect, there are no aspects.

    Args:
        names: the source's columns.
        overrides: field of `ColumnMap` to column name, from `--column`; these come first.
        where: the source, for messages.
        need_text: whether a source without texts is an error.

    Raises:
        UsageError: an override names no field or no column, or two columns suit one text.
        SourceError: no column holds texts, where one is needed.
    """
    chosen = {field: _named_column(field, name, names, where) for field, name in overrides.items()}
    for field in FIELDS:
        if field not in chosen and (name := _by_alias(field, names, chosen, where)) is not None:
            chosen[field] = name
    surplus = set()
    if "text" in overrides and not overrides.keys() & set(ASPECTS):
        surplus |= set(ASPECTS)
    if "rating" in chosen and "overall_label" not in overrides:
        surplus.add("overall_label")
    columns = ColumnMap(**{k: name for k, name in chosen.items() if k not in surplus})
    if need_text and not columns.has_text:
        raise SourceError(
            f"{where}: no text column among {names_told(names)}; name one with --column "
            f"benefits=NAME (or side_effects, comments, text){_separated(names)}"
        )
    return columns


def resolve_so_far(
    names: Sequence[str], overrides: Mapping[str, str], where: str, *, need_text: bool
) -> ColumnMap:
    """As `resolve_columns`, for a stream of which not all columns are known.

    A column that an override names is there from the start, whether it was seen yet or not.

    Args:
        names: the columns that were seen.
        overrides: column names by field, from `--column`.
        where: the source, for messages.
        need_text: whether it is an error that no column holds texts.
    """
    normal_names = set(map(_normal, names))
    named = [name for name in overrides.values() if _normal(name) not in normal_names]
    return resolve_columns([*names, *named], overrides, where, need_text=need_text)


def texts_of(rows: Rows, columns: ColumnMap, start: int, where: str) -> list[Texts]:
    """Return the raw texts of `rows`, whose first row has number `start` (from 0).

    Where a source has aspects and a lone text, each row is taken by what it has: its lone text
    counts if no aspect has a text.

    Args:
        rows: a window of n rows.
        columns: what its columns hold.
        start: the first row's number in the source, from 0.
        where: the source, for messages.

    Raises:
        SourceError: a text column holds something else than strings.
    """
    none: list[str | None] = [None] * len(rows)
    benefits, side_effects, comments = (
        _strings(rows, name, start, where) if name is not None else none
        for name in (columns.benefits, columns.side_effects, columns.comments)
    )
    lone = none
    if columns.text is not None and benefits is side_effects is comments:
        lone = _strings(rows, columns.text, start, where)
    elif columns.text is not None:
        # What is called `review` beside aspects may be a number: no text, and no failure.
        aspects = zip(benefits, side_effects, comments, strict=True)
        lone = [
            cell if isinstance(cell, str) and not any(map(clean, row)) else None
            for row, cell in zip(aspects, rows.column(columns.text), strict=True)
        ]
    cells = zip(benefits, side_effects, comments, lone, strict=True)
    return [Texts(*row) for row in cells]


def _strings(rows: Rows, name: str, start: int, where: str) -> list[str | None]:
    texts: list[str | None] = []
    for row, value in enumerate(rows.column(name), start + 1):
        if value is not None and not isinstance(value, str):
            raise SourceError(
                f"{where}: column {name_told(name)} holds {type(value).__name__} (row {row}), a "
                "review text must be a string; name another column with --column benefits=NAME"
            )
        texts.append(value)
    return texts


def _named_column(field: str, name: str, names: Sequence[str], where: str) -> str:
    if field not in FIELDS:
        raise UsageError(f"--column {field}={name}: no such field; use one of {', '.join(FIELDS)}")
    if (times := names.count(name)) > 1:
        raise UsageError(
            f"--column {field}={name}: {where} has {times} columns of that name; rename the others"
        )
    if times:
        return name
    alike = [other for other in names if _normal(other) == _normal(name)]
    if len(alike) != 1:
        raise UsageError(
            f"--column {field}={name}: {where} has no such column; it has {names_told(names)}"
        )
    return alike[0]


def _by_alias(
    field: str, names: Sequence[str], chosen: Mapping[str, str], where: str
) -> str | None:
    druglib = not _DRUGLIB_TEXTS.isdisjoint(map(_normal, names))
    for alias in _ALIASES[field]:
        if field == "side_effects" and alias == "sideeffects" and druglib:
            continue  # beside benefitsReview, sideEffects is the grade
        alike = [n for n in names if _normal(n) == alias and n not in chosen.values()]
        if len(alike) > 1 and field not in (*ASPECTS, "text"):
            return None  # scoring does without it, and a guess could be wrong
        if len(alike) > 1:
            raise UsageError(
                f"{where}: columns {names_told(alike)} could all be {field}; "
                f"choose with --column {field}=NAME"
            )
        if alike:
            return alike[0]
    return None


def _normal(name: str) -> str:
    return re.sub(r"[\s_\-]", "", name).lower()


def _separated(names: Sequence[str]) -> str:
    """A hint for a file of one column whose name looks like several."""
    separator = next((mark for mark in ";|\t," if len(names) == 1 and mark in names[0]), None)
    if separator is None:
        return ""
    spelled = "tab" if separator == "\t" else f"'{separator}'"
    return f"; if {spelled} separates its cells, add --delimiter {spelled}"
