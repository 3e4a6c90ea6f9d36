"""Whatever ends a night, no half of it is left, and the next start goes on with it."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.waiting import wait_for

ROWS, KILLS = 2000, 4


class Nights:
    """A job over two files, run by its command line."""

    def __init__(self, folder: Path, forker: Any, adapter: Path, reviews: Any, to_csv: Any) -> None:
        self.folder, self._forker, self.kill = folder, forker, forker.kill
        self._reviews, self._to_csv = reviews, to_csv
        self.settings = folder / "job.toml"
        source = '[[source]]\nsource = "{}.csv"\nadapter = "{}"\n'
        self.settings.write_text("".join(source.format(name, adapter) for name in ("a", "b")))

    def deliver(self, mark: str) -> None:
        for name in ("a", "b"):
            self._to_csv(self.folder / f"{name}.csv", self._reviews(ROWS, f"{name} {mark}"))

    def start(self) -> int:
        pid: int = self._forker.start("nightly", self.settings, "--json")
        return pid

    def end(self) -> int:
        code: int = self._forker.end()
        return code

    @property
    def said(self) -> str:
        said: str = self._forker.log.read_text()
        return said

    def run(self) -> dict[str, Any]:
        """Run to the end; the gate may say what it wants."""
        self.start()
        assert self.end() in (0, 4), self.said
        summary: dict[str, Any] = json.loads(self.said.splitlines()[-1])
        return summary

    def reports(self) -> list[Path]:
        """The folders of reports, each of which has to be whole."""
        return sorted(
            folder
            for folder in (self.folder / "reports").glob("20*")
            if json.loads((folder / "summary.json").read_text())["run_id"] in folder.name
            and (folder / "index.html").stat().st_size
        )


@pytest.fixture(name="nights")
def _nights(tmp_path: Path, forker: Any, adapter: Path, reviews: Any, to_csv: Any) -> Nights:
    return Nights(tmp_path, forker, adapter, reviews, to_csv)


def test_a_kill_at_any_moment_leaves_no_half_of_a_night(nights: Nights) -> None:
    nights.deliver("0")
    began = time.monotonic()
    nights.run()
    whole = time.monotonic() - began
    moments, killed = random.Random(7), 0
    for night in range(1, KILLS + 1):
        nights.deliver(str(night))
        process = nights.start()
        time.sleep(moments.uniform(0, whole))
        killed += nights.kill(process)
        before = nights.reports()
        folders = [*(nights.folder / "reports").glob("20*")]
        assert sorted(folders) == before, "every folder of a report is whole"
        summary = nights.run()
        for source in summary["sources"]:
            told = json.loads(Path(source["page"]).with_name("summary.json").read_text())
            assert told["volume"]["rows"] == ROWS
            assert source["failures"] == []
        index = (nights.folder / "reports" / "index.html").read_text()
        unlinked = [each.name for each in nights.reports() if f'"{each.name}/' not in index]
        assert not unlinked, nights.said
        assert not list(nights.folder.rglob("*.tmp")), "what was half built is gone"
    assert killed


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interrupt_is_told_and_the_next_start_goes_on(
    nights: Nights, sent: signal.Signals, code: int
) -> None:
    nights.deliver("0")
    process = nights.start()
    journal = nights.folder / ".drugmon/a.scored.csv.journal"
    wait_for(lambda: journal.exists() and journal.stat().st_size > 50_000)
    os.kill(process, sent)
    assert nights.end() == code
    assert "drugmon nightly: cut off, the next start goes on with this night" in nights.said
    assert nights.said.splitlines()[-1].endswith("the same command goes on where this one was")
    assert nights.reports() == []
    nights.run()
    assert "drugmon nightly: going on with the night of " in nights.said
    assert len(nights.reports()) == 2


def test_a_second_night_waits_or_leaves(nights: Nights, drugmon: Any) -> None:
    nights.deliver("0")
    process = nights.start()
    wait_for(lambda: (nights.folder / "nightly.log").exists())
    os.kill(process, signal.SIGSTOP)
    second = drugmon("nightly", nights.settings)
    os.kill(process, signal.SIGCONT)
    assert (second.code, second.out) == (75, "")
    assert second.err == (
        f"drugmon: error: {nights.folder}/.drugmon/job.lock: another process (pid {process}) holds "
        "this lock; the job job is running; wait for it, or let job.lock_wait be longer\n"
    )
    with nights.settings.open("a") as settings:
        settings.write("[job]\nlock_wait = 300\n")
    waited = drugmon("nightly", nights.settings)
    assert nights.end() in (0, 4), nights.said
    assert waited.code in (0, 4), waited.err
    assert " scored=0 reused=4000 " in waited.out
