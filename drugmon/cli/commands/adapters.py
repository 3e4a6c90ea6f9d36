"""The commands that look at what is installed: adapters, doctor."""

from __future__ import annotations

import click


@click.group()
def adapters() -> None:
    """List, show and verify adapters."""


@adapters.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_adapters(as_json: bool) -> None:
    """List the adapters in ./adapters and those that drugmon brings.

    One whose manifest cannot be read is told of beside the others; `drugmon doctor` fails on it.

    \b
    Example:
      drugmon adapters list
    """
    from drugmon.cli.output import verdicts as output
    from drugmon.models.adapters.adapter import list_adapters as find

    output.print_adapters(find(), as_json=as_json)


@adapters.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest instead of the card.")
def show_adapter(name: str, as_json: bool) -> None:
    """Show an adapter's card.

    \b
    Example:
      drugmon adapters show minilm-druglib
    """
    from drugmon.cli.output import verdicts as output
    from drugmon.models.adapters.adapter import open_adapter

    output.print_adapter(open_adapter(name), as_json=as_json)


@adapters.command("verify")
@click.argument("name")
def verify_adapter(name: str) -> None:
    """Check every file of an adapter, and its base, against their hashes.

    \b
    Example:
      drugmon adapters verify minilm-druglib
    """
    from drugmon.cli.output.lines import say
    from drugmon.models.adapters.adapter import open_adapter

    adapter = open_adapter(name)
    files = adapter.verify()
    adapter.base()
    say(f"{adapter.manifest.identity}: {files} files and the base are what they should be")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Look whether all is in place: versions, devices, the base and the adapters.

    \b
    Example:
      drugmon doctor
    """
    from drugmon.cli.output import verdicts as output
    from drugmon.workflows.doctor import examine

    findings = examine()
    output.print_findings(findings, as_json=as_json)
    if any(finding.ok is False for finding in findings):
        click.get_current_context().exit(1)
