"""What SOURCE names: a file, those of a folder or a glob, a Delta table, the parts of an output."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from drugmon.data.folder import is_output_folder, parts_among, parts_in
from drugmon.data.partitions import (
    has_partitions,
    inside_of,
    names_in,
    objects_inside,
    partition_of,
)
from drugmon.data.sources import (
    DELTA,
    KNOWN_TYPES,
    SCORED,
    FileSource,
    StandardInput,
    is_of_reviews,
    split_name,
)
from drugmon.data.stores.delta import is_delta
from drugmon.data.stores.objects import is_folder, listed, look, matching
from drugmon.data.stores.uri import Location, StoreUri, is_glob, is_uri, parse_uri
from drugmon.errors import SourceError, UsageError
from drugmon.wording import names_told, path_told

_HOW_INTO: Final = "add --partitions, or name the files in them by a glob"


def resolve_source(
    source: str, version: int | None = None, *, partitions: bool = False
) -> list[FileSource] | StandardInput:
    """Find what SOURCE names: a file, a quoted glob (`**` allowed), a folder's files, or `-`.

    All but the last may be URIs of a store, too. A folder gives the files of known types that lie
    in it, not those in its subfolders. Folders and globs leave out dot-files and drugmon's own
    outputs (`*.scored.*`). Sorted by path. A folder that is one output gives its parts, in their
    order.

    A Delta table is one source.

    Args:
        source: what is named.
        version: the one of a Delta table to read; None for the newest.
        partitions: whether folders `name=value` are columns, and those in SOURCE are looked into.

    Raises:
        SourceError: there is no such file, it has an unknown extension, no file is left, or files
            lie in folders of several names.
        UsageError: a version is named of what is no Delta table.
    """
    if source == "-":
        return StandardInput()
    try:
        if is_uri(source):
            files = _find_stored(parse_uri(source), partitions=partitions)
        else:
            files = _find(source, partitions)
    except PermissionError as error:
        raise SourceError(f"{source}: permission denied; let this user read it") from error
    if version is None:
        return _partitioned(files) if partitions else files
    if [file.format for file in files] != [DELTA]:
        raise UsageError(f"--delta-version {version}: {source} is no Delta table; leave it out")
    return [replace(files[0], version=version)]


def resolve_scored(source: str, *, partitions: bool = False) -> list[FileSource]:
    """Find the scored files that SOURCE names: a file, a quoted glob, or a folder's files.

    A folder gives drugmon's own outputs (`*.scored.*`) where it has any, else all its files of
    known types, sorted by path. A folder that is one output gives its parts, in their order.

    Args:
        source: what is named.
        partitions: as for `resolve_source`.

    Raises:
        SourceError: there is no such file, it has an unknown extension, no file is left, or files
            lie in folders of several names.
    """
    if source == "-":
        raise SourceError("a report needs files or a table, not standard input")
    files = _find_scored(source, partitions)
    return _partitioned(files) if partitions else files


def _find_scored(source: str, partitions: bool) -> list[FileSource]:
    if is_uri(source):
        files = _find_stored(parse_uri(source), with_outputs=True, partitions=partitions)
        return _scored_among(files, source)
    path = Path(source)
    if is_delta(path):
        return [FileSource.of(path)]
    try:
        if is_output_folder(path):
            return _parts(path)
        if not path.is_dir() and not is_pattern(source):
            return [_single(path)]
        inside = inside_of(path, partitions) if path.is_dir() else _matches(source)
        files = _reviews_among(inside, with_outputs=True)
    except PermissionError as error:
        raise SourceError(f"{source}: permission denied; let this user read it") from error
    if not files:
        raise SourceError(f"{source}: no scored file there; known: {KNOWN_TYPES}")
    return _scored_among(files, source) if path.is_dir() else files


def as_one(sources: Sequence[FileSource]) -> Sequence[FileSource]:
    """The sources, where they are the parts of one output that folder as a single one."""
    folder = sources[0].folder
    return sources if folder is None else [FileSource.of(folder)]


def is_pattern(source: str) -> bool:
    """Whether SOURCE is a glob: a path that exists is that path, whatever characters it has."""
    if is_uri(source):
        return is_glob(parse_uri(source))
    return glob.has_magic(source) and not Path(source).exists()


def names_folder(source: str) -> bool:
    """Whether SOURCE is a folder of files; with a URI, whether it is written as one."""
    if is_uri(source):
        uri = parse_uri(source)
        return uri.names_folder and not is_glob(uri) and not is_delta(uri)
    path = Path(source)
    return path.is_dir() and not is_delta(path) and not is_output_folder(path)


def _find(source: str, partitions: bool) -> list[FileSource]:
    path = Path(source)
    if is_delta(path):
        return [FileSource.of(path)]
    if is_output_folder(path):
        return _parts(path)
    if path.is_dir():
        files = _reviews_among(inside_of(path, partitions))
        missing = f"{source}: the folder holds no file of reviews; known: {KNOWN_TYPES}"
        if not partitions and has_partitions(path):
            missing = f"{source}: has folders such as year=2026; {_HOW_INTO}"
    elif not is_pattern(source):
        return [_single(path)]
    else:
        files = _reviews_among(_matches(source))
        missing = f"{source}: no file of reviews matches; known: {KNOWN_TYPES}"
    if not files:
        raise SourceError(missing)
    return files


def _parts(folder: Path) -> list[FileSource]:
    """The files of an output folder, which go by its name."""
    files = map(FileSource.of, parts_in(folder))
    return [replace(file, called=path_told(folder), folder=folder) for file in files]


def _partitioned(files: list[FileSource]) -> list[FileSource]:
    """The files with the columns that their folders are: those of all have the same names."""
    files = [replace(file, partition=partition_of(file.location)) for file in files]
    for file in files:
        names, first = names_in(file.partition), names_in(files[0].partition)
        if sorted(names) != sorted(first):
            raise SourceError(
                f"{file.name}: lies in folders of {names_told(names)}, and {files[0].name} in "
                f"those of {names_told(first)}; name files of one kind, or leave out --partitions"
            )
    return files


def _matches(pattern: str) -> Iterable[Path]:
    return map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute one


def _single(path: Path) -> FileSource:
    if not path.exists():
        raise SourceError(f"{path}: no such file; check the path, and quote a glob")
    if not path.is_file():
        raise SourceError(f"{path}: not a regular file; pass JSONL through - instead")
    return FileSource.of(path)


def _reviews_among(paths: Iterable[Path], with_outputs: bool = False) -> list[FileSource]:
    visible = parts_among(sorted(paths), with_outputs)
    return [file for file in _known_among(visible, with_outputs) if file.path.is_file()]


def _known_among(locations: Iterable[Location], with_outputs: bool) -> list[FileSource]:
    """The files of known types; drugmon's own outputs only where `with_outputs` says so."""
    files = []
    for location in locations:
        stem, extension, compression = split_name(location.name)
        hidden = stem.startswith(".") or (stem.endswith(SCORED) and not with_outputs)
        if is_of_reviews(extension, compression) and not hidden:
            files.append(FileSource.of(location))
    return files


def _find_stored(
    uri: StoreUri, with_outputs: bool = False, *, partitions: bool = False
) -> list[FileSource]:
    """What a URI names; drugmon's own outputs in a folder only where `with_outputs` says so."""
    if not uri.endswith("/") and uri.key and look(uri) is not None:
        return [FileSource.of(uri)]
    if is_glob(uri):
        files = _known_among(matching(uri), with_outputs)
    elif is_delta(uri):
        return [FileSource.of(uri.as_folder)]
    elif is_folder(uri):
        inside = objects_inside(uri) if partitions else listed(uri)
        files = _known_among(inside, with_outputs)
    else:
        raise SourceError(f"{uri}: no such object; check the key, and quote a glob")
    if not files:
        raise SourceError(f"{uri}: no file of reviews is there; known: {KNOWN_TYPES}")
    return files


def _scored_among(files: list[FileSource], source: str) -> list[FileSource]:
    """Drugmon's own outputs where there are any and SOURCE does not choose by itself, else all."""
    outputs = [file for file in files if split_name(file.location.name)[0].endswith(SCORED)]
    return outputs if outputs and not is_pattern(source) else files
