"""What scores pieces where the engine is a Ray cluster: the adapter, how to compute, and where."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path

from drugmon.config import PART_ROWS, ClusterConfig, EngineConfig, ModelOptions
from drugmon.data.columns import ColumnMap
from drugmon.data.folder import FolderPart
from drugmon.data.selection import Selection
from drugmon.data.verdicts.atomic import sink_errors
from drugmon.data.verdicts.columns import VerdictColumns
from drugmon.data.verdicts.parts import Piece
from drugmon.data.verdicts.reuse import Reuse
from drugmon.models.adapters.adapter import Adapter
from drugmon.scoring.cascade.cascade import Cascade
from drugmon.scoring.cluster.connection import connected
from drugmon.scoring.cluster.pool import Counts, Pool
from drugmon.scoring.cluster.worker import SHOWN, AdapterToSee, Setup
from drugmon.version import __version__


class Cluster:
    """Workers that score with `adapter`; they start when the first piece needs them.

    Args:
        config: which cluster.
        engine: how a worker computes.
        adapter: what scores.
        model: how it was named, and how it decides.
        verdicts: what their columns are called.
        selection: which rows of a piece are taken.
        warn: is told, in one sentence, what the user should know although the run goes on.
        cascade: the adapter and the second one behind it; None where it scores alone.
    """

    def __init__(
        self,
        config: ClusterConfig,
        engine: EngineConfig,
        adapter: Adapter,
        model: ModelOptions,
        verdicts: VerdictColumns,
        selection: Selection,
        warn: Callable[[str], None],
        cascade: Cascade | None = None,
    ) -> None:
        self._config, self._engine, self._adapter = config, engine, adapter
        self._model, self._cascade = model, cascade
        self._verdicts, self._selection, self._warn = verdicts, selection, warn
        self.part_rows = config.part_rows or PART_ROWS
        self.compute: str | None = None
        """Workers, device and number format; None where no worker was needed."""

    def parts(
        self,
        pieces: Sequence[Piece],
        columns: ColumnMap,
        reuse: Reuse,
        folder: Path,
        on_progress: Callable[[Counts], None],
    ) -> closing[Generator[FolderPart, None, None]]:
        """The parts of all pieces, in the order in which they are done.

        Leaving the block ends the workers.

        Args:
            pieces: what is to be scored.
            columns: where the texts are.
            reuse: verdicts that are there already.
            folder: where the parts are made.
            on_progress: is told, twice a second, how far the pieces at hand are.

        Raises:
            DrugmonError: there is no such cluster, or a worker cannot score.
        """
        return closing(self._parts(pieces, columns, reuse, folder, on_progress))

    def _parts(
        self,
        pieces: Sequence[Piece],
        columns: ColumnMap,
        reuse: Reuse,
        folder: Path,
        on_progress: Callable[[Counts], None],
    ) -> Generator[FolderPart, None, None]:
        if not pieces:
            return
        setup = self._setup(columns, folder)
        with sink_errors(folder):
            (folder / SHOWN).write_text(setup.shown, encoding="utf-8")
        told: set[str] = set()
        with (
            connected(self._config, self._engine, 2 * reuse.nbytes) as size,
            Pool(setup, reuse, size, self._warn) as pool,
        ):
            for done in pool.scored(pieces, on_progress):
                if done.compute:
                    many = "" if size.workers == 1 else "s"
                    self.compute = f"{size.workers} worker{many}, {done.compute}"
                for warning in done.warnings:
                    if warning not in told:
                        self._warn(warning)
                told.update(done.warnings)
                yield done.part

    def _setup(self, columns: ColumnMap, folder: Path) -> Setup:
        engine = self._engine
        return Setup(
            version=__version__,
            adapter=AdapterToSee.of(self._adapter, self._model.base),
            second=AdapterToSee.of(self._cascade.second) if self._cascade else None,
            doubt=self._cascade.doubt if self._cascade else None,
            engine=EngineConfig(
                engine.device, engine.dtype, engine.threads or 1, engine.batch_tokens
            ),
            columns=columns,
            verdicts=self._verdicts,
            selection=self._selection,
            folder=folder.resolve(),
            shown=secrets.token_hex(),
        )
