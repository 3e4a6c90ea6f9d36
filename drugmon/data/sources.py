"""Files of reviews: what SOURCE names, and where the verdicts of each file go."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drugmon.data.verdicts.atomic import make_folder
from drugmon.errors import SinkError, SourceError, UsageError
from drugmon.wording import path_told

EXTENSIONS: Final = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
"""The format of each file extension."""

COMPRESSIONS: Final = {".gz": "gzip", ".zst": "zstd"}
"""The compression of each second extension; parquet compresses itself."""

_KNOWN: Final = f"{', '.join(EXTENSIONS)} (all but .parquet also with {', '.join(COMPRESSIONS)})"
_DATABASES: Final = (".duckdb", ".db", ".ddb")
_SCORED: Final = ".scored"


@dataclass(frozen=True)
class FileSource:
    """A file of reviews. `format` is a value of EXTENSIONS, `compression` one of COMPRESSIONS.

    `called` is what messages call it, where that is not its path.
    """

    path: Path
    format: str
    compression: str | None
    called: str = ""

    @classmethod
    def of(cls, path: Path) -> FileSource:
        """Tell format and compression by the extension.

        Raises:
            SourceError: the extension is none that drugmon knows.
        """
        stem, extension, compression = _split_name(path.name)
        if not stem or extension not in EXTENSIONS or (compression and extension == ".parquet"):
            hint = "; name a table in it with --table" if path.suffix in _DATABASES else ""
            raise SourceError(f"{path}: not a file type of reviews{hint}; known: {_KNOWN}")
        return cls(path, EXTENSIONS[extension], COMPRESSIONS.get(compression))

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.called or path_told(self.path)


@dataclass(frozen=True)
class StandardInput:
    """JSONL on standard input, named by `-`."""

    name: str = "standard input"


def resolve_source(source: str) -> list[FileSource] | StandardInput:
    """Find what SOURCE names: a file, a quoted glob (`**` allowed), a folder's files, or `-`.

    A folder gives the files of known types that lie in it, not those in its subfolders. Folders
    and globs leave out dot-files and drugmon's own outputs (`*.scored.*`). Sorted by path.

    Raises:
        SourceError: there is no such file, it has an unknown extension, or no file is left.
    """
    if source == "-":
        return StandardInput()
    try:
        return _find(source)
    except PermissionError as error:
        raise SourceError(f"{source}: permission denied; let this user read it") from error


def resolve_scored(source: str) -> list[FileSource]:
    """Find the scored files that SOURCE names: a file, a quoted glob, or a folder's files.

    A folder gives drugmon's own outputs (`*.scored.*`) where it has any, else all its files of
    known types. Sorted by path.

    Raises:
        SourceError: there is no such file, it has an unknown extension, or no file is left.
    """
    if source == "-":
        raise SourceError("a report needs files or a table, not standard input")
    path = Path(source)
    try:
        if not path.is_dir() and not is_pattern(source):
            return [_single(path)]
        inside = path.iterdir() if path.is_dir() else _matches(source)
        found = _reviews_among(inside, own=True)
    except PermissionError as error:
        raise SourceError(f"{source}: permission denied; let this user read it") from error
    outputs = [file for file in found if _split_name(file.path.name)[0].endswith(_SCORED)]
    if not found:
        raise SourceError(f"{source}: no scored file there; known: {_KNOWN}")
    return outputs if outputs and path.is_dir() else found


def is_pattern(source: str) -> bool:
    """Whether SOURCE is a glob: a path that exists is that path, whatever characters it has."""
    return glob.has_magic(source) and not Path(source).exists()


def output_path(source: FileSource, out: str | Path | None, in_place: bool) -> Path:
    """Return where the verdicts of one file go; its extension tells the format.

    Without `out`: `<name>.scored.<ext>` beside the source, or the source itself where `in_place`.
    An `out` that is a folder, ends with a slash or has no extension names a folder to put that
    file in.

    Raises:
        UsageError: `out` is the source, has an unknown extension, or comes with `in_place`.
    """
    if in_place:
        if out is not None:
            raise UsageError("--in-place and --out exclude each other; leave out one of them")
        return source.path
    stem, extension, compression = _split_name(source.path.name)
    scored = f"{stem}{_SCORED}{extension}{compression}"
    if out is None:
        return source.path.with_name(scored)
    path = Path(out) / scored if _names_folder(out) else Path(out)
    if _is_same(path, source.path):
        raise UsageError(f"--out {out}: is the source; use --in-place to replace it")
    try:
        FileSource.of(path)
    except SourceError as error:
        raise UsageError(f"--out {error}") from error
    return path


def output_paths(
    sources: Sequence[FileSource], out: str | Path | None, in_place: bool
) -> list[Path]:
    """Return `output_path` of every source.

    Raises:
        UsageError: as `output_path`; or several sources share one output.
    """
    if len(sources) > 1 and out is not None and not _names_folder(out):
        raise UsageError(f"--out {out}: {len(sources)} sources need a folder; write {out}/")
    paths = [output_path(source, out, in_place) for source in sources]
    taken: dict[Path, FileSource] = {}
    for source, path in zip(sources, paths, strict=True):
        other = taken.setdefault(path, source)
        if other is not source:
            raise UsageError(f"{other.name} and {source.name} would both go to {path}")
        if any(_is_same(path, other.path) for other in sources if other is not source):
            raise UsageError(f"{path}: the output of {source.name} is a source; choose another")
    return paths


def make_out_folder(out: str | Path | None) -> None:
    """Make the folder that `out` names, if it names one.

    Raises:
        SinkError: it cannot be made.
    """
    if out is None or not _names_folder(out):
        return
    try:
        make_folder(Path(out))
    except OSError as error:
        raise SinkError(f"--out {out}: the folder cannot be made ({error.strerror})") from error


def _split_name(name: str) -> tuple[str, str, str]:
    """Split into stem, extension and compression extension; the two are "" where missing."""
    path, compression = Path(name), ""
    if path.suffix.lower() in COMPRESSIONS:
        path, compression = Path(path.stem), path.suffix.lower()
    return path.stem, path.suffix.lower(), compression


def _find(source: str) -> list[FileSource]:
    path = Path(source)
    if path.is_dir():
        found = _reviews_among(path.iterdir())
        missing = f"{source}: the folder holds no file of reviews; known: {_KNOWN}"
    elif not is_pattern(source):
        return [_single(path)]
    else:
        found = _reviews_among(_matches(source))
        missing = f"{source}: no file of reviews matches; known: {_KNOWN}"
    if not found:
        raise SourceError(missing)
    return found


def _matches(pattern: str) -> Iterable[Path]:
    return map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute one


def _single(path: Path) -> FileSource:
    if not path.exists():
        raise SourceError(f"{path}: no such file; check the path, and quote a glob")
    if not path.is_file():
        raise SourceError(f"{path}: not a regular file; pass JSONL through - instead")
    return FileSource.of(path)


def _reviews_among(paths: Iterable[Path], own: bool = False) -> list[FileSource]:
    """The files of known types; drugmon's own outputs only where `own` says so."""
    found = []
    for path in sorted(paths):
        stem, extension, compression = _split_name(path.name)
        known = extension in EXTENSIONS and not (compression and extension == ".parquet")
        hidden = stem.startswith(".") or (stem.endswith(_SCORED) and not own)
        if known and not hidden and path.is_file():
            found.append(FileSource.of(path))
    return found


def _names_folder(out: str | Path) -> bool:
    return str(out).endswith(os.sep) or Path(out).is_dir() or not Path(out).suffix


def _is_same(path: Path, source: Path) -> bool:
    return path.exists() and path.samefile(source)
