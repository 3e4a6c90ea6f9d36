"""Check a nightly job before its first night: all that its settings name, and nothing is scored."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from drugmon.config import ClusterConfig
from drugmon.data.resolve import resolve_scored, resolve_source
from drugmon.data.sources import StandardInput
from drugmon.data.stores.shadow import state_of
from drugmon.data.stores.uri import parse_location
from drugmon.errors import DrugmonError, SinkError, SourceError
from drugmon.models.adapters.adapter import open_adapter
from drugmon.monitoring.checks.gate import read_gate
from drugmon.scoring.cascade.cascade import open_cascade
from drugmon.scoring.cluster.connection import import_ray
from drugmon.workflows.nightly.config import NightlyConfig, Task
from drugmon.workflows.nightly.written import scored_source
from drugmon.workflows.report.config import Files, Previous, parse_reference
from drugmon.workflows.score.score import score

_ROOM: Final = 100_000_000
"""Bytes that a disk has to have free, beside twice the size of the source."""


@dataclass(frozen=True)
class Checked:
    """One thing that a night needs: whose it is, what, whether it is there, and in words."""

    source: str
    what: str
    ok: bool
    says: str


def check_night(config: NightlyConfig) -> list[Checked]:
    """Look at everything that a night of `config` needs; what is missing is told, not raised."""
    checked = [_checked("", what, look) for what, look in _of_job(config)]
    for task in config.tasks:
        checked += [_checked(task.name, what, look) for what, look in _of_task(task)]
    return checked


Look = Callable[[], str]
"""Says what was found.

Raises DrugmonError or OSError where that will not do.
"""


def _checked(source: str, what: str, look: Look) -> Checked:
    try:
        return Checked(source, what, True, look())
    except DrugmonError as error:
        return Checked(source, what, False, str(error))
    except OSError as error:
        return Checked(source, what, False, f"{error.filename or what}: {error.strerror or error}")


def _of_job(config: NightlyConfig) -> Iterator[tuple[str, Look]]:
    yield "lock and state", lambda: _writable(config.state)
    if config.log.file:
        yield "log", lambda: _writable(config.path(config.log.file).parent)
    if config.notify.url:
        yield "notify.url", lambda: "its form will do; it is not called"
    if config.notify.command:
        yield "notify.command", lambda: _command(config.notify.command[0], config.folder)


def _of_task(task: Task) -> Iterator[tuple[str, Look]]:
    yield "adapter", lambda: _adapter(task)
    if task.score.cluster.is_remote:
        yield "engine", lambda: _engine(task.score.cluster)
    yield "rows", lambda: _rows(task)
    yield "output", lambda: _room(_output_folder(task), _size_of(task))
    yield "reports", lambda: _room(task.report.pages.out, 0)
    yield "reference", lambda: _reference(task)
    yield "gate", lambda: _gate(task)


def _adapter(task: Task) -> str:
    adapter = open_adapter(task.score.model.adapter or "")
    adapter.verify()
    adapter.base()
    cascade = open_cascade(adapter.under(task.score.model.rule), task.score.cascade)
    if cascade is None:
        return f"{adapter.manifest.identity} and its base are what they should be"
    cascade.second.base()
    return (
        f"{cascade.identity} and their bases are what they should be, and held "
        f"{len(cascade.pair):,} of the same reviews out"
    )


def _engine(cluster: ClusterConfig) -> str:
    version, address = import_ray().__version__, cluster.ray_address
    place = f"in the cluster at {address}, which is not tried" if address else "on this machine"
    return f"Ray {version} is there; workers score {place}"


def _rows(task: Task) -> str:
    warnings: list[str] = []
    result = score(replace(task.score, dry_run=True), warn=warnings.append)
    told = f"{result.scored:,} of {result.total:,} rows would be scored"
    return "; ".join([told, *warnings])


def _reference(task: Task) -> str:
    reference = parse_reference(task.report.judgement.reference)
    if isinstance(reference, Previous):
        return f"the {reference.count} runs before"
    if isinstance(reference, Files):
        files = resolve_scored(reference.path, partitions=task.score.folders.partitions)
        return f"{len(files)} scored files, {reference.path}"
    adapter = open_adapter(task.score.model.adapter or "")
    if adapter.under(task.score.model.rule).reference is None:
        raise SourceError(f"{adapter.manifest.identity} has no profile of held-out reviews")
    return "the adapter's held-out reviews"


def _gate(task: Task) -> str:
    named = task.report.judgement.gate
    gate = read_gate(named, task.report.judgement.fail_on)
    return f"{named or 'the packaged one'}; decides by {', '.join(gate.fail_on) or 'nothing'}"


def _command(name: str, folder: Path) -> str:
    # As a shell does: a name with a slash is a path, here from the folder of the settings.
    path = str(folder / name) if os.sep in name else name
    if shutil.which(path) is None:
        raise SourceError(f"{name}: no such command, or it is not executable")
    return f"{name} is there; it is not run"


def _size_of(task: Task) -> int:
    if task.score.database.table:
        return Path(task.score.source).stat().st_size
    sources = resolve_source(task.score.source, partitions=task.score.folders.partitions)
    if isinstance(sources, StandardInput):
        return 0
    return sum(source.size() for source in sources)


def _output_folder(task: Task) -> Path:
    named = task.score.source if task.score.database.table else scored_source(task.score)
    target = state_of(parse_location(named))
    if target.is_file() and not os.access(target, os.W_OK):
        raise SinkError(f"{target}: cannot be written; let this user write it")
    return target.parent


def _room(folder: Path, size: int) -> str:
    written = _writable(folder)
    free = shutil.disk_usage(_existing(folder)).free
    needed = 2 * size + _ROOM
    if free < needed:
        raise SinkError(
            f"{folder}: {free / 1e9:.1f} GB are free, {needed / 1e9:.1f} GB are wanted; make room"
        )
    return f"{written}, {free / 1e9:,.1f} GB free"


def _writable(folder: Path) -> str:
    there = _existing(folder)
    if not there.is_dir():
        raise SinkError(f"{there}: is no folder; name another place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise SinkError(f"{there}: cannot be written; let this user write there")
    return f"{folder} can be {'written' if there == folder else 'made'}"


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())
