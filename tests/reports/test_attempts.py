"""The attempts of nightly jobs beside the pages: what was written is read, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drugmon.errors import SinkError
from drugmon.monitoring.checks.summary import Status
from drugmon.reports.attempts import ATTEMPTS, Attempt, read_attempts, write_attempts

# A night that follows within the second comes after the one before, too.
BEGAN = datetime(2026, 11, 26, 3, 15, 1, 250_000, tzinfo=UTC)
OPEN = Attempt("0123456789ab", "job", "reviews", BEGAN, 24.0)
ENDED = replace(
    OPEN,
    ended=BEGAN + timedelta(minutes=2),
    status=Status.FAIL,
    page="2026-11-26-0123456789ab",
    rows=7,
    failures=("reviews was not scored: the table is gone",),
)


def test_the_last_word_on_an_attempt_counts(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    assert read_attempts(folder) == []
    other = replace(OPEN, source="others", began=BEGAN + timedelta(seconds=1))
    write_attempts(folder, [other, OPEN])
    assert read_attempts(folder) == [OPEN, other]
    write_attempts(folder, [ENDED])
    assert read_attempts(folder) == [ENDED, other]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "5",
        "null",
        "[" * 20_000,
        '{"attempt": "x"}',
        '{"attempt": 1, "job": "j", "source": "s", "began": "2026-11-26T03:15:00+00:00", '
        '"every_hours": 24, "ended": null, "status": null, "page": null, "rows": null, '
        '"failures": []}',
    ],
)
def test_a_line_that_is_no_attempt_is_left_out(tmp_path: Path, line: str) -> None:
    write_attempts(tmp_path, [OPEN])
    with (tmp_path / ATTEMPTS).open("a") as file:
        file.write(line)  # without an end, as a full disk leaves it
    write_attempts(tmp_path, [replace(ENDED, attempt="b" * 12)])
    assert [attempt.attempt for attempt in read_attempts(tmp_path)] == [OPEN.attempt, "b" * 12]


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("began", '"2026-11-26T03:15:00"'),
        ("began", '"yesterday"'),
        ("every_hours", '"often"'),
        ("status", '"fine"'),
        ("rows", '"7"'),
        ("failures", '"gone"'),
        ("failures", "[1]"),
    ],
)
def test_a_value_of_another_kind_makes_no_attempt(tmp_path: Path, key: str, wrong: str) -> None:
    write_attempts(tmp_path, [OPEN])
    path = tmp_path / ATTEMPTS
    before, _, rest = path.read_text().partition(f'"{key}": ')
    rest = rest[rest.index("]") :] if key == "failures" else rest[len(rest.split(", ")[0]) :]
    path.write_text(f'{before}"{key}": {wrong}{rest.removeprefix("]")}')
    assert read_attempts(tmp_path) == []


def test_a_page_elsewhere_is_no_page(tmp_path: Path) -> None:
    write_attempts(tmp_path, [replace(ENDED, page="../../etc")])
    (attempt,) = read_attempts(tmp_path)
    assert attempt.page is None


def test_old_attempts_go(tmp_path: Path) -> None:
    for night in range(13):
        began = BEGAN + timedelta(days=night)
        write_attempts(tmp_path, [replace(OPEN, attempt=f"{night:012x}", began=began)], keep=3)
    kept = read_attempts(tmp_path)
    assert [attempt.attempt for attempt in kept] == [f"{night:012x}" for night in range(10, 13)]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine\n")
    (tmp_path / ATTEMPTS).symlink_to(victim)
    with pytest.raises((SinkError, OSError)):
        write_attempts(tmp_path, [OPEN])
    assert victim.read_text() == "mine\n"
