"""Every command line that README and docs show is one that drugmon takes."""

from __future__ import annotations

import contextlib
import re
import shlex
from pathlib import Path

import click
import pytest

from drugmon.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "jobs" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_ENDS = {"|", "&&", ">", ">>", "<", "2>", ";"}


def shown() -> list[tuple[str, str]]:
    """Pages and the command lines in their blocks of shell, without what a shell does with them."""
    lines = []
    for page in PAGES:
        for block in re.findall(r"(?s)```sh\n(.*?)```", page.read_text(encoding="utf-8")):
            joined = block.replace("\\\n", " ")
            # Also behind a pipe, and from an environment that is not entered.
            commands = re.split(r"\n| \| |(?<=/)(?=drugmon )", joined)
            lines += [(page.name, line) for line in commands if line[:8] == "drugmon "]
    return lines


def arguments(line: str) -> list[str]:
    words = shlex.split(line, comments=True)
    ends = [place for place, word in enumerate(words) if word in _ENDS]
    return words[1 : min(ends, default=len(words))]


def test_there_are_some() -> None:
    assert len(shown()) > 40


@pytest.mark.parametrize(("page", "line"), shown())
def test_the_command_line_is_one_that_drugmon_takes(page: str, line: str) -> None:
    command: click.Command = cli
    given = arguments(line)
    while isinstance(command, click.Group) and given and given[0] != "--help":
        found = command.get_command(click.Context(command), given[0])
        assert found is not None, f"{page}: there is no command {given[0]}"
        command, given = found, given[1:]
    with contextlib.suppress(click.exceptions.Exit):  # of --help
        command.make_context(str(command.name), given)
