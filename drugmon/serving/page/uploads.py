"""Where uploaded files are while a session lasts: a folder of their own, which goes with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from drugmon.closing import Closing

_PREFIX: Final = "drugmon-page-"


@dataclass
class Session:
    """One visitor's: the folder of outputs, the files that were uploaded, whether to stop."""

    folder: Path
    uploaded: set[Path] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)

    def new_folder(self) -> Path:
        """An empty folder for the next output; that of the output before is removed."""
        for before in self.folder.iterdir():
            shutil.rmtree(before, ignore_errors=True)
        return Path(tempfile.mkdtemp(dir=self.folder))


class Uploads(Closing):
    """All visitors' files, in one folder that only this user can read.

    `received` is where gradio puts what is uploaded and hands out.
    """

    def __init__(self) -> None:
        _sweep()
        self._root = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self.received = self._root / "received"
        self.received.mkdir()
        self._sessions: dict[str, Session] = {}

    def session(self, key: str | None) -> Session:
        """The session of a visitor, begun where there is none."""
        key = key or "alone"
        if key not in self._sessions:
            folder = Path(tempfile.mkdtemp(dir=self.received, prefix="session-"))
            self._sessions[key] = Session(folder)
        return self._sessions[key]

    def end(self, key: str | None) -> None:
        """Remove all files of a session, and stop what it computes."""
        session = self._sessions.pop(key or "alone", None)
        if session:
            session.stop.set()
            for folder in (session.folder, *(path.parent for path in session.uploaded)):
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove everything."""
        for key in list(self._sessions):
            self.end(key)
        shutil.rmtree(self._root, ignore_errors=True)


def _sweep() -> None:
    """Remove what a page left that was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError, ValueError):
            if folder.stat().st_uid == os.getuid():
                _remove_if_dead(int(pid), folder)


def _remove_if_dead(pid: int, folder: Path) -> None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        shutil.rmtree(folder, ignore_errors=True)
