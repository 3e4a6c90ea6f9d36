"""The command that serves a page: ui."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from drugmon.cli.options import engine_config, engine_options


@click.command()
@click.option("--host", default="127.0.0.1", help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), default=7860, help="The port; 0: any free.")
@click.option(
    "--auth-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Lines name:password of who may see the page; needed for other machines.",
)
@click.option("--root-path", default="", help="The path below which a proxy shows the page.")
@click.option(
    "--reports",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder of reports to show, as `drugmon nightly` writes it.",
)
@click.option("--adapter", help="What judges at first: a shipped adapter, or a folder.")
@click.option(
    "--max-megabytes", type=click.IntRange(min=1), default=100, help="Size of a file, at most."
)
@click.option(
    "--max-rows", type=click.IntRange(min=1), default=100_000, help="Rows of a file, at most."
)
@engine_options
def ui(max_megabytes: int, **options: Any) -> None:
    """Serve a page to type a review into, to score a file on, and to read the nights on.

    It needs the extra `ui`. Nobody but this machine reaches it, unless --host and --auth-file say
    otherwise. What is typed or uploaded is not kept.

    \b
    Example:
      drugmon ui
      drugmon ui --reports reports/
    """
    from drugmon.cli.output.lines import say
    from drugmon.serving.page.config import PageConfig
    from drugmon.serving.page.serve import serve

    engine = engine_config(options)
    config = PageConfig(max_bytes=max_megabytes * 2**20, engine=engine, **options)
    serve(config, on_start=lambda url: say(f"drugmon ui: {url} (ctrl-c ends it)"))
