"""Where the judged rows are found again, for the commands on the page."""

from __future__ import annotations

import os

from drugmon.data.stores.uri import is_uri
from drugmon.monitoring.checks.rows import RowsPlace, between, since, until
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
        columns=rows.columns,
    )


def _window(current: CurrentSide) -> str | None:
    window, rows = current.window, current.rows
    if window.spans is not None:
        spans = [(start.isoformat(), end.isoformat()) for start, end in window.spans]
        return between(rows.prefix, spans)
    column = rows.date_column or f"{rows.prefix}drugmon_scored_at"
    parts = []
    if window.since is not None:
        parts.append(since(column, window.since.isoformat()))
    if window.until is not None:
        parts.append(until(column, window.until.isoformat()))
    return " AND ".join(parts) or None
