from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from drugmon.data.lock import locked
from drugmon.errors import BusyError, SinkError

HOLDER = """
import sys, time
from pathlib import Path
from drugmon.data.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_process_at_a_time_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match=rf"\(pid {holder.pid}\) works in .*folder; wait for"):
            locked(folder).__enter__()
        os.kill(holder.pid, signal.SIGKILL)
    with locked(folder):
        pass
    with locked(folder):
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((SinkError, OSError)):
        locked(tmp_path / "file" / "folder").__enter__()
