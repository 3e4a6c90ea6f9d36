"""Old reports go, and nothing that drugmon did not write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drugmon.reports.keep import Keep
from drugmon.reports.retention import NIGHT, PAGES, SUMMARY, prune


def make_report(out: Path, day: int, run: str = "", **changes: object) -> Path:
    run = run or f"{day:012x}"
    folder = out / f"2026-01-{day:02}-{run}"
    folder.mkdir(parents=True)
    for name in (*PAGES, NIGHT):
        (folder / name).write_text("page")
    created = f"2026-01-{day:02}T03:15:00+00:00"
    summary = {"run_id": run, "created_at": created, "source": "reviews", **changes}
    (folder / SUMMARY).write_text(json.dumps(summary))
    return folder


def test_the_newest_stay(tmp_path: Path) -> None:
    reports = [make_report(tmp_path, day) for day in (3, 1, 5, 2, 4)]
    gone = prune(tmp_path, "reviews", Keep(2))
    assert [folder.name[:10] for folder in gone] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert sorted(tmp_path.iterdir()) == sorted([reports[2], reports[4]])
    assert prune(tmp_path, "reviews", Keep(2)) == []


def test_every_source_has_its_own(tmp_path: Path) -> None:
    others = [make_report(tmp_path, day, source="others") for day in (1, 4)]
    reports = [make_report(tmp_path, day) for day in (2, 3)]
    assert prune(tmp_path, "reviews", Keep(1)) == [reports[0]]
    assert sorted(tmp_path.iterdir()) == [others[0], reports[1], others[1]]


def test_what_drugmon_did_not_write_stays(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("trends")
    foreign = tmp_path / "2026-01-01-notes"
    foreign.mkdir()
    (foreign / "diary.txt").write_text("mine")
    make_report(tmp_path, 2, run_id="another")
    damaged = make_report(tmp_path, 3)
    (damaged / SUMMARY).write_text("{")
    elsewhere = make_report(tmp_path / "elsewhere", 4)
    (tmp_path / elsewhere.name).symlink_to(elsewhere)
    before = sorted(tmp_path.rglob("*"))
    assert prune(tmp_path, "reviews", Keep(1)) == []
    assert sorted(tmp_path.rglob("*")) == before


def test_a_note_beside_an_old_report_stays(tmp_path: Path) -> None:
    old, _ = make_report(tmp_path, 1), make_report(tmp_path, 2)
    (old / "notes.txt").write_text("mine")
    prune(tmp_path, "reviews", Keep(1))
    assert [path.name for path in old.iterdir()] == ["notes.txt"]
    assert prune(tmp_path, "reviews", Keep(1)) == []


def test_a_removal_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    old, _ = make_report(tmp_path, 1), make_report(tmp_path, 2)
    for name in PAGES:
        (old / name).unlink()
    assert prune(tmp_path, "reviews", Keep(1)) == [old]
    assert not old.exists()


def test_without_reports_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert prune(tmp_path / "nowhere", "reviews", Keep(1)) == []


def test_as_many_stay_as_fit_into_a_size(tmp_path: Path) -> None:
    reports = [make_report(tmp_path, day) for day in range(1, 5)]
    for folder in reports:
        (folder / "index.html").write_bytes(b"x" * 400_000)
    (reports[0] / "diary.txt").write_bytes(b"y" * 10_000_000)
    assert prune(tmp_path, "reviews", Keep.parse("1 MB")) == reports[:2]
    assert prune(tmp_path, "reviews", Keep.parse("1 MB")) == []
    (reports[3] / "index.html").write_bytes(b"x" * 2_000_000)
    assert prune(tmp_path, "reviews", Keep.parse("1 MB")) == [reports[2]], "the newest stays"
    assert reports[3].is_dir()


def test_what_is_kept_is_a_number_or_a_size() -> None:
    assert Keep.parse("7") == Keep(reports=7)
    assert Keep.parse("500 MB") == Keep(size=500_000_000)
    assert Keep.parse("2GB") == Keep(size=2_000_000_000)
    for wrong in ("0", "-1", "True", "1.5", "100001", "0 MB", "many", "5 KB", "-1 MB", "['1 MB']"):
        with pytest.raises(ValueError, match="give a whole number from 1 to 100,000, or a size"):
            Keep.parse(wrong)
