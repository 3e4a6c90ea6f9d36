"""The settings of a nightly job: a TOML file, checked key by key when it is loaded.

Relative paths are relative to the folder of the file, wherever the job is started.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from glob import escape
from pathlib import Path
from typing import Any, Final

from drugmon.checked import check_keys, checked, checked_options, keys_of, parse_toml, shown
from drugmon.config import DEFAULT_ADAPTER
from drugmon.data.resolve import is_pattern
from drugmon.data.stores.uri import is_uri
from drugmon.errors import SettingsError, UsageError
from drugmon.monitoring.checks.gate import read_gate
from drugmon.monitoring.checks.summary import AREAS
from drugmon.options import build
from drugmon.workflows.nightly.notify import url_fault
from drugmon.workflows.nightly.settings import (
    EngineSettings,
    JobSettings,
    Log,
    Notify,
    ReportSettings,
    SourceSettings,
)
from drugmon.workflows.nightly.written import first_shared
from drugmon.workflows.report.config import Files, parse_reference
from drugmon.workflows.report.options import OF_ADAPTER, PageOptions
from drugmon.workflows.report.window import parse_length
from drugmon.workflows.score.config import ScoreConfig


@dataclass(frozen=True)
class Task:
    """A source as the workflows take it: what to score and how to report it; `name` is unique."""

    name: str
    score: ScoreConfig
    report: ReportSettings


@dataclass(frozen=True)
class NightlyConfig:
    """A whole nightly job; `folder` is the settings file's, absolute.

    `pages` is the folder of all reports, but those of sources that name another one; where all do,
    it is the first one's.
    """

    name: str
    folder: Path
    pages: Path
    tasks: tuple[Task, ...]
    job: JobSettings
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

    def path(self, written: str) -> Path:
        """What a path in the settings means: relative to their folder, `~` the user's home."""
        return path_in(self.folder, written)


_SPAN: Final = re.compile(r"[1-9]\d{0,4}[hdw]", re.ASCII)
_HOURS: Final = {"h": 1, "d": 24, "w": 168}
_SECTIONS: Final = ("job", "engine", "report", "log", "notify")


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
    tables = {name: (values.get(name, {}), f"{path}: {name}") for name in _SECTIONS}
    job = checked(JobSettings, *tables["job"])
    try:
        engine = build(EngineSettings, **checked_options(EngineSettings, *tables["engine"]))
    except UsageError as error:
        raise SettingsError(f"{path}: engine: {error}") from error
    log, notify = checked(Log, *tables["log"]), checked(Notify, *tables["notify"])
    folder = path.resolve().parent
    if not _SPAN.fullmatch(job.every):
        raise SettingsError(
            f"{path}: job.every = {shown(job.every)} will not do: give a span such as 1d"
        )
    _check_notify(notify, tables["notify"][0], path)
    for key, written in (("job.state", job.state), ("log.file", log.file)):
        _here(folder, written, f"{path}: {key}")
    report = _report_settings(values.get("report", {}), folder, f"{path}: report")
    tasks = _tasks(values, engine, folder, path)
    outs, out = [task.report.pages.out for task in tasks], report.pages.out
    pages = out if out in outs else outs[0]
    return NightlyConfig(path.stem, folder, pages, tasks, job, log, notify)


def _check_notify(notify: Notify, table: object, path: Path) -> None:
    fault = url_fault(notify.url) if notify.url else None
    if fault is not None:
        raise SettingsError(f"{path}: notify.url will not do: {fault}")
    if isinstance(table, Mapping) and not isinstance(table.get("command", []), list):
        raise SettingsError(
            f'{path}: notify.command will not do: give a list, such as ["./tell.sh", "reviews"]'
        )


def path_in(folder: Path, written: str) -> Path:
    """What a path in the settings means: relative to `folder`, `~` the user's home.

    Raises SettingsError where the home that `~` or `~name` means is not known.

    A file called `~x` is written `./~x`, as in a shell.
    """
    try:
        return folder / (Path(written).expanduser() if written.startswith("~") else written)
    except RuntimeError as error:
        raise SettingsError(f"{written}: no home folder is known for it; write it out") from error


def _here(folder: Path, written: str, where: str) -> Path:
    """The same of what lies on this machine alone."""
    if is_uri(written):
        raise SettingsError(f"{where} will not do: it is a URI; give a path on this machine")
    return path_in(folder, written)


def _span(text: str) -> timedelta:
    return timedelta(hours=int(text[:-1]) * _HOURS[text[-1]])


