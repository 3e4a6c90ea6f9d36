"""Upload: what a file that somebody gave holds, before it is scored and after."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from drugmon.data.columns import resolve_columns
from drugmon.data.formats import open_reader, read_windows
from drugmon.data.sources import FileSource
from drugmon.errors import SourceError
from drugmon.workflows.configs import ShowConfig
from drugmon.workflows.show import Shown, show

_ROWS: Final = 8_192


@dataclass(frozen=True)
class Recognised:
    """A file's rows, and the column that holds each field of a review."""

    rows: int
    columns: dict[str, str]


def recognise(path: Path, most: int) -> Recognised:
    """Read a file through.

    Raises:
        SourceError: it cannot be read as reviews, or has more than `most` rows.
    """
    with open_reader(FileSource.of(path)) as reader:
        columns = resolve_columns(reader.columns, {}, path.name)
        rows = 0
        for window in read_windows(reader, columns, _ROWS):
            rows += len(window.rows)
            if rows > most:
                raise SourceError(
                    f"the file has more than {most:,} rows: score it with `drugmon score`, which "
                    "has no limit, or give the page a larger --max-rows"
                )
    named = {field: name for field, name in asdict(columns).items() if name is not None}
    return Recognised(rows, named)


def least_certain(path: Path, rows: int) -> Shown:
    """Label counts of a scored file, and its `rows` rows of least confidence in overall.

    Raises:
        SourceError: it has no verdicts.
    """
    return show(
        ShowConfig(
            str(path),
            where="overall_sentiment IS NOT NULL",
            sort=("overall_confidence",),
            texts=True,
            limit=rows,
        )
    )
