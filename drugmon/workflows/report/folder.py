"""The folder of a report: built aside and moved into place whole, with `summary.json` in it."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

from drugmon.data.history.files import record_report
from drugmon.data.history.night_file import read_night, write_night
from drugmon.data.history.output import Output
from drugmon.data.history.records import ReportRecord
from drugmon.data.queries import Sql, statement
from drugmon.data.verdicts.atomic import building
from drugmon.data.verdicts.scored import GRADES, TEXTS, Scored
from drugmon.grading import Grading
from drugmon.labels import TARGETS, TEACHERS_OF_TARGET
from drugmon.monitoring.checks.record import report_record
from drugmon.monitoring.checks.summary import Summary
from drugmon.monitoring.profiles.aggregate import label_of
from drugmon.monitoring.profiles.names import are_texts, name_key
from drugmon.monitoring.profiles.reference import Profile
from drugmon.reports.attempts import Attempt, read_attempts
from drugmon.reports.retention import NIGHT, SUMMARY, UNRECORDED
from drugmon.wording import LIKE_TEXT

if TYPE_CHECKING:
    import pandas as pd

    from drugmon.reports.analysts.evidently_reports import EvidentlyInput
    from drugmon.reports.morning import WriteAnalysts

SAMPLE_ROWS: Final = 3000
"""Rows of a side that evidently sees."""

_NAMES: Final = ("drug", "condition")


def write_report_page(
    summary: Summary,
    output: Output,
    out: Path,
    sample: EvidentlyInput | None,
    write_analysts: WriteAnalysts,
) -> Path:
    """Write `<out>/<date>-<run>/` and return the path of its page.

    Args:
        summary: the report.
        output: what was judged.
        out: the folder of all reports.
        sample: some rows, for evidently's pages; None where there are none.
        write_analysts: writes those pages.

    Raises:
        SinkError: the folder cannot be written; nothing of it is left.
    """
    from drugmon.reports.morning import write_page

    folder = out / f"{summary.created_at.astimezone(UTC):%Y-%m-%d}-{summary.run_id}"
    with building(folder) as aside:
        write_page(summary, aside, sample, write_analysts)
        text = json.dumps(summary.to_dict(), ensure_ascii=False, allow_nan=False, indent=1)
        (aside / SUMMARY).write_text(text + "\n", encoding="utf-8")
        write_night(report_record(summary, folder.name, output), aside / NIGHT, out)
        (aside / UNRECORDED).touch()
    return folder / "index.html"


def record_pages(
    out: Path,
    database: Path,
    is_ours: Callable[[ReportRecord], bool],
    lock_timeout: float,
    warn: Callable[[str], None],
) -> None:
    """Record the reports in `out` that no history has yet: the newest, and those of killed runs.

    Args:
        out: the folder of all reports.
        database: the history that takes them.
        is_ours: whether a report belongs there.
        lock_timeout: seconds to wait while another process has the history open.
        warn: told of what cannot be read, and of a damaged history.

    Raises:
        SinkError, SourceError, BusyError: as `record_report`; the next call records them.
    """
    for marker in sorted(out.glob(f"*/{UNRECORDED}")):
        night = marker.with_name(NIGHT)
        try:
            record = read_night(night, out)
        except (OSError, ValueError):
            warn(f"{night}: not what a report left there, so that no history has it; remove it")
            continue
        if is_ours(record) and record.page == marker.parent.name:
            record_report(record, database, lock_timeout, warn=warn)
            marker.unlink(missing_ok=True)


def page_of(out: Path, report_id: str) -> ReportRecord | None:
    """The record of the report with this id whose page lies in `out`; None where there is none."""
    for night in out.glob(f"????-??-??-{escape(report_id)}/{NIGHT}"):
        with contextlib.suppress(OSError, ValueError):
            return read_night(night, out)
    return None


def write_report_index(
    nights: Sequence[ReportRecord], out: Path, now: datetime | None = None
) -> Path:
    """Write `<out>/index.html`, the trends over all reports.

    Beside `nights`, those of a history, it has what lies in `out` and is in another history, and
    what nightly jobs attempted. Ages go by `now`, None for the clock's.

    Raises:
        SinkError: it cannot be written.
    """
    from drugmon.reports.night_links import link_nights
    from drugmon.reports.trends import write_index

    recorded = {night.report_id for night in nights}
    others = [night for night in _nights_in(out) if night.report_id not in recorded]
    write_index([*nights, *others], out, _attempts_in(out), now)
    link_nights([*nights, *others], out)
    return out / "index.html"


def _nights_in(out: Path) -> Iterator[ReportRecord]:
    """The nights of the reports in `out`, but those that cannot be read."""
    for path in sorted(out.glob(f"*/{NIGHT}")):
        with contextlib.suppress(OSError, ValueError):
            yield read_night(path, out)


def _attempts_in(out: Path) -> list[Attempt]:
    with contextlib.suppress(OSError):
        return read_attempts(out)
    return []


def sample_sides(
    current: Scored,
    reference: Scored | None,
    grading: Grading,
    profile: Profile | None = None,
) -> EvidentlyInput | None:
    """Rows of both sides without their texts, for evidently; None where there is no row.

    Args:
        current: rows of the window.
        reference: rows of what it is compared with; None where it has a profile only.
        grading: what the graded columns mean.
        profile: the reference's, where it has no rows.
    """
    from drugmon.reports.analysts.evidently_reports import ClassTask, EvidentlyInput

    sample = _sample(current, grading)
    if not len(sample):
        return None
    other = None if reference is None else _sample(reference, grading)
    names = [str(name) for name in sample.columns if sample[name].notna().any()]
    return EvidentlyInput(
        current=sample,
        reference=other if other is not None and len(other) else None,
        numerical=tuple(n for n in names if n.endswith(("_confidence", "_characters"))),
        categorical=tuple(n for n in names if n.endswith("_sentiment") or n in _NAMES),
        tasks=tuple(
            ClassTask(target, f"{target}_true", f"{target}_sentiment")
            for target in TARGETS
            if f"{target}_true" in names and f"{target}_sentiment" in names
        ),
        profile=profile,
    )


def _sample(scored: Scored, grading: Grading) -> pd.DataFrame:
    """Labels, confidences, lengths, names and true labels of some rows."""
    import pandas as pd

    verdicts = [f"{target}_{part}" for target in TARGETS for part in ("sentiment", "confidence")]
    grades = [name for name in GRADES if name in scored.has]
    names = [name for name in _NAMES if name in scored.has]
    texts = [name for name in TEXTS if name in scored.has]
    lengths = [
        Sql(statement("length_of", text=name, as_name=f"{name}_characters")) for name in texts
    ]
    count = scored.rows("count_rows")[0][0]
    sql = statement(
        "sample_rows",
        view=scored.view,
        columns=[*verdicts, *lengths, *names, *grades],
        condition=Sql("true"),
    )
    rows = scored.execute(sql, {"parts": max(1, count // (2 * SAMPLE_ROWS)), "most": SAMPLE_ROWS})
    columns = [*verdicts, *(f"{name}_characters" for name in texts), *names, *grades]
    frame = pd.DataFrame(rows, columns=columns)
    for name in names:
        frame[name] = _told(frame[name].tolist())
    for target, teachers in TEACHERS_OF_TARGET.items():
        if there := [name for name in teachers if name in grades]:
            cells = frame[there[0]]
            frame[f"{target}_true"] = [label_of(grading, there[0], cell) for cell in cells]
    return frame.drop(columns=grades)


def _told(values: list[str | None]) -> list[str | None]:
    """A column's names as evidently's pages may show them: what looks like text is not told."""
    keys = [name_key(value) for value in values]
    hidden = are_texts(Counter(keys))
    return [
        value if key is None or (key != LIKE_TEXT and not hidden) else LIKE_TEXT
        for value, key in zip(values, keys, strict=True)
    ]
