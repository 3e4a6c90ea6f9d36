"""A night that cannot begin is told where its pages are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from drugmon.cli.main import cli
from drugmon.data.history.files import read_history
from drugmon.reports.attempts import Attempt, read_attempts, write_attempts
from drugmon.workflows.nightly.attempts import history_of_task
from drugmon.workflows.nightly.config import load_nightly
from drugmon.workflows.score.score import score

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


@pytest.mark.parametrize(
    ("source", "more"),
    [
        ("a/r.csv", ""),
        ("a", ""),
        ("*/r.csv", ""),
        ("a/r.csv", 'out = "o/"'),
        ("lake", "partitions = true"),
        ("lake", 'out = "o/"\npartitions = true'),
        ("lake/*/r.csv", 'out = "o/"\npartitions = true'),
        ("lake/*/r.csv", "partitions = true"),
        ("lake/year=2026/r.csv", 'out = "o/"\npartitions = true'),
    ],
)
def test_the_history_of_a_source_is_that_of_its_runs(
    tmp_path: Path, adapter: Path, source: str, more: str
) -> None:
    """An index that knows of another one forgets the nights whose pages are gone."""
    for folder in ("a", "b", "lake/year=2025", "lake/year=2026"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "r.csv").write_text("review\ngood\n")
    settings = tmp_path / "job.toml"
    settings.write_text(f'[[source]]\nsource = "{source}"\nadapter = "{adapter}"\n{more}\n')
    (task,) = load_nightly(settings).tasks
    assert not history_of_task(task).exists()
    score(task.score)
    assert read_history(history_of_task(task)).runs
