"""Where the verdicts of one source go: what lies there already, and how it is replaced whole."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from drugmon.data.sources import FileSource
from drugmon.data.stores.objects import Stored, fetch, look, put
from drugmon.data.stores.shadow import copies_folder, make_state_folder
from drugmon.data.stores.uri import Location, StoreUri
from drugmon.data.verdicts.atomic import replacing


class Target(Protocol):
    """What a run replaces: the old or the new is there, never a part."""

    @property
    def file(self) -> FileSource:
        """Its location, format and compression."""

    @property
    def state(self) -> Path:
        """The path beside which lock, journal and history of it lie."""

    def earlier(self) -> AbstractContextManager[FileSource | None]:
        """Give a file with the verdicts that are there; None where there are none."""

    def replacing(self, like: Path) -> AbstractContextManager[Path]:
        """Give an empty file, which replaces what is there when the block ends well.

        Args:
            like: where the content comes from: whom it is closed to, the target is closed to.

        Raises:
            SinkError: it cannot be replaced; it is as it was.
        """


class FileTarget:
    """A file on this machine."""

    def __init__(self, path: Path) -> None:
        self.file = FileSource.of(path)
        self.state = path

    @contextlib.contextmanager
    def earlier(self) -> Iterator[FileSource | None]:
        """Give the file itself."""
        path = self.file.path
        yield self.file if path.exists() and path.stat().st_size else None

    def replacing(self, like: Path) -> AbstractContextManager[Path]:
        """Build aside, then rename."""
        return replacing(self.file.path, like)


class StoredTarget:
    """An object in a store: built on this machine, then put under its key in one step."""

    def __init__(self, uri: StoreUri) -> None:
        self.file = FileSource.of(uri)
        self._uri = uri
        self._seen: Stored | None = look(uri)

    @property
    def state(self) -> Path:
        """In the folder of this machine that stands for the object's."""
        return make_state_folder(self._uri)

    @contextlib.contextmanager
    def earlier(self) -> Iterator[FileSource | None]:
        """Give a copy, which goes with the block."""
        if self._seen is None or not self._seen.size:
            yield None
            return
        with copies_folder(self._uri) as folder:
            copy = folder / "earlier"
            self._seen = fetch(self._uri, copy)
            yield replace(self.file, path=copy)

    @contextlib.contextmanager
    def replacing(self, like: Path) -> Iterator[Path]:  # noqa: ARG002 - stores have rights of their own
        """Build in a folder that only this user reads, then put it there."""
        with copies_folder(self._uri) as folder:
            built = folder / "built"
            built.touch()
            yield built
            put(built, self._uri, self._seen)


def open_target(location: Location) -> Target:
    """Look at where verdicts are to go.

    Raises:
        SourceError: its store cannot be asked, or has no such bucket.
    """
    if isinstance(location, StoreUri):
        return StoredTarget(location)
    assert isinstance(location, Path)
    return FileTarget(location)


def is_there(location: Location) -> bool:
    """Whether there is a file or an object.

    Raises:
        SourceError: as `open_target`.
    """
    if isinstance(location, StoreUri):
        return look(location) is not None
    assert isinstance(location, Path)
    return location.exists()
