"""Lines, JSON and CSV that a command prints: light, as the way out of an error needs no tables.

Names of drugs, columns, tables, adapters and files come from data. Here they lose what would act on
a terminal or a spreadsheet: escape sequences, line ends, formulas.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Final

from drugmon.wording import escaped, one_line

SCHEMA_VERSION: Final = 1
"""Of all JSON that commands print; goes up where a key goes or changes its meaning."""

# Those of Latin-1 act on terminals of eight bits; JSON leaves them as they are.
_NOT_FOR_TERMINALS: Final = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def say(line: str, *, err: bool = False) -> None:
    """Print one line, to standard error where `err` says so."""
    print(one_line(line), file=sys.stderr if err else sys.stdout, flush=True)


def say_verbatim(lines: str) -> None:
    """Print a text of several lines as it is, but for control characters."""
    print(escaped(lines), end="", flush=True)


def warn(message: str) -> None:
    """Say what the user should know although the run goes on."""
    say(f"drugmon: warning: {message}", err=True)


def print_json(value: Mapping[str, object], *, to_stderr: bool = False) -> None:
    """One line of JSON: `value` with the version of its schema."""
    whole = {"schema_version": SCHEMA_VERSION, **value}
    line = json.dumps(whole, ensure_ascii=False, default=str)
    line = _NOT_FOR_TERMINALS.sub(lambda match: f"\\u{ord(match[0]):04x}", line)
    print(line, file=sys.stderr if to_stderr else sys.stdout, flush=True)


def write_csv_rows(stream: IO[str], rows: Sequence[Mapping[str, object]]) -> None:
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
