"""Since when the rows of a source have had their verdicts: which are new, and which were there.

A verdict goes by the texts, and so a new row may get one without the model; it is a new row still.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from hashlib import blake2b
from typing import Final, Protocol
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from drugmon.data.reviews import Rows
from drugmon.data.verdicts.columns import ArrowT

NEW: Final = -1
"""In place of a moment: the row was not there, or its texts were others."""
ROW_ID: Final = "drugmon_row_id"
"""The column that tells rows apart, beside the verdicts of an earlier output; all strings."""
FINGERPRINT_KEY: Final = np.dtype("S16")
"""The raw bytes of a fingerprint; numpy drops trailing zeros, on both sides of a comparison."""

OWN_FINGERPRINT: Final = "drugmon_own_fingerprint"
OWN_SCORED_AT: Final = "drugmon_own_scored_at"
"""The columns in which rows bring what their own earlier verdict says: text, and microseconds."""

_FINGERPRINT: Final = "drugmon_fingerprint"
_SCORED_AT: Final = "drugmon_scored_at"
_PATTERN: Final = "^[0-9a-f]{32}$"
_WHOLE: Final = re.compile(r"(-?[0-9]+)\.0+")

Moments = npt.NDArray[np.int64]


class Arrivals(Protocol):
    """Tells rows that were there with these texts from new and changed ones."""

    def of(self, rows: Rows, fingerprints: Sequence[str]) -> Moments:
        """Return int64 (n,): when each row got its verdicts, in microseconds since 1970, or NEW.

        Args:
            rows: a window of n rows; each window of a source is asked for once, in order.
            fingerprints: n strings, theirs.
        """


class ArrivalsByRow:
    """Of rows that bring their own earlier verdict, as those of a table that is filled in place."""

    def of(self, rows: Rows, fingerprints: Sequence[str]) -> Moments:
        """A row was there where its own fingerprint is still that of its texts."""
        fingerprints_before, moments = rows.column(OWN_FINGERPRINT), rows.column(OWN_SCORED_AT)
        arrivals = [
            int(str(moment)) if before == now and moment is not None else NEW
            for before, now, moment in zip(fingerprints_before, fingerprints, moments, strict=True)
        ]
        return np.array(arrivals, np.int64)


class ArrivalsByCount:
    """Of rows that are looked for in an earlier output: a row there answers for one row here.

    Args:
        id_column: the column of the source that tells rows apart, with their texts; None where
            these have to do. So they do where an earlier output lacks that column.
    """

    def __init__(self, id_column: str | None = None) -> None:
        self.id_column = id_column
        self._by_id = id_column is not None
        self._notes: list[tuple[npt.NDArray[np.bytes_], list[str] | None, Moments]] = []
        self._keys: npt.NDArray[np.bytes_] | None = None

    def noting(self, earlier: Iterable[ArrowT]) -> Iterator[ArrowT]:
        """Yield verdicts of the earlier output, with `ROW_ID` where it has the id column."""
        for verdicts in earlier:
            self._note(verdicts)
            yield verdicts

    def _note(self, earlier: pa.Table | pa.RecordBatch) -> None:
        verdicts = with_fingerprint(earlier)
        moments = pc.fill_null(verdicts[_SCORED_AT].cast(pa.int64()), NEW).to_numpy()
        ids = (
            list(map(id_text, verdicts[ROW_ID].to_pylist()))
            if self._by_id and ROW_ID in verdicts.schema.names
            else None
        )
        self._by_id = ids is not None
        self._notes.append((raw_keys(verdicts[_FINGERPRINT].to_pylist()), ids, moments))

    def of(self, rows: Rows, fingerprints: Sequence[str]) -> Moments:
        """A row was there as often as the earlier output has it: the first ones are the old."""
        if self._keys is None:
            self._order()
        assert self._keys is not None
        wanted = raw_keys(fingerprints)
        if self._by_id and self.id_column is not None:
            wanted = _with_ids(wanted, [id_text(cell) for cell in rows.column(self.id_column)])
        if not len(self._keys):
            return np.full(len(wanted), NEW, np.int64)
        at = np.searchsorted(self._keys, wanted)
        arrivals = np.full(len(wanted), NEW, np.int64)
        there = np.flatnonzero(self._keys[np.minimum(at, len(self._keys) - 1)] == wanted)
        first = at[there]
        place = first + self._taken[first] + _numbers(first)
        left = place < len(self._keys)
        left[left] = self._keys[place[left]] == wanted[there[left]]
        arrivals[there[left]] = self._moments[place[left]]
        np.add.at(self._taken, first[left], 1)
        return arrivals

    def _order(self) -> None:
        """Sort what was noted; here, as what another process is handed over cannot be changed."""
        keys = [
            keys if ids is None or not self._by_id else _with_ids(keys, ids)
            for keys, ids, _ in self._notes
        ]
        every = np.concatenate([np.empty(0, FINGERPRINT_KEY), *keys])
        order = np.argsort(every, kind="stable")
        self._keys = every[order]
        moments = [moments for _, _, moments in self._notes]
        self._moments = np.concatenate([np.empty(0, np.int64), *moments])[order]
        self._taken = np.zeros(len(every), np.int64)
        self._notes.clear()


def with_fingerprint(verdicts: ArrowT) -> ArrowT:
    """The rows of verdicts that have a fingerprint."""
    with_key: ArrowT = verdicts.filter(pc.match_substring_regex(verdicts[_FINGERPRINT], _PATTERN))
    return with_key


def raw_keys(fingerprints: Sequence[str]) -> npt.NDArray[np.bytes_]:
    """Fingerprints as their bytes, S16 (n,), which compare like the hex text."""
    return np.frombuffer(binascii.unhexlify("".join(fingerprints)), FINGERPRINT_KEY)


def id_text(cell: object) -> str:
    """An id as text, alike from a typed source and from one of text; moments and lists are no ids.

    A whole number has no `.0`, which pandas writes behind all of them once one is missing.
    """
    if isinstance(cell, bytes):
        return base64.b64encode(cell).decode("ascii")  # as csv and JSONL have them
    is_plain = isinstance(cell, str | int | float | Decimal | UUID) or type(cell) is date
    text = str(cell) if is_plain else ""
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def _numbers(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The number of each of n values among those equal to it, from 0, in their order: (n,)."""
    order = np.argsort(values, kind="stable")
    _, firsts, counts = np.unique(values[order], return_index=True, return_counts=True)
    numbers = np.empty(len(values), np.int64)
    numbers[order] = np.arange(len(values)) - np.repeat(firsts, counts)
    return numbers


def _with_ids(keys: npt.NDArray[np.bytes_], ids: Sequence[str]) -> npt.NDArray[np.bytes_]:
    """Keys of ids and texts together."""
    size = FINGERPRINT_KEY.itemsize
    raw = b"".join(
        blake2b(key + name.encode("utf-8", "surrogatepass"), digest_size=size).digest()
        for key, name in zip(keys.tolist(), ids, strict=True)
    )
    return np.frombuffer(raw, FINGERPRINT_KEY)
