"""The commands that open doors: serve, and completion for the shell."""

from __future__ import annotations

import logging
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from drugmon.cli.options import engine_config, engine_options, model_options
from drugmon.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0}


@click.command()
@model_options
@click.option("--host", default="127.0.0.1", help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8000,
    help="The port to listen on; 0 for any that is free.",
)
@click.option(
    "--max-wait",
    default="5ms",
    metavar="TIME",
    callback=lambda _context, _option, value: _seconds(value),
    help="How long a review may wait for others to be computed with.",
)
@click.option(
    "--max-queue",
    type=click.IntRange(min=1),
    default=4_096,
    help="Reviews that may wait; more are answered with 429.",
)
@click.option(
    "--max-reviews", type=click.IntRange(min=1), default=1_000, help="Reviews in one request."
)
@click.option(
    "--max-text", type=click.IntRange(min=1), default=50_000, help="Characters of one text."
)
@click.option(
    "--max-body", type=click.IntRange(min=1), default=16 * 2**20, help="Bytes of one request."
)
@click.option(
    "--drain",
    type=click.IntRange(min=0),
    default=30,
    metavar="SECONDS",
    help="How long requests may take to end once the service is asked to.",
)
@click.option(
    "--tokens",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file of bearer tokens, one a line; whoever has none is turned away.",
)
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A DuckDB database that keeps all verdicts, in the table `served`.",
)
@click.option("--record-texts", is_flag=True, help="Keep the reviews' texts there too.")
@engine_options
def serve(adapter: str | None, base: str | None, rule: str | None, **options: Any) -> None:
    """Score over HTTP: reviews in, verdicts out, one process and one engine for all.

    SIGTERM and ^C end it once the requests that have begun are answered.

    \b
    Example:
      drugmon serve --port 8000
      drugmon serve --tokens tokens.txt --record served.duckdb
    """
    if not all(map(find_spec, ("fastapi", "uvicorn", "prometheus_client"))):
        raise UsageError("drugmon serve needs libraries of its own: pip install 'drugmon[serve]'")
    from drugmon.serving.service.config import ServiceConfig
    from drugmon.serving.service.server import serve as run

    logging.basicConfig(format="drugmon: %(message)s", level=logging.WARNING)
    engine = engine_config(options)
    config = ServiceConfig(**options)
    run(config, adapter, engine, base=base, rule=rule, on_listening=_say)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete the words of drugmon.

    \b
    Example:
      drugmon completion bash >> ~/.bashrc
      drugmon completion zsh >> ~/.zshrc
      drugmon completion fish > ~/.config/fish/completions/drugmon.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    root = context.find_root().command
    # Not `source()`, which asks a bash on this machine for its version.
    made = kind(root, {}, "drugmon", "_DRUGMON_COMPLETE")
    from drugmon.cli.output.lines import say_verbatim

    say_verbatim(made.source_template % made.source_vars())


def _say(address: str, identity: str) -> None:
    from drugmon.cli.output.lines import say

    say(f"drugmon: {identity} listens on {address}", err=True)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s)", text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else -1.0
    if not 0 <= seconds <= 60:
        raise click.BadParameter(f"{text!r} is no time up to 60 s; write 5ms or 0.1s")
    return seconds
