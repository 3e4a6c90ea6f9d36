"""Which rows a night's report has to cover, whatever happened to the nights before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drugmon.errors import SettingsError
from drugmon.monitoring.checks.summary import Status
from drugmon.workflows.nightly.state import NightState

NIGHT = datetime(2026, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def begin(folder: Path, now: datetime) -> NightState:
    return NightState(folder / "night.json", now, ("a", "b"))


def report(state: NightState, *names: str) -> None:
    for name in names:
        state.report(name, Path(f"/{name}.html"), Status.WARN, 5)


def test_the_first_night_covers_all_rows_and_the_next_what_is_new(tmp_path: Path) -> None:
    first = begin(tmp_path, NIGHT)
    assert (first.unfinished, first.since("a"), first.since("b")) == (None, None, None)
    report(first, "a", "b")
    first.finish()
    second = begin(tmp_path, NIGHT + DAY)
    assert second.unfinished is None
    assert second.since("a") == second.since("b") == (NIGHT + DAY).isoformat()


def test_a_second_run_on_one_day_covers_the_day_again(tmp_path: Path) -> None:
    for now in (NIGHT, NIGHT + DAY):
        state = begin(tmp_path, now)
        report(state, "a", "b")
        state.finish()
    again = begin(tmp_path, NIGHT + DAY + timedelta(hours=1))
    assert again.since("a") == (NIGHT + DAY).isoformat()
    assert again.reported("a") is None
    report(again, "a")  # and is killed before b
    third = begin(tmp_path, NIGHT + DAY + timedelta(hours=2))
    assert third.reported("a") == (Path("/a.html"), Status.WARN, 5)
    assert third.reported("b") is None, "that of the first run lacks what is new"
    assert third.since("b") == (NIGHT + DAY).isoformat()


def test_a_night_that_was_cut_off_is_gone_on_with(tmp_path: Path) -> None:
    report(begin(tmp_path, NIGHT), "a")
    again = begin(tmp_path, NIGHT + timedelta(hours=1))
    assert again.unfinished == NIGHT.isoformat()
    assert again.reported("a") == (Path("/a.html"), Status.WARN, 5)
    assert again.reported("b") is None


def test_days_later_what_was_reported_is_reported_anew(tmp_path: Path) -> None:
    state = begin(tmp_path, NIGHT)
    report(state, "a", "b")
    state.finish()
    report(begin(tmp_path, NIGHT + DAY), "a")  # and is killed before b
    later = begin(tmp_path, NIGHT + 3 * DAY)
    assert later.reported("a") is None
    assert later.since("a") == (NIGHT + 3 * DAY).isoformat()
    assert later.since("b") == (NIGHT + DAY).isoformat()


def test_a_source_whose_report_failed_stays_owed(tmp_path: Path) -> None:
    for night in range(3):
        state = begin(tmp_path, NIGHT + night * DAY)
        report(state, "a", *(["b"] if night == 0 else []))
        state.finish()
    assert begin(tmp_path, NIGHT + 3 * DAY).since("b") == (NIGHT + DAY).isoformat()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"finished": true, "began": null, "windows": 3}'])
def test_a_damaged_file_is_told_with_the_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "night.json").write_text(text)
    with pytest.raises(
        SettingsError, match=r"night\.json: not what a night left behind; remove it"
    ):
        begin(tmp_path, NIGHT)
