"""Replace a file, or make a folder, in one step: whoever looks never sees a part of it.

What is built aside is locked while its process lives, so that what killed runs left is known from
it, in containers too, where a killed run and the next one have the same process id.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from drugmon.errors import SinkError

_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN: Final = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTEMPTY}
)
_TOO_MANY_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE})


@contextmanager
def replacing(target: Path, source: Path | None = None) -> Iterator[Path]:
    """Give an empty temporary file beside `target`, which it replaces when the block ends well.

    The temporary is flushed to the disk before and its folder after the rename. An existing
    target keeps its mode; a link keeps pointing to what is replaced. Whatever fails, the target
    stays as it was and the temporary goes. Temporaries that killed runs left for the same target
    are removed first.

    Args:
        target: what is replaced.
        source: where the content comes from: whom it is closed to, the target is closed to.

    Raises:
        SinkError: the target is a folder, cannot be written, or the disk is full.
    """
    real = Path(os.path.realpath(target))
    with sink_errors(target):
        if real.is_dir():
            raise SinkError(f"{target}: is a folder; name a file")
        _sweep(real.parent, re.escape(real.name))
        temporary, lock = _create_beside(real)
        if source is not None:
            _close_as(source, temporary)
    try:
        with sink_errors(target):
            yield temporary
            move_into_place(temporary, real)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(lock)


@contextmanager
def building(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside `folder`, which it becomes when the block ends well.

    Whatever fails, nothing of it is left. What killed runs left half built in the same place, for
    whatever name, is removed first.

    Raises:
        SinkError: it cannot be written, or the disk is full.
    """
    with sink_errors(folder):
        make_folder(folder.parent)
        _sweep(folder.parent, ".+")
        with _locked_folder(folder, 0o777) as aside:
            yield aside
            move_into_place(aside, folder)


@contextmanager
def folder_beside(target: Path) -> Iterator[Path]:
    """Give an empty folder beside `target` to build it in, which goes when the block ends.

    What killed runs left for the same target is removed first.
    """
    sweep(target)
    with _locked_folder(target, 0o700) as folder:
        yield folder


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give an empty folder in the system's temporary folder, which goes when the block ends.

    Only this user reads it: it is for review texts. Those that killed runs left are removed first.
    """
    with folder_beside(Path(tempfile.gettempdir()).absolute() / "texts") as folder:
        yield folder


def move_into_place(made: Path, target: Path) -> None:
    """Rename a file or a folder; a loss of power leaves all of it there or nothing.

    What it holds is flushed to the disk before the rename, the folder around it after that.

    Raises:
        OSError: it cannot be flushed or renamed; `target` is as it was.
    """
    for root, _, files in os.walk(made, topdown=False):
        for name in files:
            flush(Path(root, name))
        flush(Path(root))
    if made.is_file():
        flush(made)
    made.replace(target)
    flush(target.parent)


def make_folder(folder: Path) -> None:
    """Make a folder with those around it, as far as they are missing, on the disk at once.

    Raises:
        OSError: it cannot be made, or is a file.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        flush(made.parent)


