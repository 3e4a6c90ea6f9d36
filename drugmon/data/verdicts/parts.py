"""Writing an output that is a folder of parts: they are made aside, and the manifest comes last.

Each source is cut into pieces of so many rows; each piece becomes a part, whose key tells from what
and how it was made. What a cut-off run has finished is taken by its key, and so is a part of the
earlier output that would come out the same. The manifest is replaced in one step when every piece
has its part, and only then do parts go that it does not name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from drugmon.data.folder import (
    MANIFEST,
    VERSION,
    FolderManifest,
    FolderPart,
    checked_part,
    read_folder,
)
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.atomic import make_own_folder, replacing, sink_errors
from drugmon.errors import SinkError, SourceError
from drugmon.hashes import file_sha256

UNFINISHED: Final = "_unfinished"
_SINCE: Final = "since.json"
_KEY_BYTES: Final = 16
_LONGEST_STEM: Final = 40
_NAME_DIGITS: Final = 16
"""Of a key in a part's name. Of 30,000 parts called alike, two would have the same 8 digits in one
folder of ten."""
_OWN: Final = re.compile(r".+-\d{10}-[0-9a-f]{8}([0-9a-f]{8})?\.parquet")


@dataclass(frozen=True)
class Piece:
    """Rows `start` to `stop` (not included) of a Parquet file, which become the part `key`.

    `state` is that of the file: in another one, these are other rows.
    """

    source: FileSource
    start: int
    stop: int
    key: str
    state: str

    @property
    def name(self) -> str:
        """The part's file name: sorted by name, the parts of one source are in order."""
        stem = Path(self.source.name).name.lstrip("._").partition(".")[0][:_LONGEST_STEM]
        return f"{stem or 'reviews'}-{self.start:010}-{self.key[:_NAME_DIGITS]}.parquet"


def cut(source: FileSource, rows: int, size: int, context: Sequence[str]) -> list[Piece]:
    """Cut the first `rows` rows of `source` into pieces of `size`; at least one, maybe empty.

    Args:
        source: a Parquet file.
        rows: how many of its rows are taken.
        size: of a piece; the last one may be smaller.
        context: tells, beside name and rows, what the parts are made from and how.
    """
    state, pieces = state_of(source.path), []
    # Whoever takes a piece may stand in another folder.
    anywhere = replace(source, path=source.path.absolute(), called=source.name)
    for start in range(0, max(rows, 1), size):
        stop = min(start + size, rows)
        told = msgspec.json.encode([VERSION, source.name, context, start, stop])
        key = hashlib.blake2b(told, digest_size=_KEY_BYTES).hexdigest()
        pieces.append(Piece(anywhere, start, stop, key, state))
    return pieces


def state_of(path: Path) -> str:
    """Tell one state of a file from all others: it was not written in between."""
    now = path.stat()
    return f"{now.st_size}:{now.st_mtime_ns}"


