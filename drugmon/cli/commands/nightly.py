"""The commands of the nightly job: init, nightly, and demo, which shows a month of nights."""

from __future__ import annotations

from pathlib import Path

import click

from drugmon.cli.options import output_options, takes
from drugmon.workflows.configs import DemoConfig, InitConfig


@click.command()
@click.argument("source")
@takes(config=InitConfig)
@output_options
def init(config: InitConfig, as_json: bool, quiet: bool) -> None:
    """Look at a source of reviews, tell what it holds, and write settings for a nightly job.

    SOURCE is a file, a glob, a folder, or a DuckDB database with --table. It is read and not
    changed. Of its texts nothing is told but counts. The first night takes a baseline, with which
    the next ones are compared.

    \b
    Example:
      drugmon init reviews.parquet
      drugmon nightly nightly.toml --check
    """
    from drugmon.cli.output.init import print_init
    from drugmon.cli.output.lines import warn
    from drugmon.workflows.init import init as run

    print_init(run(config, warn=warn), as_json=as_json, quiet=quiet)


@click.command()
@click.argument("settings", type=click.Path(path_type=Path), metavar="SETTINGS")
@click.option(
    "--check",
    "check_only",
    is_flag=True,
    help="Look whether all is in place for a night; score and write nothing.",
)
@output_options
def nightly(settings: Path, as_json: bool, quiet: bool, check_only: bool) -> int:
    """Score, report and gate the sources that a TOML file names, as one job.

    One run at a time: a second one waits as long as job.lock_wait says, or ends with exit code 75.
    A night that was cut off is continued by the next start. jobs/nightly.toml has every key.

    \b
    Example:
      drugmon nightly jobs/nightly.toml --check
      drugmon nightly jobs/nightly.toml
    """
    from drugmon.cli.errors import log_bug
    from drugmon.cli.output import nightly as output
    from drugmon.cli.progress import rows_progress
    from drugmon.errors import SettingsError
    from drugmon.workflows.nightly.attempts import settings_failed
    from drugmon.workflows.nightly.check import check_night
    from drugmon.workflows.nightly.config import load_nightly
    from drugmon.workflows.nightly.nightly import nightly as run

    try:
        config = load_nightly(settings)
    except SettingsError as error:
        if not check_only:
            settings_failed(settings, error)
        raise
    if check_only:
        checked = check_night(config)
        output.print_checked(checked, as_json=as_json, quiet=quiet)
        return int(not all(check.ok for check in checked))
    with (
        output.lines_of_the_night(as_json=as_json, quiet=quiet),
        rows_progress(quiet, "scoring") as progress,
    ):
        result = run(config, log_bug=log_bug, on_progress=progress)
    output.print_night(result, as_json=as_json, quiet=quiet)
    return result.exit_code


@click.command()
@click.argument(
    "folder", type=click.Path(file_okay=False, path_type=Path), default=Path("drugmon-demo")
)
@takes(config=DemoConfig)
@click.option("--quiet", "-q", is_flag=True, help="Print errors only.")
def demo(config: DemoConfig, quiet: bool) -> None:
    """Make a month of nights from invented reviews, to see what the reports look like.

    FOLDER gets the reviews, their verdicts, a page per night and the index of all. The shifts in
    them are known: a night with most of the delivery missing, one with too few reviews to judge,
    and in the end a recall of one drug's generic.

    \b
    Example:
      drugmon demo
      drugmon demo somewhere-else --nights 7
    """
    from datetime import UTC, datetime, timedelta

    from drugmon.cli.output import nightly as output
    from drugmon.cli.output.lines import warn
    from drugmon.cli.progress import demo_progress
    from drugmon.workflows.demo import demo as run

    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    with demo_progress(quiet) as (scored, reported):
        result = run(config, last=yesterday, on_progress=scored, on_night=reported, warn=warn)
    output.print_demo(result, quiet=quiet)
