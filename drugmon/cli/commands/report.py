"""The command that judges scored reviews: report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from drugmon.cli.options import (
    grading_choice,
    grading_options,
    listed,
    output_options,
    source_options,
)

GATE_FAILED = 4
"""The exit code of a report whose gate failed."""


@click.command()
@click.argument("source")
@click.option("--table", metavar="NAME", help="The scored table of a DuckDB database.")
@click.option("--adapter", help="The adapter that judged.  [default: the one that the rows name]")
@click.option(
    "--reference",
    default="adapter",
    metavar="adapter|previous:N|PATH",
    help="Compare with the adapter's held-out reviews, the N runs before, or scored reviews.",
)
@click.option("--since", metavar="DATE", help="Only rows from this day or time on.")
@click.option("--until", metavar="DATE", help="Only rows before this day or time.")
@click.option("--last", metavar="TIME", help="Only the last 36h, 7d or 2w.")
@click.option("--run", metavar="ID", help="Only rows that this run scored; last is the newest.")
@click.option(
    "--date-column", metavar="COLUMN", help="What dates a row.  [default: when it was scored]"
)
@click.option(
    "--by",
    default="drug,condition",
    metavar="COLUMNS",
    callback=listed,
    help="Columns whose values are looked at one by one.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("reports"),
    help="The folder of all reports.",
)
@click.option(
    "--fail-on",
    metavar="AREAS",
    callback=listed,
    help="Which of freshness,volume,balance,drift,quality decide, or none.  [default: all]",
)
@click.option(
    "--gate",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML with other thresholds.  [default: packaged ones]",
)
@click.option("--explain", is_flag=True, help="Print every check with its reasons.")
@click.option(
    "--lock-timeout",
    type=click.FloatRange(min=0),
    default=30.0,
    metavar="SECONDS",
    help="How long to wait for a database that another process has open.",
)
@click.option(
    "--history",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The history of files.  [default: .drugmon/history.duckdb by the source]",
)
@source_options
@grading_options
@output_options
def report(as_json: bool, quiet: bool, explain: bool, **options: Any) -> int:
    """Judge scored reviews: drift, class balance, quality, volume; write a page of it.

    SOURCE is what `drugmon score` wrote: a scored file, a glob or folder of them, or a DuckDB
    database with --table. Exit code 4 says that the gate failed.

    \b
    Example:
      drugmon report reviews.scored.parquet
      drugmon report reviews.duckdb --table reviews --last 7d --fail-on drift,quality
      drugmon report reviews.scored.parquet --reference previous:7 --explain
    """
    from drugmon.cli.output.lines import warn
    from drugmon.cli.output.report import print_report
    from drugmon.cli.progress import steps_progress
    from drugmon.workflows.report.config import report_config
    from drugmon.workflows.report.report import report as run

    config = report_config(grading=grading_choice(options), **options)
    with steps_progress(quiet, "reporting") as progress:
        result = run(config, on_progress=progress, warn=warn)
    print_report(result, as_json=as_json, quiet=quiet, explain=explain)
    return GATE_FAILED if result.failed else 0
