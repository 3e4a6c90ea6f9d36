"""What the scoring of a source writes: where its report finds it, and what two sources share."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import combinations
from pathlib import Path

from drugmon.data.history.output import MAIN, Output
from drugmon.data.outputs import means_folder, output_path
from drugmon.data.partitions import above_partitions, partition_of
from drugmon.data.resolve import is_pattern, names_folder, resolve_scored
from drugmon.data.sources import FileSource
from drugmon.data.stores.uri import (
    Location,
    StoreUri,
    is_glob,
    is_uri,
    parse_location,
    parse_uri,
)
from drugmon.errors import DrugmonError
from drugmon.workflows.score.config import ScoreConfig

_SCORED_FILES = "*.scored.*"


def scored_source(config: ScoreConfig) -> str:
    """Return what a score run writes, as the source of a report, whether it is there or not.

    Where the run reads a folder or a glob, that is every scored file in the folder it writes to.
    """
    if config.database.table or config.in_place:
        return config.source
    if config.cluster.is_remote:
        return str(Path(config.out or ""))
    source = parse_location(config.source)
    if not _into_folder(config):
        if has_several(config):  # one file of them, as long as there is no other
            return str(config.out)
        file = FileSource.of(source)
        if config.folders.partitions:
            file = replace(file, partition=partition_of(source))
        return str(output_path(file, config.out, in_place=False))
    is_folder = names_folder(config.source)
    folder = config.out or (config.source if is_folder else str(source.parent))
    if config.folders.partitions and (config.out or is_folder):
        return folder
    if is_uri(folder):
        return str(parse_uri(folder) / _SCORED_FILES)
    return str(Path(glob.escape(folder) if config.out or is_folder else folder) / _SCORED_FILES)


def has_several(config: ScoreConfig) -> bool:
    """Whether the source is a folder or a glob, which several files may be."""
    return names_folder(config.source) or is_pattern(config.source)


def left_behind(config: ScoreConfig, outputs: Sequence[str]) -> list[str]:
    """The scored files that a report takes beside those of the files that there are.

    Args:
        config: of a source that was scored without a failure.
        outputs: what was written, as results of scoring have it.

    Raises:
        DrugmonError: where they lie cannot be looked at.
    """
    is_one = config.database.table or config.cluster.is_remote or not _into_folder(config)
    if is_one or config.in_place or config.where:  # a condition may leave whole files out
        return []
    scored = resolve_scored(scored_source(config), partitions=config.folders.partitions)
    return [file.name for file in scored if file.name not in outputs]


def first_shared(configs: Sequence[ScoreConfig]) -> tuple[int, int] | None:
    """The first two that write the same, or into what the report of the other is made of.

    Each report would have the reviews of both, or of the one that came last. What cannot be told
    before a source is there is not looked at.
    """
    written = [_written(config) for config in configs]
    for first, second in combinations(range(len(configs)), 2):
        one, other = written[first], written[second]
        if one and other and (one.shares(other) or other.shares(one)):
            return first, second
    return None


def _into_folder(config: ScoreConfig) -> bool:
    """Whether several files may be written; a store is not asked what lies at `out`."""
    to_folder = not config.out or is_uri(config.out) or means_folder(config.out)
    return has_several(config) and to_folder


@dataclass(frozen=True)
class _WrittenPlace:
    """What one source writes.

    Attributes:
        place: the file, the database, or what names several files.
        table: schema and table, in small letters; None for files.
        prefix: of the verdict columns, where others stand beside them; None for a file of its own.
        folder: the folder of which a report takes all scored files; None for one file.
        out: the folder into which the settings have it written; None where they do not say.
        reads: the name of the file that is read, or the pattern of those in `folder`, where the
            verdicts go beside what is read; None elsewhere.
    """

    place: Location
    table: tuple[str, str] | None = None
    prefix: str | None = None
    folder: Location | None = None
    out: Location | None = None
    reads: str | None = None

    def shares(self, other: _WrittenPlace) -> bool:
        """Whether another source writes into what is of this one."""
        if self.place == other.place:
            both = None not in (self.prefix, other.prefix)
            return self.table == other.table and not (both and self.prefix != other.prefix)
        if self.folder is None:
            return False
        return self.folder in (other.folder, other.out) or self._takes(other)

    def _takes(self, other: _WrittenPlace) -> bool:
        """Whether the one file of another source, which this one does not read, is written here."""
        if other.reads is None or other.folder is not None or other.place.parent != self.folder:
            return False
        return self.reads is None or not fnmatchcase(other.reads, self.reads)


def _written(config: ScoreConfig) -> _WrittenPlace | None:
    if is_uri(config.source) or (config.out and is_uri(config.out)):
        return _stored(config)
    try:
        place = Output.of_file(scored_source(config)).path
    except DrugmonError:
        return None
    table = None
    if config.database.table:
        schema, _, name = config.database.table.lower().rpartition(".")
        table = (schema or MAIN, name)
    elif config.in_place or config.cluster.is_remote:
        return _WrittenPlace(place, prefix=config.prefix if config.in_place else None)
    if table is not None:
        return _WrittenPlace(place, table, config.prefix)
    reads = None if config.out else _name_or_pattern(config)
    if _into_folder(config):
        in_folder = config.folders.partitions and place.name != _SCORED_FILES
        return _WrittenPlace(place, folder=place if in_folder else place.parent, reads=reads)
    return _WrittenPlace(place, out=above_partitions(place) if config.out else None, reads=reads)


def _name_or_pattern(config: ScoreConfig) -> str:
    """What the files that are read are called in their folder."""
    return "*" if names_folder(config.source) else parse_location(config.source).name


def _stored(config: ScoreConfig) -> _WrittenPlace:
    """What is written into a store or read from one, as far as names tell: no store is asked."""
    prefix = config.prefix if config.in_place else None
    place = Output.of_file(config.out or config.source).path
    source = parse_location(config.source)
    if isinstance(source, StoreUri):
        is_folder = source.names_folder and not is_glob(source)
        several = is_folder or is_glob(source)
    else:
        is_folder, several = names_folder(config.source), has_several(config)
    reads = None if config.out or config.in_place else "*" if is_folder else source.name
    if several:
        folder = place if config.out or is_folder else place.parent
        return _WrittenPlace(place, prefix=prefix, folder=folder, reads=reads)
    if config.out and config.out.endswith("/"):
        assert isinstance(place, Path | StoreUri)
        return _WrittenPlace(place / source.name, prefix=prefix, out=place)
    return _WrittenPlace(place, prefix=prefix, reads=reads)
