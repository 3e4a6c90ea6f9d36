"""An output that is a folder: Parquet parts, and a manifest that says which of them it is made of.

Whatever else lies in the folder is no part of it: what an unfinished run has done so far, or what a
run that was just cut off could not remove any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from drugmon.errors import SourceError

MANIFEST: Final = "_manifest.json"
"""Readers of folders of Parquet files leave out what begins with an underscore."""

VERSION: Final = 1


@dataclass(frozen=True)
class FolderPart:
    """A file of the folder, and which rows of which source it holds.

    Attributes:
        name: the file's.
        key: equal where the same rows of the same source are asked for in the same way.
        source: where its rows come from, as messages call it.
        start: the first row's number there, from 0.
        stop: the number behind the last one's.
        rows: how many it has; fewer than it was cut from where a condition left some out.
        scored: those that the model gave a verdict when the part was written.
        empty: those without any text.
        ids: how many different ids it has; None where the source has none.
        size: its bytes.
        sha256: of them.
        sent_on: those of `scored` that both adapters of a cascade judged.
    """

    name: str
    key: str
    source: str
    start: int
    stop: int
    rows: int
    scored: int
    empty: int
    ids: int | None
    size: int
    sha256: str
    sent_on: int = 0


@dataclass(frozen=True)
class FolderManifest:
    """What the folder holds: `parts` in the order of the sources and their rows.

    `adapter` is `name@digest`; `rows` those of all parts.
    """

    version: int
    run_id: str
    adapter: str
    drugmon_version: str
    written_at: datetime
    rows: int
    parts: tuple[FolderPart, ...]


def is_output_folder(path: Path) -> bool:
    """Whether a folder is one output, with a manifest."""
    return (path / MANIFEST).is_file()


def read_folder(folder: Path) -> FolderManifest | None:
    """Return what the manifest of `folder` says; None where there is none.

    Raises:
        SourceError: it cannot be read, or a later version of drugmon wrote it.
    """
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=FolderManifest)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror})") from error
    except msgspec.DecodeError as error:
        raise SourceError(
            f"{path}: is no manifest of scored parts ({error}); remove the folder and score again"
        ) from error
    if manifest.version > VERSION:
        raise SourceError(
            f"{path}: a later version of drugmon wrote it (format {manifest.version}); "
            "use that version"
        )
    return manifest


def parts_in(folder: Path) -> Sequence[Path]:
    """Return the files that make up the output `folder`, in order.

    Raises:
        SourceError: the manifest cannot be read, or a part is not what it says.
    """
    manifest = read_folder(folder)
    if manifest is None:
        raise SourceError(f"{folder}: has no {MANIFEST}; name a folder that drugmon score wrote")
    if not manifest.parts:
        raise SourceError(f"{folder}: has no parts; score again")
    return [checked_part(folder, part) for part in manifest.parts]


def parts_among(paths: Iterable[Path], named: bool) -> Iterator[Path]:
    """Yield the paths that lie in no output folder, and of those that do the parts where `named`.

    Raises:
        SourceError: as `parts_in`.
    """
    parts: dict[Path, Sequence[Path]] = {}
    for path in paths:
        folder = path.parent
        if is_output_folder(folder) and folder not in parts:
            parts[folder] = parts_in(folder) if named else []
        if path in parts.get(folder, [path]):
            yield path


def checked_part(folder: Path, part: FolderPart) -> Path:
    """Return the path of a part that is there as it was written, by its size.

    Raises:
        SourceError: it is gone, or is another file.
    """
    path = folder / part.name
    try:
        size = path.stat().st_size
    except OSError as error:
        raise SourceError(
            f"{folder}: its part {part.name} cannot be read ({error.strerror}); score again"
        ) from error
    if size != part.size:
        raise SourceError(f"{folder}: its part {part.name} is not what was written; score again")
    return path
