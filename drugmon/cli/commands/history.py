"""The command that looks back: history."""

from __future__ import annotations

import click

from drugmon.cli.options import takes
from drugmon.data.stores.uri import parse_location
from drugmon.workflows.configs import HistoryConfig


@click.command()
@click.argument("path", default=".", type=parse_location)
@takes(config=HistoryConfig)
@click.option("--runs", "runs_only", is_flag=True, help="Only the score runs, no reports.")
@click.option("--json", "as_json", is_flag=True, help="Print every number as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a line of CSV a night, or a run.")
def history(config: HistoryConfig, runs_only: bool, as_json: bool, as_csv: bool) -> None:
    """Show past nights and score runs, with a sparkline of every number.

    PATH is a scored file or its source, a folder, a history file, or a database; of what is in a
    store (s3://bucket/reviews.parquet) the history lies on this machine.

    \b
    Example:
      drugmon history reviews.scored.parquet
      drugmon history reviews.duckdb --table reviews --limit 400 --csv > nights.csv
    """
    from drugmon.cli.output import history as output
    from drugmon.errors import UsageError
    from drugmon.workflows.history import history as read

    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other; leave out one of them")
    past = read(config)
    if as_json:
        output.print_history_json(past, runs_only=runs_only)
    elif as_csv:
        output.print_history_csv(past, runs_only=runs_only)
    else:
        output.print_history(past, runs_only=runs_only)
