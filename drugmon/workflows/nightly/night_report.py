"""Which report a night makes of a source: of what the source's scoring writes, in its window."""

from __future__ import annotations

from dataclasses import replace

from drugmon.data.options import VerdictOptions
from drugmon.data.sources import FileSource
from drugmon.data.stores.uri import parse_location
from drugmon.data.textformat import TextFormat
from drugmon.workflows.nightly.config import Task
from drugmon.workflows.nightly.result import SourceNight
from drugmon.workflows.nightly.written import has_several, scored_source
from drugmon.workflows.report.config import ReportConfig, Scoring, read_options
from drugmon.workflows.report.options import ReportOptions, WindowOptions
from drugmon.workflows.score.config import ScoreConfig


def night_report_config(
    task: Task, night: SourceNight, since: str | None, report_id: str
) -> ReportConfig:
    """Return what to report of `task`.

    Args:
        task: the source.
        night: how its scoring went.
        since: where its window begins; None for all rows.
        report_id: of the report.
    """
    scored, settings = task.score, task.report
    span = settings.window if settings.window not in ("new", "all") else None
    judgement = settings.judgement
    options = ReportOptions(
        source=scored_source(scored),
        database=scored.database,
        verdicts=VerdictOptions(scored.prefix),
        adapter=scored.model.adapter,
        window=WindowOptions(since=since if settings.window == "new" else None, last=span),
        judgement=replace(judgement, date_column=judgement.date_column if span else None),
        pages=replace(settings.pages, name=task.name),
        history=scored.history,
        folders=scored.folders,
        reading=replace(scored.reading, text_format=_text_format(scored)),
        grading=scored.grading,
    )
    runs = (night.score.run_id,) if night.score else ()
    scoring = Scoring(runs, tuple(night.failures))
    return read_options(options, scoring=scoring, report_id=report_id)


def _text_format(scored: ScoreConfig) -> TextFormat:
    """How the output of a score run is read."""
    if scored.database.table or scored.cluster.is_remote:
        return TextFormat()
    if has_several(scored):  # each output has its source's format
        return replace(scored.reading.text_format, encoding=None)
    source, target = map(parse_location, (scored.source, scored_source(scored)))
    return scored.reading.text_format.of_output(FileSource.of(source), FileSource.of(target))
