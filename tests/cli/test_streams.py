"""The commands as processes: with streams that are closed or know ASCII only, and with signals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

STREAMS = ("", "<&-", ">&-", "2>&-", "<&- >&- 2>&-")


def run(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell in which `drugmon` is the command line."""
    line = command.replace("drugmon", f"'{sys.executable}' -m drugmon", 1)
    return subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="surrogateescape",
    )


@pytest.mark.parametrize("streams", STREAMS)
def test_closed_streams_are_no_bug(tmp_path: Path, streams: str) -> None:
    done = run(f"drugmon sample r.csv {streams}", tmp_path, TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.csv"]
    assert "invented reviews" not in (tmp_path / "r.csv").read_text(), "no stream's number is taken"
    wrong = run(f"drugmon recipes show nope {streams}", tmp_path, TMPDIR=str(tmp_path))
    assert wrong.returncode == 1


def test_an_encoding_without_a_letter_is_no_bug(tmp_path: Path) -> None:
    done = run("drugmon sample naïve-薬.csv", tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "na\\xefve-\\u85ac.csv: 64 invented reviews\n"


def test_a_name_that_is_no_text_is_written_out(tmp_path: Path) -> None:
    done = run("drugmon show \"$(printf 'r\\377\\033[2J.csv')\"", tmp_path, TMPDIR=str(tmp_path))
    assert done.returncode == 1, done.stderr
    assert "\\x1b[2J.csv" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_recipe_that_is_no_text_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b'description = "na\xefve"\n')
    done = run("drugmon recipes show mine.toml", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("drugmon: error: recipe mine.toml is not valid TOML: ")
