"""A lock that one process at a time holds, freed by the system when that process ends or dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from drugmon.data.verdicts.atomic import make_folder, open_own, sink_errors
from drugmon.errors import RunningError

_POLL_SECONDS: Final = 0.2
_FOLDER_LOCK: Final = ".lock"


@contextmanager
def lock_file(path: Path, wait: float, busy: str) -> Iterator[None]:
    """Hold the lock at `path`; the file stays, with the holder's pid in it.

    Args:
        path: the file, made where there is none, with its folder.
        wait: seconds to wait while another process holds it.
        busy: the end of the message, after who holds it: what to do.

    Raises:
        RunningError: another process held it for `wait` seconds.
        SinkError: the file cannot be written.
    """
    with sink_errors(path):
        make_folder(path.parent)
        descriptor = open_own(path, os.O_RDWR | os.O_CREAT)
    with os.fdopen(descriptor, "r+", encoding="ascii", errors="replace") as file:
        deadline = time.monotonic() + wait
        while not _try_lock(file.fileno()):
            if time.monotonic() >= deadline:
                holder = file.read().strip() or "unknown"
                raise RunningError(
                    f"{path}: another process (pid {holder}) holds this lock; {busy}"
                )
            time.sleep(min(_POLL_SECONDS, wait))
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`, which is made where it is missing; without waiting.

    Raises:
        RunningError, SinkError: as `lock_file`.
    """
    with lock_file(folder / _FOLDER_LOCK, 0, "wait for it or stop it"):
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
