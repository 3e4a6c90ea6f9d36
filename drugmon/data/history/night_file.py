"""A report's record as a JSON file beside its page: what an index takes of a report.

The path of what was judged is kept relative to the folder of all reports: pages are shown to
others, who need not know the machine's folders. A URI is kept as it is.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from drugmon.data.history.database import path_from
from drugmon.data.history.records import ReportRecord
from drugmon.data.stores.uri import StoreUri


def write_night(record: ReportRecord, path: Path, out: Path) -> None:
    """Write `record` to `path`; `out` is the folder of all reports.

    Raises:
        OSError: it cannot be written.
    """
    output = record.output
    if output is not None and isinstance(output.path, Path):
        relative = os.path.relpath(output.path, os.path.realpath(out))
        output = replace(output, path=Path(relative))
    text = msgspec.json.encode(replace(record, output=output), enc_hook=_encodable)
    path.write_bytes(msgspec.json.format(text, indent=1) + b"\n")


def _encodable(value: object) -> object:
    """What msgspec does not know: paths and URIs, and the numbers of numpy."""
    if isinstance(value, Path | StoreUri):
        return str(value)
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"{type(value)} in the record of a report")


def read_night(path: Path, out: Path) -> ReportRecord:
    """Read what `write_night` wrote; `out` is the folder of all reports.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no record of a report.
    """
    record = msgspec.json.decode(path.read_bytes(), type=ReportRecord, dec_hook=path_from)
    if record.created_at.tzinfo is None:
        raise ValueError("no record of a report: its time lacks a zone")
    output = record.output
    if output is None or not isinstance(output.path, Path):
        return record
    whole = Path(os.path.realpath(out / output.path))
    return replace(record, output=replace(output, path=whole))