def _report_settings(table: object, folder: Path, where: str) -> ReportSettings:
    """What a section of reports says, its paths absolute.

    What the report would find only after the scoring is found here.
    """
    words = checked_options(ReportSettings, table, where)
    window, reference = words.get("window", "all"), words.get("reference", OF_ADAPTER)
    try:
        if window not in ("new", "all"):
            parse_length(window)
    except UsageError:
        raise SettingsError(
            f"{where}.window = {shown(window)} will not do: give new, all, or a span such as 7d"
        ) from None
    try:
        named = str(path_in(folder, reference)) if reference.startswith("~") else reference
        parsed = parse_reference(named, folder)
    except UsageError as error:
        raise SettingsError(f"{where}.reference will not do: {error}") from None
    gate = _here(folder, words["gate"], f"{where}.gate") if "gate" in words else None
    try:
        read_gate(gate)
    except SettingsError as error:
        raise SettingsError(f"{where}.gate will not do: {error}") from None
    for area in words.get("fail_on", ()):
        if area not in AREAS:
            raise SettingsError(
                f"{where}.fail_on = {shown(area)} will not do: give some of {', '.join(AREAS)}"
            )
    located = {
        "reference": parsed.path if isinstance(parsed, Files) else reference,
        "gate": gate,
        "out": _here(folder, words.get("out", str(PageOptions().out)), f"{where}.out"),
    }
    return build(ReportSettings, **{**words, **located})


def _tasks(
    values: Mapping[str, Any], engine: EngineSettings, folder: Path, path: Path
) -> tuple[Task, ...]:
    tables = values.get("source", [])
    if not isinstance(tables, list) or not tables:
        raise SettingsError(f'{path} names no source; add [[source]] with source = "reviews.csv"')
    shared = values.get("report", {})
    tasks = []
    for number, table in enumerate(tables, start=1):
        where = f"{path}: source {number}"
        source, words = _source_settings(table, where)
        if not source.source or source.source == "-":
            raise SettingsError(f"{where}.source is missing: give a file, a glob or a database")
        report = _report_settings({**shared, **source.report}, folder, f"{where}.report")
        name = _name(source, words.get("table"))
        tasks.append(Task(name, _score_config(source, words, engine, folder, where), report))
    twice = [name for name, count in Counter(task.name for task in tasks).items() if count > 1]
    if twice:
        raise SettingsError(
            f"{path}: several sources are called {twice[0]!r}; "
            'give each a name of its own: name = "..."'
        )
    if shared := first_shared([task.score for task in tasks]):
        names = " and ".join(repr(tasks[number].name) for number in shared)
        raise SettingsError(
            f"{path}: sources {names} write into one place, so that the report of one would tell "
            "of the other; give one of them another out, table or prefix"
        )
    return tuple(tasks)


def _source_settings(table: object, where: str) -> tuple[SourceSettings, dict[str, Any]]:
    """What a source's section says, and of that what is options of scoring."""
    source_keys = [spec.name for spec in fields(SourceSettings)]
    of_score = [key for key in keys_of(ScoreConfig) if key not in keys_of(EngineSettings)]
    values = check_keys(table, (*source_keys, *of_score), where)
    source = checked(
        SourceSettings, {key: values[key] for key in source_keys if key in values}, where
    )
    words = {key: value for key, value in values.items() if key not in source_keys}
    return source, checked_options(ScoreConfig, words, where)


def _name(source: SourceSettings, table: str | None) -> str:
    if named := " ".join(source.name.split()):
        return named
    path = Path(source.source)
    # Of a glob such as inbox/*.csv nothing is left but the folder.
    names = (
        _letters(name) for name in (table or "", path.name.partition(".")[0], path.parent.name)
    )
    return next(filter(None, names), "reviews")


def _letters(name: str) -> str:
    kept = (letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
    return "".join(kept).strip("-")


def _score_config(
    source: SourceSettings, words: dict[str, Any], engine: EngineSettings, folder: Path, where: str
) -> ScoreConfig:
    located: dict[str, object] = {
        "adapter": _adapter(words.get("adapter", DEFAULT_ADAPTER), folder)
    }
    if "then" in words:
        located["then"] = _adapter(words["then"], folder)
    if "out" in words:
        located["out"] = _out_in(folder, words["out"])
    if "history" in words:
        located["history"] = _here(folder, words["history"], f"{where}.history")
    try:
        place = _source_in(folder, source.source)
        how = {"engine": engine.engine, "cluster": engine.cluster}
        return build(ScoreConfig, source=place, **how, **{**words, **located})
    except UsageError as error:
        raise SettingsError(f"{where}: {error}") from error


def _source_in(folder: Path, source: str) -> str:
    """A source beside the settings file, whose folder is no part of a glob."""
    if is_uri(source):
        return source
    path = str(path_in(folder, source))
    if not is_pattern(path) or source.startswith(("~", os.sep)):
        return path
    return str(Path(escape(str(folder))) / source)


def _out_in(folder: Path, written: str) -> str:
    """An output beside the settings file, with the slash that says that a folder is meant."""
    if is_uri(written):
        return written
    return f"{path_in(folder, written)}{os.sep if written.endswith(os.sep) else ''}"


def _adapter(name: str, folder: Path) -> str:
    """An adapter beside the settings file, or in adapters/ there, else a shipped one's name."""
    names = (
        place for place in (path_in(folder, name), folder / "adapters" / name) if place.is_dir()
    )
    return str(next(names, name))
