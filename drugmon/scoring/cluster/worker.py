"""One worker: it loads the adapter once, and turns pieces of the sources into parts."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from drugmon.config import EngineConfig
from drugmon.data.columns import ColumnMap
from drugmon.data.folder import FolderPart
from drugmon.data.formats import open_slice, open_writer, read_windows
from drugmon.data.prefetch import written_behind
from drugmon.data.reviews import Window
from drugmon.data.selection import Selection, select
from drugmon.data.verdicts.atomic import replacing
from drugmon.data.verdicts.columns import VerdictColumns
from drugmon.data.verdicts.parts import Piece, keep_part, state_of
from drugmon.data.verdicts.reuse import Reuse
from drugmon.errors import AdapterError, DrugmonError, SinkError, SourceError
from drugmon.hashes import file_sha256
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.models.adapters.zero_shot import open_base
from drugmon.scoring.cascade.cascade import Cascade
from drugmon.scoring.cascade.doubt import Doubt
from drugmon.scoring.lazy_engine import LazyEngine
from drugmon.scoring.scorer import Scorer, Tally
from drugmon.scoring.windows import WINDOW_ROWS, planned
from drugmon.version import __version__

SHOWN: Final = "seen-by-workers"
"""The file in the folder of the parts by which a worker knows that it is the driver's folder."""


@dataclass(frozen=True)
class AdapterToSee:
    """An adapter that every worker has to have.

    Attributes:
        folder: its own, or the base's where a base scores by itself.
        name: by which it is found where it has another folder.
        is_base: whether a base scores by itself.
        rule: the decision rule.
        identity: `name@digest`.
    """

    folder: str
    name: str
    is_base: bool
    rule: str
    identity: str

    @classmethod
    def of(cls, adapter: Adapter, base: str | None = None) -> AdapterToSee:
        """The adapter as it is here; `base` names the base that scores by itself, if one does."""
        manifest, folder = adapter.manifest, str(adapter.folder.resolve())
        name = base or manifest.name
        return cls(folder, name, base is not None, manifest.rule, manifest.identity)

    def open(self) -> Adapter:
        """The adapter as this machine has it: in the same folder, or installed with drugmon.

        Raises:
            AdapterError: it does not have it; the message names this machine.
        """
        open_named = open_base if self.is_base else open_adapter
        reasons = []
        for name in (self.folder, self.name):
            try:
                adapter = open_named(name).under(self.rule)
            except DrugmonError as error:
                reasons.append(str(error))
                continue
            if adapter.manifest.identity == self.identity:
                adapter.verify()
                return adapter
            reasons.append(f"{name} is {adapter.manifest.identity} there")
        raise AdapterError(
            f"the worker on {socket.gethostname()} does not see the adapter {self.identity}: put "
            f"it at {self.folder} on all machines ({reasons[0]})"
        )


@dataclass(frozen=True)
class Setup:
    """What a worker has to know, the same for all of them.

    Attributes:
        version: of the drugmon that sends it.
        adapter: what scores.
        engine: how to compute.
        columns: where the texts are.
        verdicts: what their columns are called.
        selection: which rows of a piece are taken.
        folder: where the parts go.
        shown: what the file `SHOWN` in it says.
        second: the adapter behind it; None where it scores alone.
        doubt: of what goes on to that one.
    """

    version: str
    adapter: AdapterToSee
    engine: EngineConfig
    columns: ColumnMap
    verdicts: VerdictColumns
    selection: Selection
    folder: Path
    shown: str
    second: AdapterToSee | None = None
    doubt: Doubt | None = None


@dataclass(frozen=True)
class Done:
    """What became of a piece: its part, and what the user should know of how it was made."""

    part: FolderPart
    compute: str | None
    warnings: tuple[str, ...]


