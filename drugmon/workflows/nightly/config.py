"""The settings of a nightly job: a TOML file, checked key by key when it is loaded.

Relative paths are relative to the folder of the file, wherever the job is started.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from glob import escape
from pathlib import Path
from typing import Any, Final

from drugmon.checked import check_keys, checked, parse_toml, shown
from drugmon.config import EngineConfig
from drugmon.data.sources import is_pattern
from drugmon.data.textformat import TextFormat
from drugmon.errors import SettingsError, UsageError
from drugmon.grading import GradingChoice
from drugmon.monitoring.checks.gate import read_gate
from drugmon.monitoring.checks.summary import AREAS
from drugmon.workflows.nightly.notify import url_fault
from drugmon.workflows.nightly.settings import Engine, Job, Log, Notify, Report, Source
from drugmon.workflows.report.config import Reference, parse_reference
from drugmon.workflows.report.window import parse_length
from drugmon.workflows.score.score import ScoreConfig


@dataclass(frozen=True)
class Task:
    """A source as the workflows take it: what to score and how to report it; `name` is unique."""

    name: str
    score: ScoreConfig
    report: Report


@dataclass(frozen=True)
class NightlyConfig:
    """A whole nightly job; `folder` is the settings file's, absolute, `out` that of the reports."""

    name: str
    folder: Path
    out: str
    tasks: tuple[Task, ...]
    job: Job
    log: Log
    notify: Notify

    @property
    def every(self) -> timedelta:
        """From one night to the next."""
        return _span(self.job.every)

    @property
    def state(self) -> Path:
        """The folder of the job's lock and state."""
        return self.path(self.job.state)

    @property
    def pages(self) -> Path:
        """The folder of all reports, but those of sources that name another one."""
        return self.path(self.out)

    def path(self, written: str) -> Path:
        """What a path in the settings means: relative to their folder, `~` the user's home."""
        return _path(self.folder, written)


_SPAN: Final = re.compile(r"[1-9]\d{0,4}[hdw]", re.ASCII)
_HOURS: Final = {"h": 1, "d": 24, "w": 168}
_SECTIONS: Final[Mapping[str, type[Any]]] = {
    kind.__name__.lower(): kind for kind in (Job, Engine, Report, Log, Notify)
}


