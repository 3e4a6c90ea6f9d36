"""Sources as files of this machine: themselves, or copies of what is elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from drugmon.data.sources import DELTA, FileSource
from drugmon.data.stores.delta import snapshot
from drugmon.data.stores.objects import fetch
from drugmon.data.stores.shadow import copies_folder
from drugmon.data.stores.uri import StoreUri


@contextlib.contextmanager
def fetched(source: FileSource) -> Iterator[FileSource]:
    """Give the source as a file of this machine: itself, or a copy that goes with the block.

    Raises:
        SourceError: it cannot be had from its store, or there is no room for it.
        SinkError: there is no place for it.
    """
    if source.is_here:
        yield source
        return
    with copies_folder(source.location) as folder:
        yield _copy(source, folder / "source")


def copied(sources: Iterable[FileSource], aside: Path) -> list[FileSource]:
    """Return the sources as files of this machine; copies of what is none lie in `aside`.

    Raises:
        SourceError: as `fetched`.
    """
    return [
        source if source.is_here else _copy(source, aside / f"copy-{number}")
        for number, source in enumerate(sources)
    ]


def pinned(source: FileSource, path: Path) -> tuple[FileSource, str]:
    """Return the source as a file of this machine, and what tells its state from all others.

    A copy of what is none lies at `path`; its state is that of what it is a copy of.

    Raises:
        SourceError: as `fetched`.
    """
    if source.is_here:
        now = source.path.stat()
        # A file may be replaced by one of the same size and time, as archives unpack them.
        return source, f"{now.st_size}:{now.st_mtime_ns}:{now.st_ctime_ns}"
    if source.format == DELTA:
        version = snapshot(source.location, path, source.version)
        copy = replace(source, path=path, format="parquet", origin=source.location)
        return replace(copy, version=version.number), f"{version.table}:{version.number}"
    assert isinstance(source.origin, StoreUri)
    stored = fetch(source.origin, path)
    return replace(source, path=path), f"{stored.size}:{stored.version}"


def _copy(source: FileSource, path: Path) -> FileSource:
    return pinned(source, path)[0]
