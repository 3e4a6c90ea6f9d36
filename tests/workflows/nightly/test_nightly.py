"""A night: sources are scored and reported whatever becomes of the others, and the worst counts.

Scoring is real, with the tiny adapter; reports are stand-ins that end as a test wants.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import duckdb
import pytest

from drugmon import signals
from drugmon.data.history.night_file import write_night
from drugmon.errors import SinkError, SourceError
from drugmon.monitoring.checks.record import report_record
from drugmon.monitoring.checks.summary import AREAS, Check, Side, Status, Summary, Volume
from drugmon.reports.attempts import ATTEMPTS, read_attempts
from drugmon.reports.keep import Keep
from drugmon.reports.retention import prune
from drugmon.workflows.nightly.config import load_nightly
from drugmon.workflows.nightly.nightly import Steps, nightly
from drugmon.workflows.nightly.notify import News
from drugmon.workflows.nightly.result import NightResult
from drugmon.workflows.report.config import Previous, ReportConfig
from drugmon.workflows.report.report import ReportResult


class Reports:
    """Stands in for the report workflow: `ends` says how the report of a source ends."""

    def __init__(self) -> None:
        self.asked: list[ReportConfig] = []
        self.pages: list[Path] = []
        self.ends: dict[str, Status | BaseException] = {}

    def __call__(self, config: ReportConfig, warn: Callable[[str], None]) -> ReportResult:
        self.asked.append(config)
        warn("a warning")
        name, out = config.pages.name, config.pages.out
        assert name is not None
        end = self.ends.get(name, Status.PASS)
        if isinstance(end, BaseException):
            raise end
        now, run = datetime.now(UTC), f"{len(self.asked):012x}"
        side = Side("night", 3, None)
        check = Check("balance", "balance.overall", "Overall", end, "more negative than usual")
        summary = Summary(
            run, now, name, "tiny", end, AREAS, 0.05, 30, side, None, Volume(3, 0), (check,)
        )
        page = out / f"{now:%Y-%m-%d}-{run}" / "index.html"
        self.pages.append(page)
        page.parent.mkdir(parents=True)
        page.write_text("page")
        page.with_name("summary.json").write_text(json.dumps(summary.to_dict()))
        write_night(
            report_record(summary, page.parent.name, None), page.with_name("night.json"), out
        )
        keep = config.pages.keep
        removed = prune(out, name, keep if isinstance(keep, Keep) else Keep(1))
        return ReportResult(summary, page, out / "index.html", removed)


class Job:
    """A job with three sources: a file, a table, and a glob of two files."""

    def __init__(
        self, folder: Path, adapter: Path, reviews: Any, to_csv: Any, steps: Steps
    ) -> None:
        self.folder, self._reviews, self._to_csv = folder, reviews, to_csv
        self.steps = steps
        self.settings = folder / "job.toml"
        for name in ("file.csv", "inbox/one.csv", "inbox/two.csv", "table.csv"):
            self.deliver(name)
        with duckdb.connect(folder / "reviews.duckdb") as connection:
            connection.execute(f"CREATE TABLE reviews AS FROM '{folder / 'table.csv'}'")
        self.write(
            '[[source]]\nsource = "file.csv"\n',
            '[[source]]\nsource = "reviews.duckdb"\ntable = "reviews"\n',
            '[[source]]\nsource = "inbox/*.csv"\nname = "inbox"\nout = "scored/"\n',
            adapter=adapter,
        )

    def deliver(self, name: str, mark: str = "") -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        self._to_csv(path, self._reviews(5, f"{name} {mark}"))

    def write(self, *sources: str, adapter: Path, more: str = "") -> None:
        named = (f'{source}adapter = "{adapter}"\n' for source in sources)
        self.settings.write_text("".join([*named, more]))

    def run(self) -> NightResult:
        return nightly(load_nightly(self.settings), log_bug=lambda: "bug.log", steps=self.steps)

    @property
    def log(self) -> str:
        return (self.folder / "nightly.log").read_text()


@pytest.fixture(name="reports")
def _reports() -> Reports:
    return Reports()


@pytest.fixture(name="told")
def _told() -> list[News]:
    return []


@pytest.fixture(name="job")
def _job(
    tmp_path: Path,
    adapter: Path,
    reviews: Any,
    to_csv: Any,
    reports: Reports,
    told: list[News],
) -> Job:
    steps = Steps(report=reports, notify=lambda _config, _folder, news: told.append(news))
    return Job(tmp_path, adapter, reviews, to_csv, steps)


def test_every_source_is_scored_and_reported(
    job: Job, reports: Reports, told: Sequence[News], adapter: Path
) -> None:
    result = job.run()
    assert (result.exit_code, result.outcome, result.gate) == (0, "ok", Status.PASS)
    assert result.line.startswith("ok sources=3 failed=0 scored=20 reused=0 gate=pass seconds=")
    assert result.line.endswith(f" pages={job.folder}/reports/index.html")
    sources = {config.pages.name: config for config in reports.asked}
    assert list(sources) == ["file", "reviews", "inbox"]
    assert sources["file"].source.path == f"{job.folder}/file.scored.csv"
    assert sources["reviews"].source.path == f"{job.folder}/reviews.duckdb"
    assert sources["reviews"].source.database.table == "reviews"
    assert sources["inbox"].source.path == f"{job.folder}/scored/*.scored.*"
    for night, config in zip(result.sources, reports.asked, strict=True):
        assert night.score is not None
        assert config.scoring.runs == (night.score.run_id,)
        assert (config.adapter, config.scoring.failures) == (str(adapter), ())
        assert config.window.since is None
        assert night.page is not None
        assert night.page.is_file()
    assert [(news.event, news.exit_code) for news in told] == [("start", None), ("success", 0)]
    assert told[-1].summary == result.line
    *_, last = job.log.splitlines()
    assert last.endswith(f"INFO drugmon nightly: {result.line}")
    assert "WARNING drugmon nightly: file: a warning" in job.log


def test_one_failing_source_does_not_keep_the_others_back(
    job: Job, reports: Reports, told: Sequence[News]
) -> None:
    job.run()
    (job.folder / "file.csv").unlink()
    job.deliver("inbox/one.csv", "new")
    told_before = len(told)
    result = job.run()
    assert (result.exit_code, result.outcome, result.failed) == (1, "failed", 1)
    file, table, inbox = result.sources
    assert (file.score, file.status) == (None, Status.PASS)
    (failure,) = file.failures
    assert failure == f"file was not scored: {job.folder}/file.csv: no such file; " + (
        "check the path, and quote a glob"
    )
    assert table.score is not None
    assert inbox.score is not None
    assert (table.score.scored, inbox.score.scored) == (0, 5)
    asked = reports.asked[-3:]
    assert [config.scoring.failures for config in asked] == [(failure,), (), ()]
    assert asked[0].scoring.runs == ()
    assert asked[0].source.path == f"{job.folder}/file.scored.csv"
    assert f"ERROR drugmon nightly: {failure}" in job.log
    start, end = told[told_before:]
    assert (start.event, end.event, end.status, end.exit_code) == ("start", "failure", "failed", 1)


@pytest.mark.parametrize(
    ("ends", "code", "outcome", "gate"),
    [
        ({"file": Status.WARN}, 0, "warn", "warn"),
        ({"file": Status.WARN, "inbox": Status.UNJUDGED}, 0, "warn", "warn"),
        ({"file": Status.FAIL, "inbox": Status.WARN}, 4, "failed", "fail"),
        ({"file": Status.FAIL, "inbox": SourceError("gone")}, 1, "failed", "fail"),
        ({"file": OSError(28, "No space left on device", "/x")}, 1, "failed", "pass"),
        ({"file": ZeroDivisionError("text"), "inbox": SourceError("gone")}, 3, "failed", "pass"),
        (dict.fromkeys(("file", "reviews", "inbox"), SourceError("x")), 1, "failed", "unjudged"),
    ],
)
def test_the_worst_that_happened_counts(
    job: Job, reports: Reports, ends: Any, code: int, outcome: str, gate: str
) -> None:
    reports.ends = ends
    result = job.run()
    assert (result.exit_code, result.outcome, str(result.gate)) == (code, outcome, gate)
    assert len(reports.asked) == 3
    assert result.line in job.log


def test_a_bug_in_one_source_is_kept_and_told_without_its_values(
    job: Job, reports: Reports
) -> None:
    reports.ends = {"file": ZeroDivisionError("a secret review")}
    job.run()
    says = "file was not reported: a bug in drugmon (ZeroDivisionError); the details are in bug.log"
    assert says in job.log
    assert "secret" not in job.log


def test_used_up_memory_is_no_bug(job: Job, reports: Reports) -> None:
    reports.ends = {"file": MemoryError("a secret review")}
    assert job.run().exit_code == 1
    assert "file was not reported: the memory is used up, or limited (ulimit -v, a" in job.log
    assert "secret" not in job.log


def test_reasons_stand_in_the_log(job: Job, reports: Reports) -> None:
    reports.ends = {"file": Status.FAIL}
    job.run()
    assert "WARNING drugmon nightly: file: more negative than usual" in job.log


def test_a_night_that_was_cut_off_is_gone_on_with(
    job: Job, reports: Reports, told: Sequence[News]
) -> None:
    reports.ends = {"reviews": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        job.run()
    assert (told[-1].event, told[-1].summary) == ("failure", "cut off: interrupted")
    assert "cut off, the next start goes on with this night: interrupted" in job.log
    first_page = reports.pages[0]
    reports.ends = {"file": Status.FAIL}
    again = job.run()
    assert [config.pages.name for config in reports.asked[2:]] == ["reviews", "inbox"]
    assert again.exit_code == 0, "the report of the file was made before"
    assert again.sources[0].page == first_page
    assert "going on with the night of" in job.log

    third = job.run()
    assert [config.pages.name for config in reports.asked[4:]] == ["file", "reviews", "inbox"]
    assert third.exit_code == 4


def test_what_is_new_since_the_cut_is_reported(job: Job, reports: Reports) -> None:
    reports.ends = {"reviews": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        job.run()
    reports.ends = {}
    job.deliver("file.csv", "new")
    job.run()
    assert [config.pages.name for config in reports.asked[2:]] == ["file", "reviews", "inbox"]


def test_old_reports_are_removed(job: Job, adapter: Path) -> None:
    job.write('[[source]]\nsource = "file.csv"\n', adapter=adapter, more="[report]\nkeep = 2\n")
    pages = [night.sources[0].page for night in (job.run(), job.run(), job.run())]
    assert [page is not None and page.exists() for page in pages] == [False, True, True]
    assert "file: removed the old report" in job.log


@pytest.mark.parametrize("window", ["all", "new"])
def test_verdicts_of_a_file_that_is_gone_are_told(job: Job, adapter: Path, window: str) -> None:
    """A report of all rows has them; one of new rows does not."""
    inbox = '[[source]]\nsource = "inbox"\nout = "scored/"\n'
    job.write(inbox, adapter=adapter, more=f'[report]\nwindow = "{window}"\n')
    job.run()
    assert "is behind it" not in job.log
    (job.folder / "inbox" / "two.csv").unlink()
    job.run()
    scored = job.folder / "scored" / "two.scored.csv"
    told = f"WARNING drugmon nightly: inbox: {scored}: no file of the source is behind it any more"
    assert (told in job.log) is (window == "all")


def test_a_window_that_is_a_span_goes_by_the_date_column(
    job: Job, reports: Reports, adapter: Path
) -> None:
    more = (
        '[report]\nwindow = "7d"\ndate_column = "date"\nreference = "previous:7"\ngate = "g.toml"'
    )
    (job.folder / "g.toml").write_text("alpha = 0.01\n")
    job.write('[[source]]\nsource = "file.csv"\n', adapter=adapter, more=more)
    job.run()
    (asked,) = reports.asked
    assert (asked.window.length, asked.window.since) == (timedelta(days=7), None)
    assert asked.source.date_column == "date"
    assert (asked.reference, asked.gate.alpha) == (Previous(7), 0.01)


@pytest.mark.parametrize("evidently", [True, False])
def test_reports_can_do_without_evidentlys_pages(
    job: Job, reports: Reports, adapter: Path, evidently: bool
) -> None:
    more = "" if evidently else "[report]\nevidently = false\n"
    job.write('[[source]]\nsource = "file.csv"\n', adapter=adapter, more=more)
    job.run()
    assert reports.asked[0].pages.evidently is evidently


def test_the_log_is_rotated(job: Job, adapter: Path) -> None:
    more = "[log]\nmax_mb = 0.001\nkeep = 2\n"
    job.write('[[source]]\nsource = "file.csv"\n', adapter=adapter, more=more)
    for _ in range(5):
        job.run()
    logs = sorted(path.name for path in job.folder.glob("nightly.log*"))
    assert logs == ["nightly.log", "nightly.log.1", "nightly.log.2"]
    assert all((job.folder / name).stat().st_size <= 1000 for name in logs)


def test_nothing_is_logged_through_a_symbolic_link(job: Job, reports: Reports) -> None:
    victim = job.folder / "victim"
    victim.write_text("precious")
    (job.folder / "nightly.log").symlink_to(victim)
    with pytest.raises(SinkError, match="is a symbolic link, through which drugmon writes nothing"):
        job.run()
    assert victim.read_text() == "precious" and not reports.asked


def test_a_full_disk_under_the_log_does_not_end_the_night(job: Job, adapter: Path) -> None:
    full = '[log]\nfile = "/dev/full"\n'
    job.write('[[source]]\nsource = "file.csv"\n', adapter=adapter, more=full)
    assert job.run().exit_code == 0


def index_of(job: Job) -> str:
    """What the index says, without its tags."""
    html = (job.folder / "reports" / "index.html").read_text()
    return " ".join(re.sub(r"<[^>]*>", " ", html[html.index("<main") :]).split())


def test_the_index_of_a_night_that_failed_says_so_first(job: Job, reports: Reports) -> None:
    job.run()
    assert "pass" in index_of(job)
    reports.ends = dict.fromkeys(("file", "reviews", "inbox"), SourceError("x.duckdb is locked"))
    result = job.run()
    assert result.exit_code == 1
    attempts = read_attempts(job.folder / "reports")
    assert [each.status for each in attempts] == [Status.PASS] * 3 + [None] * 3
    failed = attempts[-1]
    assert (failed.source, failed.page, failed.rows) == ("inbox", None, None)
    assert failed.failures == ("inbox was not reported: x.duckdb is locked",)
    assert failed.ended is not None
    said = index_of(job)
    for name in ("file", "reviews", "inbox"):
        assert f"{name} was not reported: x.duckdb is locked" in said
    html = (job.folder / "reports" / "index.html").read_text()
    assert html.count('<div class="latest fail">') == 3
    assert '<div class="latest pass">' not in html
    assert "<title>NO REPORT: " in html


def test_a_night_that_is_cut_off_leaves_an_entry(job: Job, reports: Reports) -> None:
    reports.ends = {"reviews": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        job.run()
    attempts = read_attempts(job.folder / "reports")
    assert {each.failures for each in attempts} == {("the night was cut off: interrupted",)}
    assert "the night was cut off: interrupted" in index_of(job)


def test_a_night_that_never_comes_to_its_end_has_begun(job: Job) -> None:
    seen = []

    def look(*_given: object, **_named: object) -> NoReturn:
        seen.append(index_of(job))
        raise SourceError("that is all")

    job.steps = replace(job.steps, score=look)
    job.run()
    assert "It began, and has not ended: it is at work, or it was killed." in seen[0]


def test_an_index_that_cannot_be_written_does_not_end_the_night(job: Job) -> None:
    (job.folder / "reports" / ATTEMPTS).mkdir(parents=True)
    assert job.run().exit_code == 0
    assert "WARNING drugmon nightly: the index of all nights does not tell of this one: " in job.log


def test_a_night_that_is_asked_to_end_does_not_go_on(job: Job, reports: Reports) -> None:
    """Also where a library made an error of the signal, as DuckDB does within a query."""
    before = signal.getsignal(signal.SIGTERM)
    signals.install()

    with contextlib.suppress(signals.Terminated):
        os.kill(os.getpid(), signal.SIGTERM)
    try:
        with pytest.raises(signals.Terminated):
            job.run()
    finally:
        signals.install()
        signal.signal(signal.SIGTERM, before)
    assert reports.asked == []
    attempts = read_attempts(job.folder / "reports")
    assert {each.failures for each in attempts} == {("the night was cut off: Terminated",)}
