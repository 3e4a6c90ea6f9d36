"""Where the verdicts of each file go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from drugmon.data.folder import is_output_folder
from drugmon.data.partitions import folders_of
from drugmon.data.sources import DELTA, PARTS, SCORED, FileSource, split_name
from drugmon.data.stores.delta import EXTENSION, is_delta
from drugmon.data.stores.uri import Location, StoreUri, parse_location
from drugmon.errors import SourceError, UsageError

_OF_FOLDERS: Final = {DELTA: EXTENSION, PARTS: ".parquet"}
"""What the output of a source that is a folder ends with."""


def output_path(source: FileSource, out: str | Path | None, in_place: bool) -> Location:
    """Return where the verdicts of one file go; its extension tells the format.

    Without `out`: `<name>.scored.<ext>` beside the source, or the source itself where `in_place`.
    An `out` that is a folder, ends with a slash or has no extension names a folder to put that
    file in, in folders of the same columns as the source's own where it has a partition.

    Raises:
        UsageError: `out` is the source, has an unknown extension, or comes with `in_place`; or one
            of them is a folder of parts, which only workers write.
    """
    if in_place and source.format == PARTS:
        raise UsageError(f"--in-place: {source.name} is a folder of parts; name a file with --out")
    if in_place:
        if out is not None:
            raise UsageError("--in-place and --out exclude each other; leave out one of them")
        return source.location
    stem, extension, compression = split_name(source.location.name)
    if source.format in _OF_FOLDERS:
        extension, compression = _OF_FOLDERS[source.format], ""
    if source.format == PARTS:
        stem = source.location.name
    scored = f"{stem}{SCORED}{extension}{compression}"
    if out is None:
        return _within(source.location.parent, scored)
    named = parse_location(str(out))
    if isinstance(named, Path) and is_output_folder(named):
        raise UsageError(f"--out {out}: is a folder of parts that --engine ray wrote; add that")
    folders = folders_of(source.location) if source.partition else []
    path = _within(named, "/".join([*folders, scored])) if means_folder(out) else named
    if _is_same(path, source.location):
        raise UsageError(f"--out {out}: is the source; use --in-place to replace it")
    try:
        FileSource.of(path)
    except SourceError as error:
        raise UsageError(f"--out {error}") from error
    return path


def output_paths(
    sources: Sequence[FileSource], out: str | Path | None, in_place: bool
) -> list[Location]:
    """Return `output_path` of every source.

    Raises:
        UsageError: as `output_path`; or several sources share one output.
    """
    if len(sources) > 1 and out is not None and not means_folder(out):
        raise UsageError(f"--out {out}: {len(sources)} sources need a folder; {_folder_for(out)}")
    paths = [output_path(source, out, in_place) for source in sources]
    taken: dict[Location, FileSource] = {}
    for source, path in zip(sources, paths, strict=True):
        other = taken.setdefault(path, source)
        if other is not source:
            raise UsageError(f"{other.name} and {source.name} would both go to {path}")
        if any(_is_same(path, other.location) for other in sources if other is not source):
            raise UsageError(f"{path}: the output of {source.name} is a source; choose another")
    return paths


def _folder_for(out: str | Path) -> str:
    is_delta_name = split_name(parse_location(str(out)).name)[1] == EXTENSION
    return "name one that does not end in .delta" if is_delta_name else f"write {out}/"


def means_folder(out: str | Path) -> bool:
    """Whether an output that is called so is a folder to put files in.

    What is called like a Delta table is none, also where a commit that failed left a folder of it.
    """
    location = parse_location(str(out))
    if split_name(location.name)[1] == EXTENSION:
        return False
    if isinstance(location, StoreUri):
        return location.names_folder and not is_delta(location)
    if is_delta(location):
        return False
    return str(out).endswith(os.sep) or Path(out).is_dir() or not Path(out).suffix


def _within(folder: Location, name: str) -> Location:
    assert isinstance(folder, Path | StoreUri)
    return folder / name


def _is_same(location: Location, source: Location) -> bool:
    if isinstance(location, Path) and isinstance(source, Path):
        return location.exists() and location.samefile(source)
    return location == source
