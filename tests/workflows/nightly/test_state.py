"""Which rows a night's report has to cover, whatever happened to the nights before."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drugmon.errors import SettingsError
from drugmon.monitoring.checks.summary import Status
from drugmon.workflows.nightly.state import NightState, Watched

NIGHT = datetime(2026, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
REPORTED = timedelta(minutes=10)
"""How long after its beginning a night makes its reports."""


def begin(folder: Path, now: datetime) -> NightState:
    sources = {name: Watched(f"/{name}.csv", folder / "reports") for name in ("a", "b")}
    return NightState(folder / "night.json", now, sources)


def report(state: NightState, now: datetime, *names: str) -> None:
    for name in names:
        state.report(name, Path(f"/{name}.html"), Status.WARN, 5, now + REPORTED)


def test_the_first_night_covers_all_rows_and_the_next_what_is_new(tmp_path: Path) -> None:
    first = begin(tmp_path, NIGHT)
    assert (first.unfinished, first.since("a"), first.since("b")) == (None, None, None)
    report(first, NIGHT, "a", "b")
    first.finish()
    second = begin(tmp_path, NIGHT + DAY)
    assert second.unfinished is None
    # What somebody scored by hand since then, too.
    assert second.since("a") == second.since("b") == (NIGHT + REPORTED).isoformat()


def test_a_clock_that_was_ahead_leaves_nothing_out(tmp_path: Path) -> None:
    ahead = begin(tmp_path, NIGHT + 30 * DAY)
    report(ahead, NIGHT + 30 * DAY, "a")
    ahead.finish()
    assert begin(tmp_path, NIGHT).since("a") == NIGHT.isoformat()


def test_a_night_before_the_time_of_reports_was_kept_begins_now(tmp_path: Path) -> None:
    text = state_with().replace('"finished": false', '"finished": true')
    (tmp_path / "night.json").write_text(text)
    assert begin(tmp_path, NIGHT).since("a") == NIGHT.isoformat()


def test_a_second_run_on_one_day_covers_the_day_again(tmp_path: Path) -> None:
    for now in (NIGHT, NIGHT + DAY):
        state = begin(tmp_path, now)
        report(state, now, "a", "b")
        state.finish()
    hour = timedelta(hours=1)
    again = begin(tmp_path, NIGHT + DAY + hour)
    assert again.since("a") == (NIGHT + REPORTED).isoformat()
    assert again.reported("a") is None
    report(again, NIGHT + DAY + hour, "a")  # and is killed before b
    third = begin(tmp_path, NIGHT + DAY + 2 * hour)
    assert third.reported("a") == (Path("/a.html"), Status.WARN, 5)
    assert third.reported("b") is None, "that of the first run lacks what is new"
    assert third.since("b") == (NIGHT + REPORTED).isoformat()


def test_a_night_that_was_cut_off_is_gone_on_with(tmp_path: Path) -> None:
    report(begin(tmp_path, NIGHT), NIGHT, "a")
    again = begin(tmp_path, NIGHT + timedelta(hours=1))
    assert again.unfinished == NIGHT.isoformat()
    assert again.reported("a") == (Path("/a.html"), Status.WARN, 5)
    assert again.reported("b") is None


def test_days_later_what_was_reported_is_reported_anew(tmp_path: Path) -> None:
    state = begin(tmp_path, NIGHT)
    report(state, NIGHT, "a", "b")
    state.finish()
    report(begin(tmp_path, NIGHT + DAY), NIGHT + DAY, "a")  # and is killed before b
    later = begin(tmp_path, NIGHT + 3 * DAY)
    assert later.reported("a") is None
    assert later.since("a") == (NIGHT + DAY + REPORTED).isoformat()
    assert later.since("b") == (NIGHT + REPORTED).isoformat()


def test_a_source_whose_report_failed_stays_owed(tmp_path: Path) -> None:
    for night in range(3):
        now = NIGHT + night * DAY
        state = begin(tmp_path, now)
        report(state, now, "a", *(["b"] if night == 0 else []))
        state.finish()
    last = begin(tmp_path, NIGHT + 3 * DAY)
    assert last.since("a") == (NIGHT + 2 * DAY + REPORTED).isoformat()
    assert last.since("b") == (NIGHT + REPORTED).isoformat()


def test_what_a_failed_scoring_may_have_left_stays_owed(tmp_path: Path) -> None:
    """It comes later with the time of now, so that a window from this report on would lack it."""
    state = begin(tmp_path, NIGHT)
    report(state, NIGHT, "a", "b")
    state.finish()
    failed = begin(tmp_path, NIGHT + DAY)
    failed.begin_report("a", whole=False)
    failed.begin_report("b", whole=True)
    report(failed, NIGHT + DAY, "a", "b")
    cut_off = begin(tmp_path, NIGHT + DAY + timedelta(hours=1))
    assert cut_off.reported("a") is None, "its page says that it was not scored"
    assert cut_off.reported("b") is not None
    failed.finish()
    later = begin(tmp_path, NIGHT + 2 * DAY)
    assert later.since("a") == (NIGHT + REPORTED).isoformat()
    assert later.since("b") == (NIGHT + DAY + REPORTED).isoformat()


def test_a_source_that_is_left_out_for_a_night_goes_on_where_it_was(tmp_path: Path) -> None:
    state = begin(tmp_path, NIGHT)
    report(state, NIGHT, "a", "b")
    state.finish()
    sources = {"a": Watched("/a.csv", tmp_path / "reports")}
    alone = NightState(tmp_path / "night.json", NIGHT + DAY, sources)
    report(alone, NIGHT + DAY, "a")
    alone.finish()
    both = begin(tmp_path, NIGHT + 2 * DAY)
    assert both.since("a") == (NIGHT + DAY + REPORTED).isoformat()
    assert both.since("b") == (NIGHT + REPORTED).isoformat()


def state_with(**window: object) -> str:
    whole = {"day": "2026-01-09", "since": None, "page": "/a.html", "status": "warn", "rows": 5}
    windows = {"a": whole | window}
    return json.dumps({"finished": False, "began": NIGHT.isoformat(), "windows": windows})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"finished": true, "began": null, "windows": 3}',
        '{"finished": true, "began": null, "windows": {"a": null}}',
        '{"finished": true, "began": null, "windows": {"a": {}}}',
        '{"finished": "no", "began": null, "windows": {}}',
        '{"finished": false, "began": 7, "windows": {}}',
        '{"finished": false, "began": "yesterday", "windows": {}}',
        '{"finished": false, "began": null, "windows": {}}',
        state_with(day=20260109),
        state_with(day="the day before"),
        state_with(since=7),
        state_with(since="yesterday"),
        state_with(since="2026-01-09T12:00:00"),
        state_with(since="0001-01-01T00:00:00+00:00"),
        state_with(since="9999-12-31T23:59:59-12:00"),
        state_with(reported=7),
        state_with(reported="2026-01-09T12:00:00"),
        state_with(page=["/a.html"]),
        state_with(page="/a\0.html"),
        state_with(status="odd"),
        state_with(status=3),
        state_with(rows="5"),
        state_with(rows=-5),
        state_with(rows=1e300),
        state_with(rows=True),
    ],
)
def test_an_odd_file_is_set_aside_and_the_night_goes_on(tmp_path: Path, text: str) -> None:
    path = tmp_path / "night.json"
    path.write_text(text)
    state = begin(tmp_path, NIGHT + timedelta(hours=1))
    assert state.set_aside is not None and state.set_aside.read_text() == text
    assert state.set_aside.name.startswith("night.json.damaged-2026")
    assert (state.unfinished, state.since("a"), state.reported("a")) == (None, None, None)
    again = begin(tmp_path, NIGHT + timedelta(hours=2))
    assert (again.set_aside, again.unfinished) == (None, (NIGHT + timedelta(hours=1)).isoformat())


def test_what_a_night_leaves_is_not_set_aside(tmp_path: Path) -> None:
    (tmp_path / "night.json").write_text(state_with(of_a_later_version=1))
    state = begin(tmp_path, NIGHT)
    assert (state.set_aside, state.unfinished) == (None, NIGHT.isoformat())


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "night.json").mkdir()
    with pytest.raises(SettingsError, match=r"night\.json: cannot be read \(Is a directory\)"):
        begin(tmp_path, NIGHT)


def test_a_name_that_is_given_to_something_else_begins_anew(tmp_path: Path) -> None:
    first = begin(tmp_path, NIGHT)
    report(first, NIGHT, "a", "b")
    first.finish()
    sources = {"a": Watched("/elsewhere.csv", tmp_path), "b": Watched("/b.csv", tmp_path)}
    second = NightState(tmp_path / "night.json", NIGHT + DAY, sources)
    assert (second.since("a"), second.since("b")) == (None, (NIGHT + REPORTED).isoformat())
