"""Nightly: score every source, report every source, gate; under one lock, told to others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from drugmon import signals
from drugmon.data.lock import lock_file
from drugmon.errors import NO_MEMORY, DrugmonError, is_out_of_memory
from drugmon.workflows.nightly.attempts import NightAttempts, history_of_task, output_of
from drugmon.workflows.nightly.config import NightlyConfig, Task
from drugmon.workflows.nightly.log import LAST, NAME, log_file
from drugmon.workflows.nightly.night_report import night_report_config
from drugmon.workflows.nightly.notify import News, notify
from drugmon.workflows.nightly.result import NightResult, SourceNight
from drugmon.workflows.nightly.settings import Notify
from drugmon.workflows.nightly.state import NightState, Watched
from drugmon.workflows.nightly.written import left_behind
from drugmon.workflows.report.folder import record_pages
from drugmon.workflows.report.report import ReportResult, report
from drugmon.workflows.score.run import ScoreProgress
from drugmon.workflows.score.score import ScoreResult, score

_log = logging.getLogger(NAME)


@dataclass(frozen=True)
class Steps:
    """What a night does with a source and at its ends.

    Args:
        score: scores a source, as `workflows.score.score.score` does.
        report: judges a source, as `workflows.report.report.report` does.
        notify: tells others how the night goes, as `workflows.nightly.notify.notify` does.
    """

    score: Callable[..., ScoreResult] = score
    report: Callable[..., ReportResult] = report
    notify: Callable[[Notify, Path, News], None] = notify


def nightly(
    config: NightlyConfig,
    *,
    log_bug: Callable[[], object],
    on_progress: Callable[[ScoreProgress], None] = lambda _progress: None,
    steps: Steps | None = None,
) -> NightResult:
    """Run one night: each source is scored and reported, whatever becomes of the others.

    What happens is said to the logger `drugmon.nightly`, and to the job's log file.

    Args:
        config: the job.
        log_bug: keeps the traceback of the exception at hand, and returns where.
        on_progress: called after every batch that is scored.
        steps: what the night is made of; None for what it does by default.

    Raises:
        RunningError: another run of the job did not end within `job.lock_wait`.
        SettingsError, SinkError: the job's lock, state or log cannot be used.
    """
    steps = steps or Steps()
    lock = config.state / f"{config.name}.lock"
    busy = f"the job {config.name} is running; wait for it, or let job.lock_wait be longer"
    log = config.path(config.log.file)
    with lock_file(lock, config.job.lock_wait, busy), log_file(config.log, log):
        attempts = NightAttempts(config)
        attempts.begin()
        try:
            result = _Night(config, log_bug, on_progress, steps).run()
        except BaseException as error:
            reason = _cause(error)
            attempts.cut_off(reason)
            _log.error("cut off, the next start goes on with this night: %s", reason)
            cut_off = News("failure", "failed", summary=f"cut off: {reason}")
            steps.notify(config.notify, config.folder, cut_off)
            raise
        attempts.end(result.sources)
        _log.log(logging.ERROR if result.exit_code else logging.INFO, "%s", result.line, extra=LAST)
        event = "failure" if result.exit_code else "success"
        end = News(event, result.outcome, result.exit_code, result.line, str(result.pages))
        steps.notify(config.notify, config.folder, end)
    return result


class _Night:
    """The steps of one night."""

    def __init__(
        self,
        config: NightlyConfig,
        log_bug: Callable[[], object],
        on_progress: Callable[[ScoreProgress], None],
        steps: Steps,
    ) -> None:
        self._config, self._log_bug, self._on_progress = config, log_bug, on_progress
        self._steps = steps

    def run(self) -> NightResult:
        """Score all, report all."""
        began, config = time.monotonic(), self._config
        sources = {
            task.name: Watched(output_of(task), task.report.pages.out) for task in config.tasks
        }
        state = NightState(config.state / f"{config.name}.night.json", datetime.now(UTC), sources)
        if state.set_aside:
            _log.warning(
                "%s.night.json was none that a night leaves and is now %s; the reports cover all "
                "rows, as on a first night",
                config.name,
                state.set_aside,
            )
        if state.unfinished:
            _log.warning("going on with the night of %s, which was cut off", state.unfinished)
        _log.info("night begins: %s", ", ".join(sources))
        self._steps.notify(config.notify, config.folder, News("start"))
        nights = [SourceNight(name) for name in sources]
        for task, night in zip(config.tasks, nights, strict=True):
            with self._keeping(night, "scored"):
                self._score(task, night)
        for task, night in zip(config.tasks, nights, strict=True):
            with self._keeping(night, "reported"):
                self._report(task, night, state)
        state.finish()
        pages = config.pages / "index.html"
        return NightResult(tuple(nights), pages, time.monotonic() - began)

    @contextmanager
    def _keeping(self, night: SourceNight, what: str) -> Iterator[None]:
        """Take a step of one source: its failure is kept, and does not end the night."""
        try:
            yield
            signals.check()
            return
        except Exception as error:
            signals.check()
            if isinstance(error, DrugmonError):
                reason = str(error)
            elif isinstance(error, OSError):
                reason = f"{error.filename or 'the system'}: {error.strerror or error}"
            elif is_out_of_memory(error):
                reason = NO_MEMORY
            else:
                night.bug = True
                kind, log = type(error).__name__, self._log_bug()
                reason = f"a bug in drugmon ({kind}); the details are in {log}"
        night.failures.append(f"{night.name} was not {what}: {' '.join(reason.split())}")
        _log.error("%s", night.failures[-1])

    def _score(self, task: Task, night: SourceNight) -> None:
        night.score = self._steps.score(
            task.score,
            on_progress=self._on_progress,
            warn=lambda warning: _log.warning("%s: %s", night.name, warning),
        )
        done = night.score
        for failure in done.failures:
            night.failures.append(f"{night.name} was not scored whole: {' '.join(failure.split())}")
            _log.error("%s", night.failures[-1])
        sent_on = "" if done.sent_on is None else f" sent_on={done.sent_on}"
        _log.info(
            f"{night.name}: run={done.run_id} adapter={done.adapter} total={done.total} "
            f"scored={done.scored}{sent_on} reused={done.reused} empty={done.empty} "
            f"seconds={done.seconds:.1f}"
        )
        if task.report.window != "new" and not night.failures:
            _warn_of_left_behind(night.name, left_behind(task.score, done.outputs))

    def _report(self, task: Task, night: SourceNight, state: NightState) -> None:
        def warn(warning: str) -> None:
            _log.warning("%s: %s", night.name, warning)

        earlier = state.reported(night.name)
        if earlier is not None and night.score and not night.score.scored:
            night.page, night.status, night.rows = earlier
            _log.info("%s: was reported before the night was cut off", night.name)
            record_pages(
                task.report.pages.out,
                history_of_task(task),
                lambda record: record.source == task.name,
                task.score.database.lock_timeout,
                warn,
            )
            return
        since = state.since(night.name)
        report_id = state.begin_report(night.name, whole=not night.failures)
        config = night_report_config(task, night, since, report_id)
        result = self._steps.report(config, warn=warn)
        summary = result.summary
        night.page, night.status, night.rows = result.page, summary.status, summary.volume.rows
        state.report(night.name, night.page, night.status, night.rows, summary.created_at)
        _log.info("%s: report %s %s", night.name, night.status, night.page)
        for folder in result.removed:
            _log.info("%s: removed the old report %s", night.name, folder.name)
        for reason in summary.reasons:
            _log.warning("%s: %s", night.name, reason)


def _warn_of_left_behind(name: str, files: Sequence[str]) -> None:
    if files:
        more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
        _log.warning(
            "%s: %s%s: no file of the source is behind it any more; the report takes its rows "
            "too, remove it if they are to go",
            name,
            files[0],
            more,
        )


def _cause(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return str(error) if isinstance(error, DrugmonError) else type(error).__name__
