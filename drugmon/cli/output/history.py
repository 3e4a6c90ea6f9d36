"""What `drugmon history` prints: tables with sparklines, JSON, and CSV."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from drugmon.cli.output.lines import print_json, write_csv_rows
from drugmon.cli.output.terminal import console, text
from drugmon.labels import LABELS, TARGETS

if TYPE_CHECKING:
    from drugmon.data.history.records import ReportRecord, RunRecord, TargetVerdicts
    from drugmon.workflows.history import History

BARS: Final = "▁▂▃▄▅▆▇█"
GAP: Final = "·"
WIDEST: Final = 60
STATUS_STYLES: Final = {"pass": "green", "warn": "yellow", "fail": "bold red"}


def print_history_json(history: History, *, runs_only: bool) -> None:
    """All that is recorded, times as ISO 8601 in UTC."""
    whole: dict[str, object] = {
        "history": str(history.database),
        "runs": list(map(asdict, history.runs)),
    }
    if not runs_only:
        whole["nights"] = list(map(asdict, history.nights))
    print_json({name: _readable(part) for name, part in whole.items()})


def print_history_csv(history: History, *, runs_only: bool) -> None:
    """A line a night, or a run where only those are asked for or there are no nights.

    Numbers of targets and checks are columns such as `overall.negative` and `drift.texts`; what was
    written or judged is `output.path`, `output.schema` and `output.table`.
    """
    nights = not runs_only and bool(history.nights)
    rows = [_flat(record) for record in (history.nights if nights else history.runs)]
    write_csv_rows(sys.stdout, rows)


def print_history(history: History, *, runs_only: bool) -> None:
    """The nights, what moved over them, and the runs."""
    screen = console()
    if history.nights and not runs_only:
        screen.print_table(_nights_table(history.nights))
        for subject in dict.fromkeys(night.subject for night in history.nights):
            of_subject = [night for night in history.nights if night.subject == subject]
            screen.print_table(_trends_table(subject[0], of_subject))
    if history.runs:
        screen.print_table(_runs_table(history.runs))


def sparkline(values: Sequence[float | None]) -> str:
    """One block a value, from the lowest of `values` to the highest; a dot where there is none.

    More than `WIDEST` values are averaged, so many to a block that they fit.
    """
    values = _averaged(values, math.ceil(len(values) / WIDEST))
    measured = [value for value in values if value is not None]
    if not measured:
        return GAP * len(values)
    low, span = min(measured), max(measured) - min(measured)
    top = len(BARS) - 1
    return "".join(
        GAP if value is None else BARS[round((value - low) / span * top) if span else top // 2]
        for value in values
    )


def _averaged(values: Sequence[float | None], size: int) -> list[float | None]:
    groups = (values[start : start + size] for start in range(0, len(values), max(size, 1)))
    measured = ([value for value in group if value is not None] for group in groups)
    return [sum(group) / len(group) if group else None for group in measured]


def _nights_table(nights: Sequence[ReportRecord]) -> Table:
    table = Table("night, UTC", "verdict", "reviews", "why", header_style="bold", box=SIMPLE_HEAD)
    table.columns[2].justify = "right"
    several = len({night.subject for night in nights}) > 1
    if several:
        table.add_column("source")
    for night in reversed(nights):
        status = text(
            night.status.replace("-", " ").upper(), STATUS_STYLES.get(night.status, "dim")
        )
        reasons = night.reasons
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        why = text(f"{reasons[0]}{more}" if reasons else "")
        source = [text(night.source)] if several else []
        table.add_row(f"{night.created_at:%Y-%m-%d %H:%M}", status, f"{night.rows:,}", why, *source)
    return table


def _trends_table(source: str, nights: Sequence[ReportRecord]) -> Table:
    columns = ("", "oldest to newest", "newest", "lowest", "highest")
    table = Table(*columns, header_style="bold", box=SIMPLE_HEAD, title=text(source))
    for column in table.columns[2:]:
        column.justify = "right"
    table.columns[1].no_wrap = True
    for name, values in _trends(nights):
        measured = [value for value in values if value is not None]
        figures = (values[-1], min(measured), max(measured))
        table.add_row(text(name), sparkline(values), *map(_figure, figures))
    return table


def _trends(nights: Sequence[ReportRecord]) -> Iterator[tuple[str, list[float | None]]]:
    """The numbers that are known of at least one night, by name."""
    yield "reviews", [float(night.rows) for night in nights]
    for target in reversed(TARGETS):
        numbers = [night.targets.get(target) for night in nights]
        for name in ("negative", "mean_confidence", "macro_f1", "estimated_macro_f1"):
            values = [
                _share(of, name) if name in LABELS else getattr(of, name, None) for of in numbers
            ]
            if any(value is not None for value in values):
                yield f"{target} {name}".replace("_", " ").replace("macro f1", "macro-F1"), values
    checks = [{check.name: check.effect for check in night.checks} for night in nights]
    for name in dict.fromkeys(name for night in checks for name in night):
        effects = [night.get(name) for night in checks]
        if any(effect is not None for effect in effects):
            yield name, effects


def _runs_table(runs: Sequence[RunRecord]) -> Table:
    counts = ["reviews", "scored", "reused", "empty"]
    if any(run.sent_on is not None for run in runs):
        counts.insert(2, "sent on")
    table = Table(
        *("run", "finished, UTC", *counts, "seconds", "negative", "adapter"),
        header_style="bold",
        box=SIMPLE_HEAD,
        title=text(f"Score runs, reviews: {sparkline([float(run.total) for run in runs])}"),
    )
    for column in table.columns[2:-1]:
        column.justify = "right"
    several = len({run.output for run in runs}) > 1
    if several:
        table.add_column("output")
    for run in reversed(runs):
        share = _share(run.targets.get("overall"), "negative")
        figures = {
            "reviews": run.total,
            "scored": run.scored,
            "sent on": run.sent_on,
            "reused": run.reused,
            "empty": run.empty,
        }
        table.add_row(
            text(run.run_id),
            f"{run.finished_at:%Y-%m-%d %H:%M}",
            *(_figure(figures[name]) for name in counts),
            f"{run.seconds:.1f}",
            "-" if share is None else f"{share:.0%}",
            text(run.adapter),
            *([text(run.output.name)] if several else []),
        )
    return table


def _share(counts: TargetVerdicts | None, label: str) -> float | None:
    total = sum(getattr(counts, name) for name in LABELS) if counts else 0
    return getattr(counts, label) / total if total else None


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3f}"


def _flat(record: RunRecord | ReportRecord) -> dict[str, object]:
    """One level: output, targets and checks become columns, lists become text."""
    nested = ("output", "targets", "checks")
    whole = asdict(record)
    flat = {name: _plain(cell) for name, cell in whole.items() if name not in nested}
    flat |= {f"output.{name}": _plain(cell) for name, cell in (whole["output"] or {}).items()}
    for target, numbers in whole["targets"].items():
        flat |= {f"{target}.{name}": cell for name, cell in numbers.items() if name != "target"}
    for check in whole.get("checks", ()):
        flat[check["name"]] = check["effect"]
        flat[f"{check['name']}.status"] = check["status"]
    return flat


def _readable(value: object) -> object:
    """The same with times as ISO 8601."""
    if isinstance(value, Mapping):
        return {name: _readable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(item) for item in value]
    return _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value))
    if isinstance(value, Path):
        return str(value)
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