def flush(path: Path) -> None:
    """Wait until the disk has what a file holds, or the names in a folder.

    Raises:
        OSError: it cannot be opened or flushed.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(target: Path) -> None:
    """Remove what killed runs of this user left half built beside `target`."""
    _sweep(target.parent, re.escape(target.name), of_user=os.geteuid())


@contextmanager
def sink_errors(target: Path) -> Iterator[None]:
    """Turn whatever the system says about writing `target` into a SinkError with the remedy."""
    try:
        yield
    except OSError as error:
        raise SinkError(f"{target}: {_said_and_remedy(target, error)}") from error


def _said_and_remedy(target: Path, error: OSError) -> str:
    if error.errno in _DISK_FULL:
        return "disk full; nothing was changed, make room and run again"
    if error.errno == errno.ELOOP:
        return "is a symbolic link, through which drugmon writes nothing of its own; remove it"
    if error.errno in (errno.ENOENT, errno.ENOTDIR) and not target.parent.is_dir():
        return f"the folder {target.parent} does not exist; create it first"
    if error.errno == errno.EEXIST and error.filename not in (None, str(target)):
        return f"{error.filename} is a file; name another --out"
    says = error.strerror or " ".join(str(error).split()) or type(error).__name__
    refused = f"cannot be written ({says}); nothing was changed"
    if error.errno in _FORBIDDEN:
        return f"{refused}, choose another place with --out"
    if error.errno == errno.ENAMETOOLONG:
        return f"{refused}, choose a shorter name with --out"
    if error.errno in _TOO_MANY_FILES:
        return f"{refused}, let the process open more files (ulimit -n) and run again"
    return f"{refused}, look at the disk and run again, or choose another place with --out"


def _name_beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.drugmon-{os.getpid()}-{secrets.token_hex(4)}.tmp")


@contextmanager
def _locked_folder(target: Path, mode: int) -> Iterator[Path]:
    """Give an empty, locked folder beside `target`; it goes at the end unless it was renamed."""
    while True:
        folder = _name_beside(target)
        folder.mkdir(mode=mode)
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY)
            # Another run may just now take it for one that was left: it removes it, and another is
            # made. A file system may have no locks.
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                break
            os.close(lock)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _create_beside(target: Path) -> tuple[Path, int]:
    """The temporary, and the descriptor that keeps it locked."""
    path = _name_beside(target)
    lock = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    _try_lock(lock)
    if target.exists():
        before = target.stat()
        with contextlib.suppress(PermissionError):  # only root can give a file back to its owner
            os.chown(path, before.st_uid, before.st_gid)
        path.chmod(stat.S_IMODE(before.st_mode))
    return path, lock


def _close_as(source: Path, path: Path) -> None:
    """Take from `path` what `source` does not allow; its group's rights only where it has that."""
    like, made = source.stat(), path.stat()
    allowed = stat.S_IMODE(like.st_mode) | stat.S_IRUSR | stat.S_IWUSR
    if like.st_gid != made.st_gid:
        try:
            os.chown(path, -1, like.st_gid)
        except PermissionError:  # of another group: it gets what everybody has
            allowed &= ~stat.S_IRWXG | (allowed & stat.S_IRWXO) << 3
    path.chmod(stat.S_IMODE(made.st_mode) & allowed)


def open_own(path: Path, flags: int, mode: int = 0o666) -> int:
    """Open a file of drugmon's own, never through a symbolic link, and return the descriptor.

    Raises:
        OSError: it cannot be opened; ELOOP where it is a link.
    """
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode)


def make_own_folder(folder: Path) -> None:
    """Make a folder for what drugmon keeps beside an output: only its user looks into it.

    Raises:
        OSError: it cannot be made; ELOOP where it is a symbolic link.
        SinkError: it is there and belongs neither to this user nor to whoever has the folder
            around it: what lies in it may be a trap.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        flush(folder.parent)
    state = folder.lstat()
    if stat.S_ISLNK(state.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(folder))
    if state.st_uid not in (os.geteuid(), folder.parent.stat().st_uid):
        raise SinkError(
            f"{folder}: belongs to another user (uid {state.st_uid}); remove it, or write "
            "elsewhere with --out"
        )


def _sweep(folder: Path, name: str, *, of_user: int | None = None) -> None:
    """Remove the temporaries that no process holds, of targets whose name matches the pattern."""
    pattern = re.compile(rf"\.{name}\.drugmon-\d+(-[0-9a-f]+)?\.tmp")
    for path in folder.iterdir():
        if not pattern.fullmatch(path.name) or path.is_symlink():
            continue
        with contextlib.suppress(FileNotFoundError, PermissionError):
            if of_user not in (None, path.lstat().st_uid):
                continue
            lock = os.open(path, os.O_RDONLY)
            try:
                if _try_lock(lock):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            finally:
                os.close(lock)


def _try_lock(descriptor: int) -> bool:
    """Lock an open file or folder until it is closed; False where that fails or is taken."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # taken, or a file system without locks
        return False
    return True