def load_nightly(path: Path) -> NightlyConfig:
    """Read the settings of a nightly job; every mistake in them is found here.

    Raises:
        SettingsError: the file is missing or no TOML, or a key or a value will not do; the message
            names file and key.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}; check the path") from error
    values = parse_toml(text, str(path))
    check_keys(values, ("source", *_SECTIONS), str(path))
    sections = {
        key: checked(kind, values.get(key, {}), f"{path}: {key}") for key, kind in _SECTIONS.items()
    }
    folder = path.resolve().parent
    if not _SPAN.fullmatch(sections["job"].every):
        raise SettingsError(
            f"{path}: job.every = {shown(sections['job'].every)} will not do: "
            "give a span such as 1d"
        )
    _check_notify(values.get("notify", {}), path)
    _check_report(sections["report"], folder, f"{path}: report")
    return NightlyConfig(
        path.stem,
        folder,
        sections["report"].out,
        _tasks(values, sections["engine"].config(), folder, path),
        sections["job"],
        sections["log"],
        sections["notify"],
    )


def _check_notify(table: Mapping[str, Any], path: Path) -> None:
    fault = url_fault(table["url"]) if table.get("url") else None
    if fault is not None:
        raise SettingsError(f"{path}: notify.url will not do: {fault}")
    if not isinstance(table.get("command", []), list):
        raise SettingsError(
            f'{path}: notify.command will not do: give a list, such as ["./tell.sh", "reviews"]'
        )


def _path(folder: Path, written: str) -> Path:
    """Raises SettingsError where the home that `~` or `~name` means is not known.

    A file called `~x` is written `./~x`, as in a shell.
    """
    try:
        return folder / (Path(written).expanduser() if written.startswith("~") else written)
    except RuntimeError as error:
        raise SettingsError(f"{written}: no home folder is known for it; write it out") from error


def reference_of(report: Report, folder: Path) -> Reference:
    """What the report compares with; a file is relative to `folder`, `~` the user's home.

    Raises:
        UsageError: it says previous, and no number of runs.
    """
    named = report.reference
    return parse_reference(str(_path(folder, named)) if named.startswith("~") else named, folder)


def _span(text: str) -> timedelta:
    return timedelta(hours=int(text[:-1]) * _HOURS[text[-1]])


def _check_report(report: Report, folder: Path, where: str) -> Report:
    """Find before anything is scored what the report would find only after it."""
    try:
        if report.window not in ("new", "all"):
            parse_length(report.window)
    except UsageError:
        raise SettingsError(
            f"{where}.window = {shown(report.window)} will not do: "
            "give new, all, or a span such as 7d"
        ) from None
    try:
        reference_of(report, folder)
    except UsageError as error:
        raise SettingsError(f"{where}.reference will not do: {error}") from None
    try:
        read_gate(_path(folder, report.gate) if report.gate else None)
    except SettingsError as error:
        raise SettingsError(f"{where}.gate will not do: {error}") from None
    for area in report.fail_on:
        if area not in AREAS:
            raise SettingsError(
                f"{where}.fail_on = {shown(area)} will not do: give some of {', '.join(AREAS)}"
            )
    return report


def _tasks(
    values: Mapping[str, Any], engine: EngineConfig, folder: Path, path: Path
) -> tuple[Task, ...]:
    tables = values.get("source", [])
    if not isinstance(tables, list) or not tables:
        raise SettingsError(f'{path} names no source; add [[source]] with source = "reviews.csv"')
    shared = values.get("report", {})
    tasks = []
    for number, table in enumerate(tables, start=1):
        where = f"{path}: source {number}"
        source = checked(Source, table, where)
        if not source.source or source.source == "-":
            raise SettingsError(f"{where}.source is missing: give a file, a glob or a database")
        own = f"{where}.report"
        report = _check_report(checked(Report, {**shared, **source.report}, own), folder, own)
        tasks.append(Task(_name(source), _score_config(source, engine, folder, where), report))
    twice = [name for name, count in Counter(task.name for task in tasks).items() if count > 1]
    if twice:
        raise SettingsError(
            f"{path}: several sources are called {twice[0]!r}; "
            'give each a name of its own: name = "..."'
        )
    return tuple(tasks)


def _name(source: Source) -> str:
    if named := " ".join(source.name.split()):
        return named
    path = Path(source.source)
    # Of a glob such as inbox/*.csv nothing is left but the folder.
    found = (
        _letters(name) for name in (source.table, path.name.partition(".")[0], path.parent.name)
    )
    return next(filter(None, found), "reviews")


def _letters(name: str) -> str:
    kept = (letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
    return "".join(kept).strip("-")


def _score_config(source: Source, engine: EngineConfig, folder: Path, where: str) -> ScoreConfig:
    try:
        return ScoreConfig(
            source=_source_in(folder, source.source),
            adapter=_adapter(source.adapter, folder),
            rule=source.rule or None,
            out=_as_folder(_path(folder, source.out), source.out) if source.out else None,
            in_place=source.in_place,
            overwrite=source.overwrite,
            table=source.table or None,
            id_column=source.id or None,
            lock_timeout=source.lock_timeout,
            columns=source.columns,
            where=source.where or None,
            text_format=TextFormat(
                source.encoding or None, source.quoting, source.delimiter or None
            ),
            grading=GradingChoice(source.rating_scale or None, source.labels),
            history=_path(folder, source.history) if source.history else None,
            engine=engine,
        )
    except UsageError as error:
        raise SettingsError(f"{where}: {error}") from error


def _source_in(folder: Path, source: str) -> str:
    """A source beside the settings file, whose folder is no part of a glob."""
    path = str(_path(folder, source))
    if not is_pattern(path) or source.startswith(("~", os.sep)):
        return path
    return str(Path(escape(str(folder))) / source)


def _as_folder(path: Path, written: str) -> str:
    """The path with the slash that it was written with, which says that a folder is meant."""
    return f"{path}{os.sep if written.endswith(os.sep) else ''}"


def _adapter(name: str, folder: Path) -> str:
    """An adapter beside the settings file, or in adapters/ there, else a shipped one's name."""
    found = (place for place in (_path(folder, name), folder / "adapters" / name) if place.is_dir())
    return str(next(found, name))
