"""Reading the files of a source of training reviews, window by window: all of them, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from drugmon.data.columns import ColumnMap, resolve_columns
from drugmon.data.copies import fetched
from drugmon.data.formats import open_reader, read_windows
from drugmon.data.resolve import resolve_source
from drugmon.data.reviews import Window
from drugmon.data.sources import StandardInput
from drugmon.data.textformat import TextFormat
from drugmon.errors import DrugmonError, SourceError, TrainingDataError, UsageError

T = TypeVar("T")

_WINDOW: Final = 8192


def read_files(
    source: str,
    overrides: Mapping[str, str],
    text_format: TextFormat,
    read_window: Callable[[Window, ColumnMap, str], T],
) -> list[T]:
    """Return what `read_window` makes of each window of every file of `source`.

    Args:
        source: a file, folder or glob.
        overrides: columns by field, from `--column`.
        text_format: of text files.
        read_window: is given the rows, the columns of their file, and its name for messages.

    Raises:
        SourceError: the source cannot be read, or has no text column.
        UsageError: it is standard input, or `overrides` name a field or column that is not there.
        TrainingDataError: several files cannot be used; or what `read_window` raises.
    """
    files = resolve_source(source)
    if isinstance(files, StandardInput):
        raise UsageError("training reviews are read from files; name a file, folder or glob, not -")
    parts = []
    bad: list[DrugmonError] = []
    for file in files:
        try:
            with fetched(file) as read, open_reader(read, text_format) as reader:
                columns = resolve_columns(reader.columns, overrides, reader.where)
                for window in read_windows(reader, columns, _WINDOW):
                    parts.append(read_window(window, columns, reader.where))
        except (SourceError, TrainingDataError) as error:
            if len(files) == 1:
                raise
            bad.append(error)
    if bad:
        raise _of_several(bad, len(files))
    return parts


def _of_several(bad: Sequence[DrugmonError], files: int) -> TrainingDataError:
    """The error for bad files among several: all of them, as none may be left out unseen."""
    return TrainingDataError(
        f"{len(bad)} of {files} files cannot be used, and figures over the others would be of "
        f"other reviews: {'; '.join(map(str, bad))}; mend them, or name the others alone"
    )
