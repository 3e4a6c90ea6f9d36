"""Objects in a store: looked at, listed, fetched whole and put back whole."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from drugmon.data.stores.filesystems import open_store, store_errors
from drugmon.data.stores.shadow import STATE_VARIABLE
from drugmon.data.stores.uri import StoreUri
from drugmon.errors import BusyError, SinkError, SourceError

_TRIES: Final = 3
_SPARE_BYTES: Final = 50_000_000
_VERSIONS: Final = ("VersionId", "generation", "ETag", "etag", "LastModified", "updated")
_NO_VERSION: Final = "null"
"""The version that S3 tells of all that is put into a bucket which keeps no versions any more."""


@dataclass(frozen=True)
class Stored:
    """What a store tells of an object: its size in bytes, and what changes with its content."""

    size: int
    version: str


def look(uri: StoreUri) -> Stored | None:
    """Return what the store tells of an object; None where there is none, or a folder.

    Raises:
        SourceError: the store cannot be asked, or has no such bucket.
    """
    told = _info(uri)
    if told is None or told["type"] != "file":
        return None
    versions = (told.get(name) for name in _VERSIONS)
    version = next((told for told in versions if told and told != _NO_VERSION), "")
    return Stored(int(told["size"]), str(version))


def is_folder(uri: StoreUri) -> bool:
    """Whether objects lie below it.

    Raises:
        SourceError: as `look`.
    """
    told = _info(uri)
    return told is not None and told["type"] == "directory"


def listed(folder: StoreUri) -> list[StoreUri]:
    """Return the objects that lie in a folder, not those in its subfolders, sorted.

    Raises:
        SourceError: as `look`.
    """
    store = open_store(folder)
    with store_errors(folder):
        entries = store.ls(str(folder.as_folder), detail=True)
    return _uris(folder, [entry["name"] for entry in entries if entry["type"] == "file"])


def below(folder: StoreUri) -> list[StoreUri]:
    """Return all objects below a folder, sorted.

    Raises:
        SourceError: as `look`.
    """
    store = open_store(folder)
    with store_errors(folder):
        paths = store.find(str(folder.as_folder))
    return _uris(folder, paths)


def matching(pattern: StoreUri) -> list[StoreUri]:
    """Return the objects whose key matches a pattern (`**` allowed), sorted.

    Raises:
        SourceError: as `look`.
    """
    store = open_store(pattern)
    with store_errors(pattern):
        entries = store.glob(str(pattern), detail=True)
    if not entries:
        _info(pattern.with_key(""))  # a bucket that is not there holds no match either
    return _uris(pattern, [name for name, entry in entries.items() if entry["type"] == "file"])


def fetch(uri: StoreUri, path: Path) -> Stored:
    """Copy an object to `path`, and return what it was.

    Where it changes meanwhile it is copied again, so that a copy is never of two versions.

    Raises:
        SourceError: there is none, it vanishes or keeps changing, the store cannot be asked, or
            the disk has no room for it.
    """
    store = open_store(uri)
    before = look(uri)
    for _ in range(_TRIES):
        if before is None:
            raise SourceError(f"{uri}: no such object; check the key, and quote a glob")
        check_room(path.parent, before.size, str(uri))
        with store_errors(uri):
            store.get_file(str(uri), str(path))
        after = look(uri)
        if after == before and path.stat().st_size == before.size:
            return before
        before = after
    if before is None:
        raise SourceError(f"{uri}: vanished while it was read; nothing was changed, run again")
    raise SourceError(f"{uri}: keeps changing while it is read; run again when it is whole")


def put(path: Path, uri: StoreUri, seen: Stored | None) -> None:
    """Put a file under its final key, whole: a store shows an object when all of it is there.

    Args:
        path: the file.
        uri: what it becomes.
        seen: what lay there when the run began; None for nothing.

    Raises:
        SinkError: the store refuses it; what lay there is as it was.
        BusyError: somebody else has put something there since.
    """
    store = open_store(uri)
    if look(uri) != seen:
        raise BusyError(
            f"{uri}: was written by somebody else while this run was at work; it is as they left "
            "it, run again: what was scored is kept"
        )
    with store_errors(uri, writing=True):
        store.put_file(str(path), str(uri))
        now = look(uri)
    if now is None or now.size != path.stat().st_size:
        raise SinkError(f"{uri}: the store does not show what was put there; run again")


def check_room(folder: Path, size: int, what: str) -> None:
    """See that a copy of `size` bytes has room in `folder`.

    Raises:
        SourceError: it has not.
    """
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE_BYTES:
        raise SourceError(
            f"{what}: its copy on this machine needs {size / 1e9:,.1f} GB, and {folder.parent} has "
            f"{free / 1e9:,.1f} GB free; make room, or set {STATE_VARIABLE} to another disk"
        )


def _info(uri: StoreUri) -> dict[str, Any] | None:
    store = open_store(uri)
    with store_errors(uri):
        try:
            told: dict[str, Any] = store.info(str(uri.as_folder))
            return told
        except FileNotFoundError:
            # Of a bucket that is not there a store says the same as of a key that is not.
            if uri.key and store.exists(f"{uri.scheme}://{uri.bucket}"):
                return None
            raise FileNotFoundError("the specified bucket does not exist") from None


def _uris(like: StoreUri, names: list[str]) -> list[StoreUri]:
    """fsspec names objects `bucket/key`."""
    return sorted(like.with_key(name.partition("/")[2]) for name in names)
