"""Where the verdicts of one source go: what lies there already, and how it is replaced whole."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from drugmon.data.outputs import means_folder
from drugmon.data.sources import DELTA, FileSource
from drugmon.data.stores.delta import Merge, check_key, commit, is_delta, snapshot
from drugmon.data.stores.objects import Stored, fetch, look, put
from drugmon.data.stores.shadow import copies_folder, make_state_folder
from drugmon.data.stores.uri import Location, StoreUri, is_uri
from drugmon.data.verdicts.atomic import make_folder, replacing
from drugmon.errors import BusyError, SinkError, UsageError


class Target(Protocol):
    """What a run replaces: the old or the new is there, never a part."""

    @property
    def file(self) -> FileSource:
        """Its location, format and compression."""

    @property
    def state(self) -> Path:
        """The path beside which lock, journal and history of it lie."""

    @property
    def key(self) -> str | None:
        """The column that was named to tell its rows apart; None for none."""

    def earlier(self, id_column: str | None) -> AbstractContextManager[FileSource | None]:
        """Give a file with the verdicts that are there; None where there are none.

        `id_column` is there beside them, where the target has it.
        """

    def replacing(self, like: Path, columns: Sequence[str]) -> AbstractContextManager[Path]:
        """Give an empty file, which replaces what is there when the block ends well.

        Args:
            like: where the content comes from: whom it is closed to, the target is closed to.
            columns: those of the source.

        Raises:
            SinkError: it cannot be replaced; it is as it was.
            BusyError: somebody else has written it since the run began; it is as they left it.
        """


class FileTarget:
    """A file on this machine. One that is its own source is not replaced where it has changed."""

    def __init__(self, path: Path) -> None:
        self.file = FileSource.of(path)
        self.state = path
        self.key: str | None = None
        self._seen = _content(path)

    @contextlib.contextmanager
    def earlier(self, id_column: str | None) -> Iterator[FileSource | None]:  # noqa: ARG002
        """Give the file itself."""
        path = self.file.path
        yield self.file if path.exists() and path.stat().st_size else None

    @contextlib.contextmanager
    def replacing(self, like: Path, columns: Sequence[str]) -> Iterator[Path]:  # noqa: ARG002
        """Build aside, then rename."""
        path = self.file.path
        with replacing(path, like) as temporary:
            yield temporary
            if path == like and _content(path) != self._seen:
                raise BusyError(
                    f"{path}: was written by somebody else while this run was at work; it is as "
                    "they left it, run again: what was scored is kept"
                )


class StoredTarget:
    """An object in a store: built on this machine, then put under its key in one step."""

    def __init__(self, uri: StoreUri) -> None:
        self.file = FileSource.of(uri)
        self._uri = uri
        self._seen: Stored | None = look(uri)
        self.key: str | None = None

    @property
    def state(self) -> Path:
        """In the folder of this machine that stands for the object's."""
        return make_state_folder(self._uri)

    @contextlib.contextmanager
    def earlier(self, id_column: str | None) -> Iterator[FileSource | None]:  # noqa: ARG002
        """Give a copy, which goes with the block."""
        if self._seen is None or not self._seen.size:
            yield None
            return
        with copies_folder(self._uri) as folder:
            copy = folder / "earlier"
            self._seen = fetch(self._uri, copy)
            yield replace(self.file, path=copy)

    @contextlib.contextmanager
    def replacing(self, like: Path, columns: Sequence[str]) -> Iterator[Path]:  # noqa: ARG002
        """Build in a folder that only this user reads, then put it there."""
        with copies_folder(self._uri) as folder:
            built = folder / "built"
            built.touch()
            yield built
            put(built, self._uri, self._seen)


class DeltaTarget:
    """A Delta table, here or in a store: rows are built as parquet and merged in one commit."""

    def __init__(self, location: Location, merge: Merge) -> None:
        self.file = replace(FileSource.of(location), format="parquet")
        self._location, self._merge = location, merge
        self.key = merge.key

    @property
    def state(self) -> Path:
        """Beside the table, or in the folder of this machine that stands for its own."""
        return make_state_folder(self._location)

    @contextlib.contextmanager
    def earlier(self, id_column: str | None) -> Iterator[FileSource | None]:
        """Give the verdicts of the newest version in a file, which goes with the block."""
        if not is_delta(self._location):
            yield None
            return
        with copies_folder(self._location) as folder:
            ids = [] if id_column is None else [id_column]
            snapshot(self._location, folder / "earlier", columns=self._merge.verdicts, also=ids)
            yield replace(self.file, path=folder / "earlier")

    @contextlib.contextmanager
    def replacing(self, like: Path, columns: Sequence[str]) -> Iterator[Path]:  # noqa: ARG002
        """Build in a folder that only this user reads, then commit."""
        check_key(self._location, self._merge, columns)
        with copies_folder(self._location) as folder:
            built = folder / "built"
            built.touch()
            yield built
            commit(built, self._location, self._merge)


def open_target(location: Location, merge: Merge) -> Target:
    """Look at where verdicts are to go.

    Args:
        location: the place.
        merge: how rows go into a table; a file is replaced whole.

    Raises:
        UsageError: it is a file, and a key is named.
        SourceError: its store cannot be asked, or has no such bucket.
    """
    if FileSource.of(location).format == DELTA:
        return DeltaTarget(location, merge)
    if merge.key is not None:
        raise UsageError("--id is for tables; give --table, or a Delta table as --out")
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
        return look(location) is not None or is_delta(location)
    assert isinstance(location, Path)
    return location.exists()


def make_out_folder(out: str | Path | None) -> None:
    """Make the folder that `out` names, if it names one.

    Raises:
        SinkError: it cannot be made.
    """
    if out is None or is_uri(out) or not means_folder(out):
        return
    _make(Path(out), f"--out {out}")


def make_folder_of(location: Location) -> None:
    """Make the folder that a file is to lie in; stores need none.

    Raises:
        SinkError: it cannot be made.
    """
    if isinstance(location, Path):
        _make(location.parent, str(location))


def _content(path: Path) -> tuple[int, ...] | None:
    """What tells the content of a file from that before it was written or replaced."""
    try:
        now = path.stat()
    except FileNotFoundError:
        return None
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns


def _make(folder: Path, where: str) -> None:
    try:
        make_folder(folder)
    except OSError as error:
        raise SinkError(f"{where}: the folder cannot be made ({error.strerror})") from error
