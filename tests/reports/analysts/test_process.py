from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from drugmon.errors import SinkError
from drugmon.reports.analysts.pages import EvidentlyInput
from drugmon.reports.analysts.process import AnalystProcess


def test_pages_are_made_and_nothing_was_imported_here(
    samples: EvidentlyInput, tmp_path: Path
) -> None:
    before = "evidently" in sys.modules
    with AnalystProcess() as process:
        drift, quality = process.write(samples, tmp_path, "FAIL: reviews, run 1")
    assert drift.problem is quality.problem is None
    assert quality.says == "Overall: 200 rows against 400."
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drift.html", "quality.html"]
    assert ("evidently" in sys.modules) == before


def test_a_process_that_dies_is_told_of(samples: EvidentlyInput, tmp_path: Path) -> None:
    with AnalystProcess() as process:
        assert process._process.pid
        os.kill(process._process.pid, signal.SIGKILL)
        pages = process.write(samples, tmp_path, "")
    assert [page.problem for page in pages] == [
        "evidently's process was stopped, maybe for want of memory."
    ] * 2


def test_a_page_that_cannot_be_written_is_an_error(samples: EvidentlyInput, tmp_path: Path) -> None:
    with AnalystProcess() as process, pytest.raises(SinkError, match="missing"):
        process.write(samples, tmp_path / "missing", "")


def test_process_that_was_not_needed_is_gone_at_once() -> None:
    with AnalystProcess() as process:
        pass
    assert process._process.exitcode is not None
