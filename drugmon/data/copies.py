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


def _copy(source: FileSource, path: Path) -> FileSource:
    if source.format == DELTA:
        snapshot(source.location, path, source.version)
        return replace(source, path=path, format="parquet", origin=source.location)
    assert isinstance(source.origin, StoreUri)
    fetch(source.origin, path)
    return replace(source, path=path)
