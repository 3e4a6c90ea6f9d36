"""Verdicts of earlier runs, found again by fingerprint."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from drugmon.data.reviews import Rows
from drugmon.data.verdicts.arrivals import (
    FINGERPRINT_KEY,
    NEW,
    Arrivals,
    Moments,
    raw_keys,
    with_fingerprint,
)
from drugmon.data.verdicts.columns import VERDICT_SCHEMA, cast_verdicts, probabilities_of

_FINGERPRINT: Final = "drugmon_fingerprint"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Labels and adapters repeat, and the fingerprints are the keys: some 100 bytes a row in all.
_COMPACT: Final = pa.schema(
    [
        pa.field(field.name, pa.dictionary(pa.int8(), pa.string()))
        if field.name.endswith("_sentiment")
        else pa.field(field.name, pa.dictionary(pa.int32(), pa.string()))
        if field.name == "drugmon_adapter"
        else field
        for field in VERDICT_SCHEMA
        if field.name != _FINGERPRINT
    ]
)


class Reuse:
    """The verdicts of earlier runs, held compactly in memory.

    Args:
        tables: anything with the columns of `VERDICT_SCHEMA` (strings where a text format gave
            them); of equal fingerprints the last wins. Rows without a fingerprint are left out.
        where: what the tables are, for the error message.
        arrivals: tells which rows had their verdicts before; None where every row did that gets
            one of these.
        since: when the run began that this one goes on with; what was scored from then on is of
            rows of its own. None where it goes on with none.

    Raises:
        SourceError: a verdict column holds something else.
    """

    def __init__(
        self,
        tables: Iterable[pa.Table | pa.RecordBatch] = (),
        where: str = "the earlier output",
        arrivals: Arrivals | None = None,
        since: datetime | None = None,
    ) -> None:
        self._arrivals, self._since = arrivals, since
        keys: list[npt.NDArray[np.bytes_]] = [np.empty(0, FINGERPRINT_KEY)]
        parts: list[pa.Table] = [_COMPACT.empty_table()]
        for table in tables:
            verdicts = with_fingerprint(cast_verdicts(table, where))
            keys.append(raw_keys(verdicts[_FINGERPRINT].to_pylist()))
            parts.append(verdicts.drop_columns(_FINGERPRINT).cast(_COMPACT))
        every = np.concatenate(keys)
        order = np.argsort(every, kind="stable")
        sorted_keys = every[order]
        last = np.ones(len(order), bool)
        last[:-1] = sorted_keys[1:] != sorted_keys[:-1]
        self._keys = sorted_keys[last]
        self._rows = order[last]
        # In one piece: pyarrow takes rows from many pieces several times as slowly.
        self._verdicts = pa.concat_tables(parts).unify_dictionaries().combine_chunks()

    def __len__(self) -> int:
        """Return how many different fingerprints are known."""
        return len(self._keys)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that it takes."""
        return int(self._keys.nbytes + self._rows.nbytes + self._verdicts.nbytes)

    def lookup(self, fingerprints: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return int64 (n,): per fingerprint an index for `take`, -1 where it is not known."""
        wanted = raw_keys(fingerprints)
        if not len(self):
            return np.full(len(wanted), -1, np.int64)
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self) - 1)
        return np.where(self._keys[at] == wanted, at, -1)

    def arrived(
        self, indices: npt.NDArray[np.int64], rows: Rows | None, fingerprints: Sequence[str]
    ) -> Moments:
        """Return int64 (n,): since when rows have had their verdicts, as `Arrivals.of`.

        Args:
            indices: int64 (n,), theirs, of `lookup`.
            rows: these; None where it does not matter which are new.
            fingerprints: n strings, theirs.
        """
        given = self._moments(indices)
        if rows is None or self._arrivals is None:
            return given
        there = self._arrivals.of(rows, fingerprints)
        if self._since is not None:
            since = (self._since - _EPOCH) // timedelta(microseconds=1)
            there = np.where((there == NEW) & (given >= since), given, there)
        return np.where(indices < 0, NEW, there)

    def _moments(self, indices: npt.NDArray[np.int64]) -> Moments:
        """When the verdicts at `indices` were given; NEW where one is -1."""
        moments = np.full(len(indices), NEW, np.int64)
        there = indices >= 0
        given = self._verdicts["drugmon_scored_at"].take(pa.array(self._rows[indices[there]]))
        moments[there] = pc.fill_null(given.cast(pa.int64()), NEW).to_numpy()
        return moments

    def take(self, indices: npt.NDArray[np.int64]) -> pa.RecordBatch:
        """Return the verdicts at `indices` (of `lookup`, none of them -1) in `VERDICT_SCHEMA`."""
        verdicts = self._verdicts.take(pa.array(self._rows[indices]))
        whole = verdicts.append_column(_FINGERPRINT, _hex(self._keys[indices])).cast(VERDICT_SCHEMA)
        return pa.RecordBatch.from_struct_array(whole.to_struct_array().combine_chunks())

    def probabilities(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return float32 (k, 4, 3): the probabilities of the verdicts at `indices` (k,)."""
        return probabilities_of(self._verdicts.take(pa.array(self._rows[indices])))


def _hex(keys: npt.NDArray[np.bytes_]) -> pa.Array:
    """The fingerprints again: all digits in one buffer, and where each begins."""
    starts = np.arange(len(keys) + 1, dtype=np.int32) * (2 * FINGERPRINT_KEY.itemsize)
    digits = binascii.hexlify(keys.tobytes())
    return pa.Array.from_buffers(
        pa.string(), len(keys), [None, pa.py_buffer(starts), pa.py_buffer(digits)]
    )
