"""The one way out: every line, table, JSON and CSV that a command prints goes through here.

Names of drugs, columns, tables, adapters and files come from data. Here they lose what would act on
a terminal or a spreadsheet: escape sequences, line ends, rich's markup, formulas.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any, Final

import click
from rich.console import Console
from rich.markdown import Markdown
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from drugmon.wording import escaped, one_line

LOG_WIDTH: Final = 140
"""Columns of a table in a log or a pipe."""

SCHEMA_VERSION: Final = 1
"""Of all JSON that commands print; goes up where a key goes or changes its meaning."""

# Those of Latin-1 act on terminals of eight bits; JSON leaves them as they are.
_NOT_FOR_TERMINALS: Final = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


class Screen(Console):
    """rich's console, to which every text is a text: no markup, no emoji codes, one line each."""

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich does, of a text that cannot act on the terminal."""
        return super().render_str(one_line(text), **options)

    def print_table(self, table: Table) -> None:
        """Print a table, and say so where the terminal is too narrow for its columns."""
        self.print(table)
        needed = Measurement.get(self, self.options.update(width=10_000), table).minimum
        if needed > self.width:
            self.print(
                f"... {self.width} columns are too narrow for this table, which needs {needed}: "
                "some of it is cut off; widen the terminal, or pipe it: | less -S"
            )


def console() -> Screen:
    """A table in a log or a pipe is not folded to the 80 columns that rich takes there."""
    width = None if sys.stdout.isatty() else LOG_WIDTH
    return Screen(width=width, markup=False, emoji=False)


def text(value: object, style: str = "") -> Text:
    """A text for a table's cell, in one line."""
    return Text(one_line(str(value)), style=style)


def say(line: str, *, err: bool = False) -> None:
    """Print one line, to standard error where `err` says so."""
    print(one_line(line), file=sys.stderr if err else sys.stdout, flush=True)


def say_verbatim(lines: str) -> None:
    """Print a text of several lines as it is, but for control characters."""
    print(escaped(lines), end="", flush=True)


def warn(message: str) -> None:
    """Say what the user should know although the run goes on."""
    say(f"drugmon: warning: {message}", err=True)


def print_json(value: Mapping[str, Any], *, to_stderr: bool = False) -> None:
    """One line of JSON: `value` with the version of its schema."""
    whole = {"schema_version": SCHEMA_VERSION, **value}
    line = json.dumps(whole, ensure_ascii=False, default=str)
    line = _NOT_FOR_TERMINALS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)
    print(line, file=sys.stderr if to_stderr else sys.stdout, flush=True)


def print_markdown(body: str) -> None:
    """Print Markdown, page by page where it is read on a terminal."""
    screen, markdown = console(), Markdown(escaped(body))
    if not sys.stdout.isatty():
        screen.print(markdown)
        return
    with screen.capture() as captured:
        screen.print(markdown)
    click.echo_via_pager(captured.get())


def write_csv_rows(stream: IO[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write `rows` with a header of all their names; no cell is a formula to a spreadsheet."""
    names = dict.fromkeys(name for row in rows for name in row)
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([csv_cell(name) for name in names])
    writer.writerows([csv_cell(row.get(name)) for name in names] for row in rows)


def csv_cell(value: object) -> object:
    """Return a cell: texts in one line, with an apostrophe before what would be a formula."""
    if not isinstance(value, str):
        return value
    return one_line(f"'{value}" if value.startswith(_FORMULA) else value)
