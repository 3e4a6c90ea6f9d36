"""The attempts of nightly jobs: an entry a source and night beside the pages, whatever came of it.

A report tells of a night only where there is one. The entries need neither the source's database
nor a history, so that the index knows of the night on which those were locked or gone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from drugmon.data.lock import lock_file
from drugmon.data.verdicts.atomic import flush, replacing, sink_errors
from drugmon.monitoring.checks.summary import Status

Kind = TypeVar("Kind")

ATTEMPTS: Final = "attempts.jsonl"
"""The file within the folder of all reports; a later line of the same attempt replaces it."""

KEPT: Final = 1000
"""Attempts of a source that stay."""

_LOCK: Final = ".attempts.lock"
_WAIT_SECONDS: Final = 30.0
_YEAR: Final = 24.0 * 366
_SPARE: Final = 4
"""The file is written anew when it holds so many times the lines that are kept of a source."""


@dataclass(frozen=True)
class Attempt:
    """What became of one source in one night.

    Attributes:
        attempt: the night's id, 12 hexadecimal digits.
        job: the name of the job.
        source: what pages call the source.
        began: when the night began, with a time zone.
        every_hours: hours from one night of the job to the next.
        ended: when it ended; None while it is at work, and where it was killed.
        status: what the report came to; None where there is none.
        page: the report's folder within the folder of all reports; None where there is none.
        rows: the reviews that the report judged.
        failures: what went wrong, a sentence each.
    """

    attempt: str
    job: str
    source: str
    began: datetime
    every_hours: float
    ended: datetime | None = None
    status: Status | None = None
    page: str | None = None
    rows: int | None = None
    failures: tuple[str, ...] = ()


def write_attempts(folder: Path, attempts: Iterable[Attempt], keep: int = KEPT) -> None:
    """Add `attempts` to those in `folder`, which is made where it is missing.

    The newest `keep` of every source stay.

    Raises:
        SinkError: they cannot be written.
        RunningError: another process held the file's lock for half a minute.
    """
    path = folder / ATTEMPTS
    busy = "look why it does not end"
    with lock_file(folder / _LOCK, _WAIT_SECONDS, busy), sink_errors(path):
        # A line that was cut off by a full disk or a kill would swallow the next one.
        lines = "".join(f"{json.dumps(_plain(attempt))}\n" for attempt in attempts)
        is_new = not path.exists()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags, 0o666), "w", encoding="utf-8") as file:
            file.write(f"\n{lines}" if _ends_within_a_line(path) else lines)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            flush(folder)
        _trim(path, keep)


def read_attempts(folder: Path) -> list[Attempt]:
    """Return the attempts in `folder`, by when they began; lines that are none are left out.

    Raises:
        OSError: the file is there and cannot be read.
    """
    path = folder / ATTEMPTS
    if not path.is_file():
        return []
    newest: dict[tuple[str, str], Attempt] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        attempt = _attempt(line)
        if attempt is not None:
            newest[attempt.attempt, attempt.source] = attempt
    return sorted(newest.values(), key=lambda attempt: attempt.began)


def _trim(path: Path, keep: int) -> None:
    """Keep the newest `keep` attempts of every source, once there are many more."""
    with path.open("rb") as file:
        lines = sum(1 for _ in file)
    attempts = read_attempts(path.parent)
    by_source: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_source.setdefault(attempt.source, []).append(attempt)
    if lines <= _SPARE * keep * max(1, len(by_source)):
        return
    kept = [attempt for of_source in by_source.values() for attempt in of_source[-keep:]]
    with replacing(path) as temporary:
        text = "".join(f"{json.dumps(_plain(attempt))}\n" for attempt in kept)
        temporary.write_text(text, encoding="utf-8")


def _plain(attempt: Attempt) -> Mapping[str, object]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(attempt).items()
    }


def _attempt(line: str) -> Attempt | None:
    """The attempt that a line tells of; None where it tells of none."""
    try:
        values = json.loads(line)
        page = values["page"]
        return Attempt(
            attempt=_of_type(str, values["attempt"]),
            job=_of_type(str, values["job"]),
            source=_of_type(str, values["source"]),
            began=_moment(values["began"]),
            every_hours=min(max(float(values["every_hours"]), 1.0), _YEAR),
            ended=None if values["ended"] is None else _moment(values["ended"]),
            status=None if values["status"] is None else Status(values["status"]),
            page=None if page is None or Path(page).name != page else page,
            rows=None if values["rows"] is None else _of_type(int, values["rows"]),
            failures=tuple(
                _of_type(str, failure) for failure in _of_type(list, values["failures"])
            ),
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _moment(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC)


def _of_type(kind: type[Kind], value: object) -> Kind:
    if type(value) is not kind:
        raise TypeError(f"not a {kind.__name__}")
    return value


def _ends_within_a_line(path: Path) -> bool:
    size = path.stat().st_size
    if not size:
        return False
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read(1) != b"\n"
