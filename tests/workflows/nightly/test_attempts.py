"""A night that cannot begin is told where its pages are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from drugmon.cli.main import cli
from drugmon.reports.attempts import Attempt, read_attempts, write_attempts

BEGAN = datetime(2026, 1, 1, 3, tzinfo=UTC)


def earlier(folder: Path, job: str = "nightly") -> None:
    """Two nights: on the newer one the job had two sources."""
    nights = [("a" * 12, BEGAN, ["old"]), ("b" * 12, BEGAN + timedelta(days=1), ["one", "two"])]
    for night, began, sources in nights:
        write_attempts(
            folder, [Attempt(night, job, source, began, 24.0, ended=began) for source in sources]
        )


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ('[[source]]\nsource = "r.csv"\nadapte = "x"\n', "reports"),
        ('[report]\nout = "pages"\nkeep = 0\n[[source]]\nsource = "r.csv"\n', "pages"),
        ("this is no TOML", "reports"),
    ],
)
def test_wrong_settings_are_an_attempt_of_every_source(tmp_path: Path, text: str, out: str) -> None:
    settings, folder = tmp_path / "nightly.toml", tmp_path / out
    settings.write_text(text)
    folder.mkdir()
    earlier(folder)
    done = CliRunner().invoke(cli, ["nightly", str(settings)])
    assert done.exit_code == 1
    attempts = read_attempts(folder)[3:]
    assert {attempt.source for attempt in attempts} == {"one", "two"}
    assert all(attempt.failures == (str(done.exception),) for attempt in attempts)
    assert all(attempt.ended and attempt.status is None for attempt in attempts)
    assert str(settings) in (folder / "index.html").read_text()


def test_of_a_job_without_a_night_nothing_is_told(tmp_path: Path) -> None:
    settings, folder = tmp_path / "nightly.toml", tmp_path / "reports"
    settings.write_text("[report]\nkeep = 0\n")
    assert CliRunner().invoke(cli, ["nightly", str(settings)]).exit_code == 1
    assert not folder.exists()
    folder.mkdir()
    earlier(folder, job="another")
    CliRunner().invoke(cli, ["nightly", str(settings)])
    assert len(read_attempts(folder)) == 3


def test_a_check_leaves_nothing(tmp_path: Path) -> None:
    settings, folder = tmp_path / "nightly.toml", tmp_path / "reports"
    settings.write_text("[report]\nkeep = 0\n")
    folder.mkdir()
    earlier(folder)
    assert CliRunner().invoke(cli, ["nightly", str(settings), "--check"]).exit_code == 1
    assert len(read_attempts(folder)) == 3