class Worker:
    """Scores pieces, one after the other.

    Args:
        setup: what is to be done.
        reuse: verdicts that are there already.
        report: is told of the rows done and scored of the piece at hand, by its key.
    """

    def __init__(self, setup: Setup, reuse: Reuse, report: Callable[[str, int, int], None]) -> None:
        self._setup, self._reuse, self._report = setup, reuse, report
        self._warnings: list[str] = []

    def check(self) -> None:
        """See that everything is here that a piece needs.

        Raises:
            DrugmonError: it is not; the message names this machine.
        """
        host = socket.gethostname()
        if __version__ != self._setup.version:
            raise DrugmonError(
                f"the worker on {host} has drugmon {__version__}, and this is "
                f"{self._setup.version}: install the same version on all machines"
            )
        _ = self._adapter, self._cascade
        if not self._sees_folder():
            raise SinkError(
                f"the worker on {host} does not see {self._setup.folder}: let --out be on a file "
                "system that all machines share under one path"
            )

    def score(self, piece: Piece) -> Done:
        """Make the part of a piece in the folder aside.

        Raises:
            DrugmonError: it cannot be made; the folder has no trace of it.
        """
        setup, path = self._setup, self._setup.folder / piece.name
        report, first = self._reporter(piece.key), setup.adapter.identity
        scorer = Scorer(first, self._engine.get, self._reuse, None, report, self._cascade)
        _check_source(piece)
        with (
            open_slice(piece.source, piece.start, piece.stop, setup.verdicts) as reader,
            replacing(path, piece.source.path) as temporary,
        ):
            all_windows = read_windows(reader, setup.columns, WINDOW_ROWS, piece.start)
            windows = select(all_windows, setup.selection, reader.where)
            ids: list[pa.ChunkedArray] = []
            with open_writer(temporary, "parquet", None, reader) as writer:

                def write(window: Window, verdicts: pa.RecordBatch) -> None:
                    if setup.columns.id is not None:
                        ids.append(_ids(window.rows.to_arrow(), setup.columns.id))
                    writer.write(window.rows, verdicts)

                with planned(windows, scorer) as ahead, written_behind(write) as later:
                    for window, plan in ahead:
                        later(window, scorer.score(plan))
            _check_source(piece)
            counted = _counted(temporary, setup.columns.id, ids, scorer.tally, piece)
            size, sha256 = temporary.stat().st_size, file_sha256(temporary)
            if not self._sees_folder():  # a worker may outlive its driver by a moment
                raise SinkError(f"{setup.folder}: another run has taken over")
        part = FolderPart(
            name=piece.name,
            key=piece.key,
            source=piece.source.name,
            start=piece.start,
            stop=piece.stop,
            rows=scorer.tally.total,
            scored=scorer.tally.scored,
            empty=scorer.tally.empty,
            ids=counted,
            size=size,
            sha256=sha256,
            sent_on=scorer.tally.sent_on,
        )
        keep_part(setup.folder, part)
        warnings, self._warnings = tuple(self._warnings), []
        return Done(part, self._engine.compute, warnings)

    def _sees_folder(self) -> bool:
        """Whether the folder is that of the driver that sent the setup, and still its own."""
        try:
            return (self._setup.folder / SHOWN).read_text(encoding="utf-8") == self._setup.shown
        except OSError:
            return False

    @cached_property
    def _engine(self) -> LazyEngine:
        config, cascade = self._setup.engine, self._cascade
        return LazyEngine(self._adapter, config, self._warnings.append, cascade)

    @cached_property
    def _adapter(self) -> Adapter:
        return self._setup.adapter.open()

    @cached_property
    def _cascade(self) -> Cascade | None:
        second, doubt = self._setup.second, self._setup.doubt
        if second is None or doubt is None:
            return None
        return Cascade.of(self._adapter, second.open(), doubt)

    def _reporter(self, key: str) -> Callable[[Tally, int], None]:
        def report(tally: Tally, done: int) -> None:
            self._report(key, tally.total + done, tally.scored + done)

        return report


def _check_source(piece: Piece) -> None:
    """See that the source is what it was when it was cut.

    Raises:
        SourceError: it is not, or this machine does not have it.
    """
    try:
        same = state_of(piece.source.path) == piece.state
    except OSError as error:
        raise SourceError(
            f"{piece.source.name}: the worker on {socket.gethostname()} does not see it "
            f"({error.strerror}); let it be on a file system that all machines share"
        ) from error
    if not same:
        raise SourceError(f"{piece.source.name}: was changed while it was scored; run again")


def _ids(rows: pa.Table, name: str) -> pa.ChunkedArray:
    return rows.column(rows.schema.names.index(name))


def _counted(
    path: Path, name: str | None, ids: list[pa.ChunkedArray], tally: Tally, piece: Piece
) -> int | None:
    """Read back what was written, and count its ids where these are texts or whole numbers.

    Raises:
        SinkError: not every row is there, in its order.
    """
    with pq.ParquetFile(path) as file:
        same, counted = file.metadata.num_rows == tally.total, None
        if name is not None and ids and _is_plain(ids[0].type) and "." not in name:
            column = file.read([name]).column(name)
            given = pa.chunked_array([chunk for part in ids for chunk in part.chunks])
            same = same and column.equals(given.cast(column.type))
            counted = int(pc.count_distinct(column, mode="all").as_py())
    if not same:
        raise SinkError(
            f"{piece.source.name}: rows {piece.start} to {piece.stop} were not written whole; "
            "look at the disk, and run again"
        )
    return counted


def _is_plain(kind: pa.DataType) -> bool:
    return any(
        is_so(kind) for is_so in (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string)
    )
