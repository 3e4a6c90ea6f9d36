"""A folder for what a run lays aside while it works."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from drugmon.data.verdicts.atomic import temporary_folder
from drugmon.data.verdicts.journal import Journal
from drugmon.wording import path_told


@contextlib.contextmanager
def folder_aside(journal: Journal | None) -> Iterator[Path]:
    """A folder for the copies of one run, which hold review texts: only this user reads it.

    It is beside the database. What is there while the journal's lock is held was left by a killed
    run. A dry run, which writes nothing there, takes the system's temporary folder, as does a run
    whose folder's name is not UTF-8, which DuckDB could not open.
    """
    if journal is None or path_told(journal.aside) != str(journal.aside):
        with temporary_folder() as folder:
            yield folder
        return
    aside = journal.aside.absolute()  # Arrow takes a relative path with a colon for a URI
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    try:
        yield aside
    finally:
        shutil.rmtree(aside)
