"""The commands: each parses, builds a config, calls one workflow, prints and gives an exit code."""

from __future__ import annotations

import gc
import os
import sys

import click

from drugmon.cli.commands.adapters import adapters, doctor
from drugmon.cli.commands.bases import bases
from drugmon.cli.commands.experiments import compare, experiment, tune
from drugmon.cli.commands.history import history
from drugmon.cli.commands.nightly import demo, init, nightly
from drugmon.cli.commands.report import report
from drugmon.cli.commands.score import explain, predict, sample, score, show
from drugmon.cli.commands.serve import completion, serve
from drugmon.cli.commands.train import evaluate, recipes, train
from drugmon.cli.commands.ui import ui
from drugmon.version import __version__

SETTINGS = {
    "help_option_names": ["-h", "--help"],
    "show_default": True,
    "max_content_width": 100,
    "auto_envvar_prefix": "DRUGMON",
}


def main() -> None:
    """Run the command line and exit: the one boundary where errors become messages."""
    from drugmon import signals
    from drugmon.cli.errors import run

    # Imports make hundreds of thousands of objects that stay: to look for garbage among them again
    # and again would take a tenth of the time of a small run.
    gc.set_threshold(50_000)
    # Arrow, which reads it when it is imported, would take an allocator of its own that comes to
    # hold three times what a window of rows needs.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    code = run(cli)
    signals.settle(code)
    sys.exit(code)


@click.group(context_settings=SETTINGS)
@click.version_option(__version__, message="%(version)s")
def cli() -> None:
    """Score the sentiment of drug reviews in batches.

    Every option can be set by an environment variable, such as DRUGMON_SCORE_DEVICE=cpu.

    \b
    Example:
      drugmon sample reviews.parquet
      drugmon score reviews.parquet
      drugmon show reviews.scored.parquet
    """


for command in (
    score,
    report,
    init,
    nightly,
    history,
    show,
    predict,
    explain,
    evaluate,
    compare,
    train,
    tune,
    experiment,
    recipes,
    adapters,
    bases,
    serve,
    completion,
    sample,
    demo,
    doctor,
    ui,
):
    cli.add_command(command)


if __name__ == "__main__":
    main()
