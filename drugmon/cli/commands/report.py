"""The command that judges scored reviews: report."""

from __future__ import annotations

import click

from drugmon.cli.options import output_options, takes
from drugmon.workflows.report.options import ReportOptions

GATE_FAILED = 4
"""The exit code of a report whose gate failed."""


@click.command()
@click.argument("source")
@takes(options=ReportOptions)
@click.option("--explain", is_flag=True, help="Print every check with its reasons.")
@output_options
def report(options: ReportOptions, explain: bool, as_json: bool, quiet: bool) -> int:
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
    from drugmon.workflows.report.config import read_options
    from drugmon.workflows.report.report import report as run

    with steps_progress(quiet, "reporting") as progress:
        result = run(read_options(options), on_progress=progress, warn=warn)
    print_report(result, as_json=as_json, quiet=quiet, explain=explain)
    return GATE_FAILED if result.failed else 0
