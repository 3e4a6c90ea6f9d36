"""The commands that open doors: serve, and completion for the shell."""

from __future__ import annotations

import logging
from importlib.util import find_spec

import click

from drugmon.cli.options import takes
from drugmon.config import CascadeOptions, EngineConfig, ModelOptions
from drugmon.errors import UsageError
from drugmon.serving.service.config import ServiceConfig
from drugmon.signals import leave


@click.command()
@takes(model=ModelOptions, cascade=CascadeOptions, config=ServiceConfig, engine=EngineConfig)
def serve(
    model: ModelOptions, cascade: CascadeOptions, config: ServiceConfig, engine: EngineConfig
) -> None:
    """Score over HTTP: reviews in, verdicts out, one process and one engine for all.

    SIGTERM and ^C end it once the requests that have begun are answered.

    \b
    Example:
      drugmon serve --port 8000
      drugmon serve --tokens tokens.txt --record served.duckdb
      drugmon serve --then mpnet-druglib --share .1
    """
    if not all(map(find_spec, ("fastapi", "uvicorn", "prometheus_client"))):
        raise UsageError("drugmon serve needs libraries of its own: pip install 'drugmon[serve]'")
    from drugmon.cli.output.lines import say
    from drugmon.serving.service.server import serve as run

    logging.basicConfig(format="drugmon: %(message)s", level=logging.WARNING)
    run(config, model, cascade, engine, on_listening=_say)
    say("drugmon serve: ended; the same command starts it again", err=True)
    leave()


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
