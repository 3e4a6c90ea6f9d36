"""From a check to the rows behind it: the command that lists them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from drugmon.labels import LABELS, TARGETS
from drugmon.wording import LIKE_TEXT

_READABLE: Final = re.compile(r"[^\"$`\\!\n]+")


@dataclass(frozen=True)
class RowsPlace:
    """Where judged rows are found again, as `drugmon show` takes it.

    Attributes:
        source: the path, relative to the folder that holds the folder of all reports.
        table: the scored table of a database; None for files.
        prefix: what the names of the verdict columns begin with.
        options: the words of a command line that say how the source is read.
        window: the words that say which of its rows were judged, by their dates.
        scored: the same by when they were scored, as an SQL condition; None for all.
        columns: the source's own column of every column to slice by.
    """

    source: str
    table: str | None = None
    prefix: str = ""
    options: tuple[str, ...] = ()
    window: tuple[str, ...] = ()
    scored: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    def of_check(self, check: str, about: str | None) -> str:
        """The command that lists the rows to look at first for what a check found.

        Args:
            check: its id, such as `balance.overall`.
            about: which of several its effect is of, such as a label.
        """
        kind, _, target = check.rpartition(".")
        if target not in TARGETS:
            by_time = check.startswith(("freshness.", "volume."))
            return self._show(None, f"-{self._verdict('drugmon_scored_at')}" if by_time else None)
        if kind == "balance" and about in LABELS:
            return self._of_label(target, about)
        return self._show(None, self._verdict(f"{target}_confidence"))

    def of_slice(self, by: str, value: str, target: str) -> str | None:
        """The command that lists the negative reviews of a slice; None where none can mean it."""
        column = self.columns.get(by)
        if column is None or value == LIKE_TEXT:
            return None
        return self._of_label(target, LABELS[0], ["--slice", f"{column}={value}"])

    def _of_label(self, target: str, label: str, which: Sequence[str] = ()) -> str:
        has_label = f"{self._verdict(f'{target}_sentiment')} = {_literal(label)}"
        return self._show(has_label, f"-{self._verdict(f'{target}_p_{label}')}", which)

    def _verdict(self, column: str) -> str:
        return self.prefix + column

    def _show(self, condition: str | None, sort: str | None, which: Sequence[str] = ()) -> str:
        words = ["drugmon", "show", self.source]
        words += ["--table", self.table] if self.table else []
        words += ["--prefix", self.prefix] if self.prefix else []
        words += [*self.options, *self.window, *which]
        conditions = [part for part in (self.scored, condition) if part is not None]
        words += ["--where", " AND ".join(conditions)] if conditions else []
        words += [f"--sort={sort}"] if sort else []
        return " ".join(map(_word, words))


def _word(word: str) -> str:
    """A word for a shell, in double quotes where they will do: conditions have single ones."""
    quoted = shlex.quote(word)
    return f'"{word}"' if quoted != word and _READABLE.fullmatch(word) else quoted


def between(prefix: str, spans: list[tuple[str, str]]) -> str:
    """The condition that takes the rows that were scored within one of some spans of time."""
    moment = f"{prefix}drugmon_scored_at"
    parts = [f"{moment} BETWEEN {_literal(a)} AND {_literal(b)}" for a, b in spans]
    return f"({' OR '.join(parts)})" if parts else "false"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
