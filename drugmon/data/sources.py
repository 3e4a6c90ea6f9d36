"""Files of reviews: their formats, where they are, and what messages call them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drugmon.data.folder import is_output_folder, parts_in
from drugmon.data.partitions import Partition
from drugmon.data.stores.delta import EXTENSION, is_delta
from drugmon.data.stores.objects import look
from drugmon.data.stores.shadow import state_of
from drugmon.data.stores.uri import Location, StoreUri, parse_location
from drugmon.errors import SourceError
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
"""The compression of each second extension."""

DELTA: Final = "delta"
"""The format of a Delta table, which is a folder."""

PARTS: Final = "parts"
"""The format of a folder of parts: they are Parquet, and read one after the other."""

_PACKED: Final = (".parquet",)
"""Extensions of formats that compress themselves, and so have no second one."""

KNOWN_TYPES: Final = (
    f"{', '.join(EXTENSIONS)} (all but {', '.join(_PACKED)} also with {', '.join(COMPRESSIONS)})"
)
"""The types of files of reviews, for messages."""

_DATABASES: Final = (".duckdb", ".db", ".ddb")
SCORED: Final = ".scored"
"""What the name of an output has behind that of its source."""


@dataclass(frozen=True)
class FileSource:
    """A file of reviews. `format` is a value of EXTENSIONS, `compression` one of COMPRESSIONS.

    A Delta table has the format DELTA, a folder of parts PARTS. `called` is what messages call it,
    where that is not where it is. Of what is in a store, and of a copy, `origin` is where it is;
    what is no file of this machine has none at `path` until `fetched` gives the source of a copy.
    `version` is one of a Delta table; None for the newest. `folder` is the output that it is a
    part of. `partition` are the columns that its folders are, where that was asked for.
    """

    path: Path
    format: str
    compression: str | None
    called: str = ""
    origin: Location | None = None
    version: int | None = None
    folder: Path | None = None
    partition: Partition = ()

    @classmethod
    def of(cls, location: Location) -> FileSource:
        """Tell format and compression by the extension.

        Raises:
            SourceError: the extension is none that drugmon knows.
        """
        stem, extension, compression = split_name(location.name)
        origin = location if isinstance(location, StoreUri) else None
        if extension not in EXTENSIONS and (extension == EXTENSION or is_delta(location)):
            return cls(state_of(location), DELTA, None, origin=origin)
        if isinstance(location, Path) and is_output_folder(location):
            return cls(location, PARTS, None, called=path_told(location))
        if not stem or not is_of_reviews(extension, compression):
            is_database = location.name.endswith(_DATABASES) and not isinstance(location, StoreUri)
            hint = "; name a table in it with --table" if is_database else ""
            raise SourceError(f"{location}: not a file type of reviews{hint}; known: {KNOWN_TYPES}")
        format_and_compression = EXTENSIONS[extension], COMPRESSIONS.get(compression)
        return cls(state_of(location), *format_and_compression, origin=origin)

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.called or path_told(str(self.location))

    @property
    def location(self) -> Location:
        """Where it is: its path, or its URI."""
        return self.origin or self.path

    @property
    def is_here(self) -> bool:
        """Whether a file of this machine can be read as it is."""
        return self.format != DELTA and not isinstance(self.location, StoreUri)

    @property
    def output(self) -> Location:
        """What a run wrote: the file, or the folder that it is a part of."""
        return self.folder or self.location

    def size(self) -> int:
        """Its bytes, as far as they can be told before it is read.

        Raises:
            OSError: there is no such file.
            SourceError: its store cannot be asked.
        """
        if isinstance(self.location, StoreUri):
            stored = look(self.location)
            return stored.size if stored else 0
        if self.format == DELTA:
            return sum(file.stat().st_size for file in self.path.rglob("*.parquet"))
        if self.format == PARTS:
            return sum(part.stat().st_size for part in parts_in(self.path))
        return self.path.stat().st_size


@dataclass(frozen=True)
class StandardInput:
    """JSONL on standard input, named by `-`."""

    name: str = "standard input"


def is_file_name(text: str) -> bool:
    """Whether a path or a URI ends as a file of reviews does."""
    return split_name(parse_location(text).name)[1] in EXTENSIONS


def split_name(name: str) -> tuple[str, str, str]:
    """Split into stem, extension and compression extension; the two are "" where missing."""
    path, compression = Path(name), ""
    if path.suffix.lower() in COMPRESSIONS:
        path, compression = Path(path.stem), path.suffix.lower()
    return path.stem, path.suffix.lower(), compression


def is_of_reviews(extension: str, compression: str) -> bool:
    """Whether files that end so are of reviews, as far as their names tell."""
    return extension in EXTENSIONS and not (compression and extension in _PACKED)
