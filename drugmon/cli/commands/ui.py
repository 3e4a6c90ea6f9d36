"""The command that serves a page: ui."""

from __future__ import annotations

import click

from drugmon.cli.options import takes
from drugmon.serving.page.config import PageConfig
from drugmon.signals import leave


@click.command()
@takes(config=PageConfig)
def ui(config: PageConfig) -> None:
    """Serve a page to type a review into, to score a file on, and to read the nights on.

    It needs the extra `ui`. Nobody but this machine reaches it, unless --host and --auth-file say
    otherwise. What is typed or uploaded is not kept.

    \b
    Example:
      drugmon ui
      drugmon ui --reports reports/
    """
    from drugmon.cli.output.lines import say
    from drugmon.serving.page.serve import serve

    serve(config, on_start=lambda url: say(f"drugmon ui: {url} (ctrl-c ends it)"))
    say("drugmon ui: ended; the same command starts it again", err=True)
    leave()
