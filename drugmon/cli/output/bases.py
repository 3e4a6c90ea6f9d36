"""What the commands that look after bases print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table

from drugmon.cli.output.lines import print_json, say
from drugmon.cli.output.terminal import console

if TYPE_CHECKING:
    from drugmon.models.bases.bases import Base
    from drugmon.models.bases.inventory import BaseEntry


def print_bases(entries: Sequence[BaseEntry], *, as_json: bool) -> None:
    """The known bases as a table, below it the folders of those that are here."""
    if as_json:
        return print_json({"bases": [entry.to_dict() for entry in entries]})
    table = Table("base", "weights", "SHA-256", "licence", "source", "here", header_style="bold")
    for entry in entries:
        table.add_row(
            entry.name,
            f"{entry.size / 1e6:,.0f} MB",
            f"{entry.sha256[:12]}..." if entry.sha256 else "-",
            entry.licence,
            entry.source.partition("@")[0],
            "yes" if entry.folder else "no",
        )
    console().print_table(table)
    for entry in entries:
        if entry.folder:
            say(f"{entry.name} is in {entry.folder}")
    if away := [entry.name for entry in entries if not entry.folder]:
        say(f"drugmon bases fetch NAME gets another: {', '.join(away)}")
    return None


def print_base(base: Base, *, as_json: bool, quiet: bool) -> None:
    """A base that was verified, in one line."""
    from drugmon.models.bases.inventory import told_of

    if as_json:
        return print_json({**asdict(base.identity()), "folder": str(base.folder)})
    if not quiet:
        say(f"base {base.name}: {told_of(base)}")
    return None
