"""The one way out for tables and Markdown: rich, to which what comes from data is a text.

Escape sequences, line ends and rich's markup do nothing here; lines, JSON and CSV are `lines`'.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import click
from rich.console import Console, RenderableType
from rich.markdown import Markdown
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from drugmon.wording import escaped, one_line

LOG_WIDTH: Final = 140
"""Columns of a table in a log or a pipe."""


class Screen(Console):
    """rich's console, to which every text is a text: no markup, no emoji codes, one line each."""

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich does, of a text that cannot act on the terminal."""
        return super().render_str(one_line(text), **options)

    def print_table(self, table: Table) -> None:
        """Print a table, with less room between its columns where the terminal is narrow.

        Where it is too narrow all the same, each row is a block of its own, a line a column.
        """
        for column in table.columns:
            if column.no_wrap:  # rich would cut what it may not fold
                column.min_width = max(column.min_width or 0, self._widest(column))
        if self._measured(table).maximum > self.width:
            table.collapse_padding, table.pad_edge, table.show_edge = True, False, False
        if self._measured(table).minimum > self.width:
            self._print_rows(table)
        else:
            self.print(table)

    def _print_rows(self, table: Table) -> None:
        if table.title:
            self.print(table.title, style="italic")
        for row in zip(*(column.cells for column in table.columns), strict=True):
            block = Table.grid(Column(no_wrap=True, style="dim"), Column(overflow="fold"))
            block.padding = (0, 2, 0, 0)
            for column, cell in zip(table.columns, row, strict=True):
                block.add_row(column.header, cell)
            self.print(block, "")

    def _measured(self, content: RenderableType) -> Measurement:
        """How wide it has to be at least, and is where there is room."""
        return Measurement.get(self, self.options.update(width=10_000), content)

    def _widest(self, column: Column) -> int:
        widest = max(self._measured(cell).maximum for cell in (column.header, *column.cells))
        return min(widest, column.max_width or widest)


def console() -> Screen:
    """A table in a log or a pipe is not folded to the 80 columns that rich takes there."""
    width = None if sys.stdout.isatty() else LOG_WIDTH
    return Screen(width=width, markup=False, emoji=False)


def text(value: object, style: str = "") -> Text:
    """A text for a table's cell, in one line."""
    return Text(one_line(str(value)), style=style)


def print_markdown(body: str) -> None:
    """Print Markdown, page by page where it is read on a terminal."""
    screen, markdown = console(), Markdown(escaped(body))
    if not sys.stdout.isatty():
        screen.print(markdown)
        return
    with screen.capture() as captured:
        screen.print(markdown)
    click.echo_via_pager(captured.get())
