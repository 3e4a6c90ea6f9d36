"""Records of CSV and TSV text: what the quotes of a file enclose, and where they could mislead.

A text that begins with a stray quote makes a quoted cell of all that follows, up to the next
quote. Rows vanish in it without a sound, so what could be several rows is not taken for a cell.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import Final

from drugmon.data.textformat import CHECKED, NONE
from drugmon.data.verdicts.columns import verdicts_in
from drugmon.errors import SourceError

Record = tuple[str, list[str]]
"""A record's own text, which may span lines, and its cells."""

_END: Final = "\0end"  # no line holds a NUL, so this cannot be a cell
_LONGEST_CELL: Final = 1 << 27  # characters; the module's own limit of 131,072 is a long review
_READ_AS_TEXT: Final = "add --quoting none where quotes are part of the texts"
_REMEDY: Final = f"{_READ_AS_TEXT}, or --quoting standard where they do enclose cells"
_SPANS: Final = "begins a quoted cell that holds"
csv.field_size_limit(_LONGEST_CELL)


class Records:
    """The records of a file of cells, in order; iterate once.

    Args:
        lines: the file's lines with their ends.
        delimiter: what separates cells.
        quoting: a value of `textformat.QUOTING`.
        where: the file, for messages.

    Raises:
        SourceError: while iterating: a quote is not closed or stands where none may, a record has
            another number of cells than the first one, or (`checked`) it is not certain that
            quotes enclose cells.
    """

    def __init__(self, lines: Iterable[str], delimiter: str, quoting: str, where: str) -> None:
        self._lines = lines
        self._delimiter, self._quoting, self._where = delimiter, quoting, where
        self._taken: list[str] = []
        self._number = 1
        self._check = _Check(delimiter)

    def __iter__(self) -> Iterator[Record]:
        width = 0
        for cells in self._cells():
            if not cells and width != 1:  # a blank line
                continue
            cells = cells or [""]  # so others write a cell without a value that is alone in its row
            width = width or len(cells)
            if len(cells) != width:
                raise self._error(
                    f"has {len(cells)} cells, the header has {width}; quote the cells that hold a "
                    f"delimiter or a line end{self._hint()}"
                )
            if self._quoting == CHECKED and (doubt := self._check.of(self._taken, cells)):
                raise self._error(doubt)
            yield "".join(self._taken), cells
        if self._quoting == CHECKED and (doubtful := self._check.at_end()):
            number, doubt = doubtful
            raise SourceError(f"{self._where}: line {number:,} {doubt}")

    def _cells(self) -> Iterator[list[str]]:
        """Yield the cells of one record after the other; `_taken` holds its lines meanwhile."""
        reader = csv.reader(
            self._fed(),
            delimiter=self._delimiter,
            quoting=csv.QUOTE_NONE if self._quoting == NONE else csv.QUOTE_MINIMAL,
            strict=True,
        )
        try:
            for cells in reader:
                if cells and cells[-1].endswith(_END):
                    if not self._taken:
                        return
                    raise self._unclosed()
                yield cells
                self._number += len(self._taken)
                self._check.line = self._number
                self._taken.clear()
        except csv.Error as error:
            if "field larger" in str(error) or "end of data" in str(error):
                raise self._unclosed() from error
            raise self._error(
                'has a quote (") in the middle of a quoted cell; double a quote that is text, or '
                f"{_READ_AS_TEXT}"
            ) from error

    def _fed(self) -> Iterator[str]:
        for line in self._lines:
            self._taken.append(line)
            yield line
        yield _END

    def _unclosed(self) -> SourceError:
        return self._error(
            f'opens a quote (") that is never closed; double a quote that is text, or '
            f"{_READ_AS_TEXT}"
        )

    def _hint(self) -> str:
        quotes = self._quoting != NONE and any('"' in line for line in self._taken)
        return f", or {_READ_AS_TEXT}" if quotes else ""

    def _error(self, reason: str) -> SourceError:
        return SourceError(f"{self._where}: line {self._number:,} {reason}")


class _Check:
    """Looks for records of several lines that could as well be several records."""

    def __init__(self, delimiter: str) -> None:
        self.line = 1
        self._delimiter = delimiter
        self._width = 0
        self._scored = False
        self._all_lines_fit = True
        self._first_spanning: int | None = None

    def of(self, lines: list[str], cells: list[str]) -> str | None:
        """Say what is doubtful about a record, where that is certain already."""
        if not self._width:
            self._width, self._scored = len(cells), bool(verdicts_in(cells))
        if len(lines) == 1 and not self._all_lines_fit:
            return None
        fit = all(line.count(self._delimiter) + 1 == self._width for line in lines if line.strip())
        self._all_lines_fit = self._all_lines_fit and fit
        if len(lines) == 1:
            return None
        if self._first_spanning is None:
            self._first_spanning = self.line
        if self._scored:  # an output: its many cells leave no doubt, and drugmon quotes well
            return f"{_SPANS} rows that would be rows by themselves; {_REMEDY}" if fit else None
        if self._delimiter == "\t" and any(map(_spans_tab_and_line, cells)):
            # Texts do hold a tab here and there, but not as many in a line as a whole row.
            whole = any(line.count("\t") + 1 >= self._width for line in lines[1:])
            return (
                f"{_SPANS} tabs and a line end, as whole rows would; {_REMEDY}" if whole else None
            )
        return None

    def at_end(self) -> tuple[int, str] | None:
        """Say what is doubtful about the whole file, and from which line on."""
        if self._first_spanning is None or not self._all_lines_fit:
            return None
        return self._first_spanning, (
            f"{_SPANS} several lines, and every line of the file would be a row by itself; "
            f"{_REMEDY}"
        )


def _spans_tab_and_line(cell: str) -> bool:
    return "\t" in cell and ("\n" in cell or "\r" in cell)
