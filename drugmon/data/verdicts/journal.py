"""The journal: the verdicts of a run that has not finished, so that a killed run loses nothing.

One file beside the output, `.drugmon/<output name>.journal`: a header that says who writes it, then
an Arrow IPC stream of verdict batches without its end mark. Each batch carries a checksum: after a
loss of power, a file may have its length and zeros where verdicts were. From the first batch on
that is torn or not what was written, the file is cut off when the next run opens it, so that run
appends where the last whole batch ends. A run that has kept nothing leaves nothing: neither the
file nor, where nothing else lies in it, its folder.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from drugmon.closing import Closing
from drugmon.data.verdicts.atomic import make_own_folder, open_own
from drugmon.data.verdicts.columns import VERDICT_SCHEMA
from drugmon.errors import BusyError, SinkError

_HEADER: Final = "drugmon journal, written by pid {:>10}\n"
_HEADER_BYTES: Final = 64
_CHECKSUM: Final = b"crc32"
_SCHEMA_MESSAGE: Final = VERDICT_SCHEMA.serialize().to_pybytes()
_EMPTY_BYTES: Final = _HEADER_BYTES + len(_SCHEMA_MESSAGE)


class Journal(Closing):
    """Keeps finished verdicts on disk until the target holds them; one run a target at a time.

    Use it as a context manager: leaving it frees the lock, and only `finish` forgets verdicts.

    Args:
        target: the file (or a path that stands for the table or the object) that the run writes.
        called: what messages call it, where that is not its path.

    Raises:
        BusyError: on entering, where another run is writing the same target.
        SinkError: on entering or appending, where the file cannot be written.
    """

    def __init__(self, target: Path, called: str = "") -> None:
        self._target, self._called = target, called or str(target)
        self._path = target.parent / ".drugmon" / f"{target.name}.journal"
        self._finished = False

    @property
    def aside(self) -> Path:
        """A folder that whoever holds the lock may use: what lies in it is of a dead run."""
        return self._path.with_suffix(".aside")

    def __enter__(self) -> Self:
        try:
            self._file = self._lock()
            self._recovered = _recover(self._file)
        except OSError as error:
            raise self._failed(error) from error
        return self

    def close(self) -> None:
        """Let go of the file; remove it where nothing in it is needed any more."""
        with self._file:
            if self._finished or os.fstat(self._file.fileno()).st_size <= _EMPTY_BYTES:
                self._path.unlink()
                with contextlib.suppress(OSError):  # the folder is of use to others
                    self._path.parent.rmdir()

    @property
    def recovered(self) -> bool:
        """Whether unfinished runs left verdicts in it."""
        return self._recovered > _EMPTY_BYTES

    def read(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches that unfinished runs left, in the order they were appended."""
        with self._path.open("rb") as file:
            file.seek(_HEADER_BYTES)
            reader = pa.ipc.open_stream(file)
            while file.tell() < self._recovered:
                yield reader.read_next_batch()

    def since(self, recorded: datetime | None) -> datetime | None:
        """When the first verdict was given that unfinished runs left; None where there is none.

        Verdicts given up to `recorded` do not count: a run that was cut off behind its record, just
        before it could remove this file, has left them.
        """
        first: datetime | None = None
        for batch in self.read():
            for moment in pc.unique(batch.column("drugmon_scored_at")).to_pylist():
                if (recorded is None or moment > recorded) and (first is None or moment < first):
                    first = moment
        return first

    def append(self, batch: pa.RecordBatch) -> None:
        """Hand a batch of `VERDICT_SCHEMA` to the operating system: it outlives this process."""
        try:
            self._file.seek(0, os.SEEK_END)
            self._file.write(_message(batch))
            self._file.flush()
        except OSError as error:
            raise self._failed(error) from error

    def finish(self) -> None:
        """Let leaving remove the file: the target holds every verdict now."""
        self._finished = True

    def _lock(self) -> BinaryIO:
        while True:
            file = self._open()
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with file:
                    raise self._busy(file) from None
            # The other run may have removed the file between opening and locking it.
            if self._path.exists() and os.path.samestat(os.fstat(file.fileno()), self._path.stat()):
                return file
            file.close()

    def _open(self) -> BinaryIO:
        while True:
            make_own_folder(self._path.parent)
            # Another run may remove the folder before the file in it is opened.
            with contextlib.suppress(FileNotFoundError):
                return os.fdopen(open_own(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")

    def _busy(self, file: BinaryIO) -> BusyError:
        pid = file.read(_HEADER_BYTES).decode("ascii", "replace").strip().rpartition(" ")[2]
        return BusyError(
            f"another drugmon run (pid {pid or 'unknown'}) is scoring into {self._called}; "
            "wait for it or stop it"
        )

    def _failed(self, error: OSError) -> SinkError:
        if not self._target.parent.is_dir():
            return SinkError(
                f"{self._target}: the folder {self._target.parent} does not exist; create it first"
            )
        if error.errno == errno.ELOOP:
            return SinkError(
                f"{error.filename}: is a symbolic link, through which drugmon writes nothing of "
                "its own; remove it"
            )
        return SinkError(
            f"{self._path}: cannot keep finished verdicts ({error.strerror}); "
            f"free the disk or make {self._path.parent} writable; {self._called} is as it was"
        )


def _message(batch: pa.RecordBatch) -> pa.Buffer:
    """The batch with its checksum, as it stands within a stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, VERDICT_SCHEMA) as writer:
        writer.write_batch(batch, custom_metadata={_CHECKSUM: _checksum(batch)})
        end = sink.tell()
    return sink.getvalue()[len(_SCHEMA_MESSAGE) : end]


def _checksum(batch: pa.RecordBatch) -> bytes:
    return b"%08x" % zlib.crc32(batch.serialize())


def _recover(file: BinaryIO) -> int:
    """Sign the file, cut it after its last whole batch, and return where that ends."""
    end = _end_of_whole_batches(file)
    file.seek(0)
    file.write(_HEADER.format(os.getpid()).ljust(_HEADER_BYTES).encode())
    file.write(_SCHEMA_MESSAGE)
    file.truncate(end)
    file.flush()
    return end


def _end_of_whole_batches(file: BinaryIO) -> int:
    end = _EMPTY_BYTES
    file.seek(_HEADER_BYTES)
    if file.read(len(_SCHEMA_MESSAGE)) != _SCHEMA_MESSAGE:
        return end  # new, torn before its first batch, or of another version of drugmon
    file.seek(_HEADER_BYTES)
    reader = pa.ipc.open_stream(file)
    try:
        while True:
            batch, told = reader.read_next_batch_with_custom_metadata()
            batch.validate(full=True)
            if told is None or told.get(_CHECKSUM) != _checksum(batch):
                return end
            end = file.tell()
    # A changed bit may be one of a length: Arrow then asks for more memory than there is.
    except (pa.ArrowException, StopIteration, OSError, MemoryError, OverflowError):
        return end
