"""Old reports are removed: only folders and files that drugmon itself wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from drugmon.data.history.night_file import read_night
from drugmon.data.history.output import Output
from drugmon.reports.keep import Keep

SUMMARY: Final = "summary.json"
NIGHT: Final = "night.json"
"""What the index of all reports takes of one."""

UNRECORDED: Final = "unrecorded"
"""A file that lies in the folder of a report until the history has the report."""

PAGES: Final = ("index.html", "drift.html", "quality.html")

_NAME: Final = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]+")


def prune(out: Path, source: str, keep: Keep, output: Output | None = None) -> list[Path]:
    """Remove the reports of a source in `out` that do not stay; return what went, by age.

    Args:
        out: the folder of all reports.
        source: what the source is called.
        keep: which stay.
        output: what was judged; reports that do not tell it count by the source's name alone.

    A report is a folder `<date>-<run>` whose summary tells that run. Of it, drugmon's own files are
    removed, the summary last, so that a removal that was cut off is finished by the next one; the
    folder stays where something else lies in it. Links are left alone.

    Raises:
        OSError: a file cannot be removed.
    """
    of_source = _reports(out, source, output)
    # A summary tells seconds: of two reports within one, the file system knows the later.
    reports = sorted(
        (created, (folder / SUMMARY).stat().st_mtime_ns, folder)
        for folder, created in of_source.items()
    )
    gone = keep.gone([folder for *_, folder in reports], _size)
    for folder in gone:
        for path in _own_files(folder):
            path.unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()
    return gone


def _own_files(folder: Path) -> list[Path]:
    """What drugmon wrote into the folder of a report, the summary last."""
    paths = (folder / name for name in (*PAGES, NIGHT, UNRECORDED, SUMMARY))
    return [path for path in paths if path.is_file() or path.is_symlink()]


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in _own_files(folder))


def _reports(out: Path, source: str, output: Output | None) -> dict[Path, str]:
    """The folders of reports of a source, and when each was made."""
    made_at = {}
    for folder in out.iterdir() if out.is_dir() else ():
        if _NAME.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            created = _created(folder, source)
            if created is not None and _output_of(folder, out) in (output, None):
                made_at[folder] = created
    return made_at


def _created(folder: Path, source: str) -> str | None:
    """When the report in `folder` was made, ISO 8601 in UTC; None where it is none of `source`."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        run, created, of_source = summary["run_id"], summary["created_at"], summary["source"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    is_report = isinstance(created, str) and of_source == source and folder.name.endswith(f"-{run}")
    return created if is_report else None


def _output_of(folder: Path, out: Path) -> Output | None:
    """What the report in `folder` judged; None where it does not tell."""
    try:
        return read_night(folder / NIGHT, out).output
    except (OSError, ValueError):
        return None
