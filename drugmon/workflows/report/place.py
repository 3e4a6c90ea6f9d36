"""Where the judged rows are found again, for the commands on the page."""

from __future__ import annotations

import os

from drugmon.data.stores.uri import is_uri
from drugmon.monitoring.checks.rows import RowsPlace, between
from drugmon.wording import path_told
from drugmon.workflows.report.config import ReportConfig
from drugmon.workflows.report.sides import CurrentSide


def place_of(config: ReportConfig, current: CurrentSide) -> RowsPlace:
    """The source and the window as `drugmon show` takes them.

    Paths are relative to the folder that holds the folder of all reports, so that the page tells
    little of the machine.
    """
    source, rows = config.source, current.rows
    home = os.path.realpath(config.pages.out / os.pardir)
    path = source.path
    if not is_uri(path):
        path = os.path.relpath(os.path.realpath(path), home)
    pairs = [f"{field}={name}" for field, name in source.reading.columns.items()]
    return RowsPlace(
        source=path_told(f"./{path}" if path.startswith("-") else path),
        table=source.database.table,
        prefix=rows.prefix,
        options=(
            *source.reading.text_format.options(),
            *(word for pair in pairs for word in ("--column", pair)),
            *(["--partitions"] if source.partitions else []),
        ),
        window=_window(current),
        scored=_scored(current),
        columns=rows.columns,
    )


def _window(current: CurrentSide) -> tuple[str, ...]:
    window, column = current.window, current.rows.date_column
    bounds = (("--since", window.since), ("--until", window.until))
    words = [
        word
        for option, moment in bounds
        if moment is not None
        for word in (option, moment.isoformat())
    ]
    return (*words, "--date-column", column) if words and column is not None else tuple(words)


def _scored(current: CurrentSide) -> str | None:
    if current.window.spans is None:
        return None
    spans = [(start.isoformat(), end.isoformat()) for start, end in current.window.spans]
    return between(current.rows.prefix, spans)