class PartsFolder:
    """The folder `path` while a run writes it; whoever uses it holds the lock of the target.

    Raises:
        SourceError: its manifest cannot be read.
        SinkError: it is a file, it has other files than an earlier output's, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unfinished = path / UNFINISHED
        self.earlier = read_folder(path)
        if path.exists() and not path.is_dir():
            raise SinkError(f"{path}: is a file; name a folder for the parts with --out")
        if self.earlier is None:
            self._refuse_others()

    @contextlib.contextmanager
    def making(self, now: datetime) -> Iterator[datetime]:
        """Have a place for finished parts in the block; gives since when this run lasts.

        That is `now`, or when the cut-off run began with which it goes on. Finished parts wait for
        the next run where the block is left by an error; without any, nothing is left behind.

        Raises:
            SinkError: the place cannot be made.
        """
        try:
            with sink_errors(self.path):
                since = self._begin(now)
            yield since
        except BaseException:
            self._give_up()
            raise
        shutil.rmtree(self.unfinished, ignore_errors=True)

    def kept(self) -> dict[str, FolderPart]:
        """The parts of the earlier output that are as they were written, by key."""
        kept = {}
        for part in self.earlier.parts if self.earlier else ():
            with contextlib.suppress(SourceError):
                checked_part(self.path, part)
                kept[part.key] = part
        return kept

    def finished(self) -> dict[str, FolderPart]:
        """The whole parts that a cut-off run has left, by key."""
        finished = {}
        for told in sorted(self.unfinished.glob("*.part")):
            with contextlib.suppress(OSError, msgspec.DecodeError):
                part = msgspec.json.decode(told.read_bytes(), type=FolderPart)
                if file_sha256(self.place(part)) == part.sha256:
                    finished[part.key] = part
        return finished

    def forget(self) -> None:
        """Remove what a cut-off run has left, but for when it began."""
        for path in self.unfinished.iterdir():
            if path.name != _SINCE:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def commit(self, manifest: FolderManifest) -> None:
        """Let `manifest` be what the folder holds; all its parts are there.

        Raises:
            SinkError: it cannot be written; the folder is as it was.
        """
        with sink_errors(self.path):
            for part in manifest.parts:
                made = self.unfinished / part.name
                if made.exists():
                    made.replace(self.path / part.name)
            _flush(self.path)
            with replacing(self.path / MANIFEST) as temporary:
                text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
                temporary.write_bytes(text + b"\n")
        named = {part.name for part in manifest.parts}
        for path in self.path.iterdir():
            if _OWN.fullmatch(path.name) and path.name not in named:
                path.unlink(missing_ok=True)

    def place(self, part: FolderPart) -> Path:
        """Where a part lies: aside, or in the folder, where a cut-off `commit` moved it."""
        aside = self.unfinished / part.name
        return aside if aside.exists() else self.path / part.name

    def _begin(self, now: datetime) -> datetime:
        self.path.mkdir(parents=True, exist_ok=True)
        make_own_folder(self.unfinished)
        marker = self.unfinished / _SINCE
        with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
            return msgspec.json.decode(marker.read_bytes(), type=datetime)
        with replacing(marker) as temporary:
            temporary.write_bytes(msgspec.json.encode(now))
        return now

    def _give_up(self) -> None:
        """Leave nothing where there is nothing to go on with."""
        if any(self.unfinished.glob("*.part")):
            return
        shutil.rmtree(self.unfinished, ignore_errors=True)
        with contextlib.suppress(OSError):  # it holds an earlier output
            self.path.rmdir()

    def _refuse_others(self) -> None:
        """A folder that is somebody's own is left alone."""
        if not self.path.is_dir():
            return
        left = {told.stem for told in self.unfinished.glob("*.part")} | {UNFINISHED}
        others = [path.name for path in self.path.iterdir() if path.name not in left]
        others = [name for name in others if not name.startswith(".")]
        if others:
            raise SinkError(
                f"{self.path}: has other files than scored parts, such as {sorted(others)[0]}; "
                "name a new folder with --out"
            )


def keep_part(folder: Path, part: FolderPart) -> None:
    """Say that a part made aside is whole: a run that goes on takes it."""
    with replacing(folder / f"{part.name}.part") as temporary:
        temporary.write_bytes(msgspec.json.encode(part))


def in_order(pieces: Sequence[Piece], parts: Mapping[str, FolderPart]) -> list[FolderPart]:
    """Return the part of every piece.

    Raises:
        SinkError: a piece has none, or one with other rows than it was cut from.
    """
    ordered = []
    for piece in pieces:
        part = parts.get(piece.key)
        if part is None or (part.start, part.stop) != (piece.start, piece.stop):
            raise SinkError(
                f"{piece.source.name}: rows {piece.start} to {piece.stop} have no part; nothing "
                "was changed, run again"
            )
        ordered.append(part)
    return ordered


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
