"""The command that looks back: history."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("path", default=".", type=click.Path(path_type=Path))
@click.option("--table", metavar="NAME", help="Only what concerns this table.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=30, help="How many nights and runs, the newest."
)
@click.option("--runs", "runs_only", is_flag=True, help="Only the score runs, no reports.")
@click.option("--json", "as_json", is_flag=True, help="Print every number as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print a line of CSV a night, or a run.")
@click.option(
    "--lock-timeout",
    type=click.FloatRange(min=0),
    default=30.0,
    help="Seconds to wait while another process has the database open.",
)
def history(
    path: Path,
    table: str | None,
    limit: int,
    runs_only: bool,
    as_json: bool,
    as_csv: bool,
    lock_timeout: float,
) -> None:
    """Show past nights and score runs, with a sparkline of every number.

    PATH is a scored file or its source, a folder, a history file, or a database.

    \b
    Example:
      drugmon history reviews.scored.parquet
      drugmon history reviews.duckdb --table reviews --limit 400 --csv > nights.csv
    """
    from drugmon.cli.output import history as output
    from drugmon.errors import UsageError
    from drugmon.workflows.history import HistoryConfig
    from drugmon.workflows.history import history as read

    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other; leave out one of them")
    found = read(HistoryConfig(path, table, limit, lock_timeout))
    if as_json:
        output.print_history_json(found, runs_only=runs_only)
    elif as_csv:
        output.print_history_csv(found, runs_only=runs_only)
    else:
        output.print_history(found, runs_only=runs_only)
