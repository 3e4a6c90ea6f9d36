"""Report: compare scored reviews with a reference, judge them, write the page and the history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from drugmon.data.history.files import read_history
from drugmon.data.history.output import Output
from drugmon.errors import DrugmonError
from drugmon.monitoring.checks.summary import Status, Summary
from drugmon.reports.analysts.pages import write_analyst_pages
from drugmon.reports.analysts.process import AnalystProcess
from drugmon.reports.keep import Keep
from drugmon.reports.retention import prune
from drugmon.workflows.report.config import ReportConfig
from drugmon.workflows.report.folder import (
    record_pages,
    sample_sides,
    write_report_index,
    write_report_page,
)
from drugmon.workflows.report.judge import judge
from drugmon.workflows.report.options import PageOptions
from drugmon.workflows.report.sides import open_source


@dataclass(frozen=True)
class ReportResult:
    """The report's numbers, its page `<out>/<date>-<run>/index.html`, and the index of all.

    `removed` are the folders of old reports that went.

    Example:
        >>> import drugmon, polars
        >>> reviews = polars.DataFrame({"id": [1, 2], "review": ["It helped me.", "Useless."]})
        >>> reviews.write_csv("two.csv")
        >>> written = drugmon.score("two.csv")
        >>> result = drugmon.report(written.outputs[0], evidently=False)
        >>> result.summary.volume.rows, result.page.name, result.index.name
        (2, 'index.html', 'index.html')
    """

    summary: Summary
    page: Path
    index: Path
    removed: Sequence[Path] = ()

    @property
    def failed(self) -> bool:
        """Whether the gate failed: exit code 4."""
        return self.summary.status is Status.FAIL


def report(
    config: ReportConfig,
    *,
    on_progress: Callable[[str], None] = lambda _step: None,
    warn: Callable[[str], None] = lambda _warning: None,
) -> ReportResult:
    """Judge what `config` names and write its page, `summary.json` and history.

    Args:
        config: what, against what, and where to.
        on_progress: told what is being done, a few words at a time.
        warn: told of what the user should know although the report goes on.

    Raises:
        DrugmonError: any expected failure; no page folder is left half-written.
    """
    now, pages = config.now or datetime.now(UTC), config.pages
    on_progress("reading")
    with AnalystProcess() if pages.evidently else nullcontext() as analysts:
        with open_source(config.source) as source:
            judged = judge(config, source, now, on_progress)
            sample = None
            if analysts:
                on_progress("sampling rows for evidently")
                sample = sample_sides(
                    judged.rows, judged.reference_rows, judged.grading, judged.profile
                )
        on_progress("writing the page")
        write_analysts = analysts.write if analysts else write_analyst_pages
        page = write_report_page(judged.summary, source.output, pages.out, sample, write_analysts)
    database, note = source.past.database, source.past.note
    try:
        subject = (judged.summary.source, source.output)
        record_pages(
            pages.out,
            database,
            lambda record: record.subject == subject,
            config.source.database.lock_timeout,
            warn,
        )
        nights = read_history(database, config.source.database.lock_timeout).reports
    except DrugmonError as error:
        warn(f"the report is not in the history: {error}")
        nights = []
    if note and not nights:
        warn(note)
    # Before the index is written, as it links the pages that are there.
    removed = _remove_old(pages, judged.summary.source, source.output, warn)
    index = write_report_index(nights, pages.out, now)
    return ReportResult(judged.summary, page, index, removed)


def _remove_old(
    pages: PageOptions, source: str, output: Output, warn: Callable[[str], None]
) -> Sequence[Path]:
    if pages.keep is None:
        return []
    keep = Keep(pages.keep) if isinstance(pages.keep, int) else pages.keep
    try:
        return prune(pages.out, source, keep, output)
    except OSError as error:
        warn(f"old reports cannot be removed: {error.filename}: {error.strerror}")
        return []
