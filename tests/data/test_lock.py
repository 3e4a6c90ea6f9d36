from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from drugmon.data.lock import lock_file, locked
from drugmon.errors import RunningError, SinkError

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
        with pytest.raises(RunningError, match=rf"\(pid {holder.pid}\) holds this lock; wait for"):
            locked(folder).__enter__()
        os.kill(holder.pid, signal.SIGKILL)
    with locked(folder):
        pass
    with locked(folder):
        pass


def test_a_second_holder_is_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "job.lock"
    with (
        lock_file(path, 0, "wait"),
        pytest.raises(RunningError, match=rf"\(pid {os.getpid()}\) holds this lock; wait$") as told,
        lock_file(path, 0, "wait"),
    ):
        pass
    assert told.value.exit_code == 75


def test_it_waits_until_the_lock_is_free(tmp_path: Path) -> None:
    path, held = tmp_path / "job.lock", threading.Event()

    def hold() -> None:
        with lock_file(path, 0, ""):
            held.set()
            time.sleep(0.5)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    with lock_file(path, 30, ""):
        assert path.read_text() == f"{os.getpid()}\n"
    holder.join()


def test_it_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with lock_file(tmp_path / "job.lock", 0, ""):
            pass


def test_a_file_in_the_place_of_its_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(SinkError, match=r"/file is a file; name another --out$"),
        lock_file(tmp_path / "file" / "job.lock", 0, ""),
    ):
        pass


def test_a_lock_is_not_taken_through_a_symbolic_link(tmp_path: Path) -> None:
    victim, lock = tmp_path / "victim", tmp_path / "job.lock"
    victim.write_text("precious")
    lock.symlink_to(victim)
    with (
        pytest.raises(SinkError, match="is a symbolic link, through which drugmon writes nothing"),
        lock_file(lock, 0, "wait"),
    ):
        pass
    assert victim.read_text() == "precious"
