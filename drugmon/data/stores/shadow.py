"""The folder on this machine that stands for one in a store.

What a run keeps beside its output (the lock, the journal, the history, copies while it works) needs
a file system that locks and appends, which no store is. Each folder of a store has a folder here,
below `$DRUGMON_STATE`, and what would lie beside the output lies there.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from drugmon.data.stores.uri import Location, StoreUri
from drugmon.data.verdicts.atomic import folder_beside
from drugmon.errors import SinkError

STATE_VARIABLE: Final = "DRUGMON_STATE"
_PLAIN: Final = "-_.@=+, "
_LONGEST: Final = 200
_KEPT: Final = 120


def state_folder() -> Path:
    """Where drugmon keeps what concerns stores: DRUGMON_STATE, else among this user's state."""
    named = os.environ.get(STATE_VARIABLE)
    if named:
        return Path(named).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "drugmon" / "state"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "drugmon"


def state_of(location: Location) -> Path:
    """The path beside which this machine keeps what a run into `location` needs.

    For a file that is itself. For an object it is a path at which nothing lies, in the folder that
    stands for the object's own; equal URIs have equal paths, and no others.
    """
    if isinstance(location, Path):
        return location
    assert isinstance(location, StoreUri)
    parts = [location.bucket, *location.key.rstrip("/").split("/")]
    return Path(state_folder(), "stores", location.scheme, *map(_file_name, parts))


def make_state_folder(location: Location) -> Path:
    """Return `state_of` a location, after making the folder that it is in.

    Raises:
        SinkError: that cannot be made.
    """
    state = state_of(location)
    if isinstance(location, StoreUri):
        try:
            state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(
                f"{state.parent}: what this machine keeps of {location} has no place there "
                f"({error.strerror}); set {STATE_VARIABLE} to a folder that can be written"
            ) from error
    return state


@contextmanager
def copies_folder(location: Location) -> Iterator[Path]:
    """Give an empty folder for copies of objects, which goes when the block ends.

    Only this user reads it: it is for review texts. Those that killed runs left are removed first.

    Raises:
        SinkError: it cannot be made.
    """
    with folder_beside(make_state_folder(location)) as folder:
        yield folder


def _file_name(part: str) -> str:
    """A part of a key as the name of a file: no dot at its start, no sign that means something."""
    name = quote(part, safe=_PLAIN, errors="surrogateescape") or "%"
    if name.startswith("."):
        name = f"%2E{name[1:]}"
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(part.encode(errors="surrogateescape")).hexdigest()
    return f"{name[:_KEPT]}%{digest[:32]}"
