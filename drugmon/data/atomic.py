"""Replace a file in one step: whoever looks sees the old file or the new one, never a part."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from drugmon.errors import SinkError

_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give an empty temporary file beside `target`, which it replaces when the block ends well.

    The temporary is flushed to the disk before and its folder after the rename. An existing
    target keeps its mode; a link keeps pointing to what is replaced. Whatever fails, the target
    stays as it was and the temporary goes. Temporaries that killed runs left for the same target
    are removed first.

    Raises:
        SinkError: the target is a folder, cannot be written, or the disk is full.
    """
    real = Path(os.path.realpath(target))
    with sink_errors(target):
        if real.is_dir():
            raise SinkError(f"{target}: is a folder; name a file")
        _sweep(real)
        temporary = _create_beside(real)
    try:
        with sink_errors(target):
            yield temporary
            _flush(temporary)
            temporary.replace(real)
            _flush(real.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def sink_errors(target: Path) -> Iterator[None]:
    """Turn what the system says about writing `target` into a SinkError with the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise SinkError(
                f"{target}: disk full; nothing was changed, make room and run again"
            ) from error
        if error.errno in _FORBIDDEN:
            raise SinkError(
                f"{target}: cannot be written ({os.strerror(error.errno)}); nothing was changed, "
                "choose another place with --out"
            ) from error
        if error.errno in (errno.ENOENT, errno.ENOTDIR) and not target.parent.is_dir():
            raise SinkError(
                f"{target}: the folder {target.parent} does not exist; create it first"
            ) from error
        raise


def _create_beside(target: Path) -> Path:
    path = target.with_name(f".{target.name}.drugmon-{os.getpid()}-{secrets.token_hex(4)}.tmp")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    if target.exists():
        before = target.stat()
        with contextlib.suppress(PermissionError):  # only root can give a file back to its owner
            os.chown(path, before.st_uid, before.st_gid)
        path.chmod(stat.S_IMODE(before.st_mode))
    return path


def _sweep(target: Path) -> None:
    """Remove the temporaries of `target` whose process is gone."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.drugmon-(\d+)-[0-9a-f]+\.tmp")
    for path in target.parent.iterdir():
        if (match := pattern.fullmatch(path.name)) and not _alive(int(match[1])):
            path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's process
        return True
    return True


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
