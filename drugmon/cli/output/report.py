"""What `drugmon report` prints: the verdict with its reasons, and a last line for grep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from drugmon.cli.output.lines import print_json, say
from drugmon.cli.output.terminal import Screen, console, text

if TYPE_CHECKING:
    from drugmon.monitoring.checks.summary import Check, Summary
    from drugmon.workflows.report.report import ReportResult

STYLES: Final = {
    "pass": "green",
    "warn": "yellow",
    "fail": "bold red",
    "unjudged": "dim",
    "unclear": "blue",
}


def print_report(result: ReportResult, *, as_json: bool, quiet: bool, explain: bool) -> None:
    """The status and why; its last line begins with `drugmon report: ` and the status.

    Args:
        result: the report.
        as_json: as one line of JSON instead.
        quiet: print nothing else.
        explain: with every check and its reasons.
    """
    summary = result.summary
    if as_json:
        return print_json({**summary.to_dict(), "page": str(result.page)})
    out = console()
    if explain:
        _explain(summary, out)
    if quiet:
        return None
    for reason in summary.reasons:
        out.print(text(f"- {reason}"))
    say(f"wrote {result.page}")
    say(
        f"drugmon report: {summary.status} run={summary.run_id} adapter={summary.adapter} "
        f"rows={summary.volume.rows} empty={summary.volume.empty} "
        f"failed={_count(summary, 'fail')} warned={_count(summary, 'warn')}"
    )
    return None


def _explain(summary: Summary, out: Screen) -> None:
    """Every check as a row, and what was left out."""
    title = f"{summary.source}: {summary.current.told}"
    if summary.reference is not None:
        title += f" against {summary.reference.told}"
    table = Table(
        "",
        "check",
        "what was found",
        "effect",
        "warn",
        "fail",
        "p, corrected",
        title=text(title),
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    for check in summary.checks:
        table.add_row(*_cells(check))
    out.print_table(table)
    for sentence in summary.left_out:
        out.print(text(f"left out: {sentence}", style="dim"))


def _cells(check: Check) -> list[Text | str]:
    from drugmon.monitoring.checks.told import told_effect, told_limit

    return [
        text(str(check.status), style=STYLES[check.status]),
        text(check.title),
        text(check.says),
        told_effect(check),
        told_limit(check, check.warn_at),
        told_limit(check, check.fail_at),
        _p_value(check.p_adjusted),
    ]


def _p_value(value: float | None) -> str:
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _count(summary: Summary, status: str) -> int:
    return sum(check.status == status for check in summary.checks)
