"""The help is part of the tool: quick, complete, and the same as what README and docs tell."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from drugmon.cli import main as cli

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "rich",
    "torch",
    "transformers",
    "peft",
    "sklearn",
    "scipy",
    "pandas",
    "polars",
    "pyarrow",
    "duckdb",
    "evidently",
    "fsspec",
    "plotly",
}
HELP = """
import json, sys
sys.argv = ["drugmon", *sys.argv[1:]]
from drugmon.cli.main import main
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]), file=sys.stderr)
"""


def walk(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command below and including `command` with the words that call it."""
    yield " ".join(["drugmon", *path]), command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            child = command.get_command(click.Context(command), name)
            assert child is not None
            yield from walk(child, *path, name)


COMMANDS = dict(walk(cli.cli))
OPTIONS = [
    (words, option)
    for words, command in COMMANDS.items()
    for option in command.params
    if isinstance(option, click.Option) and not option.hidden
]
each_command = pytest.mark.parametrize("words", COMMANDS)
each_option = pytest.mark.parametrize(
    ("words", "option"), OPTIONS, ids=[f"{words} {option.opts[0]}" for words, option in OPTIONS]
)


def context(words: str) -> click.Context:
    """The context in which click would show the command's help, with its inherited settings."""
    made: click.Context | None = None
    names = words.split()
    for count in range(1, len(names) + 1):
        command = COMMANDS[" ".join(names[:count])]
        settings = command.context_settings
        made = click.Context(command, parent=made, info_name=names[count - 1], **settings)
    assert made is not None
    return made


def seconds_of(code: str, *arguments: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Run `code` in an interpreter of its own: its processor seconds, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done


@pytest.mark.parametrize("arguments", [["--help"], ["score", "--help"], ["train", "--help"]])
def test_help_is_light(arguments: list[str]) -> None:
    helps, clicks = [], []
    for _ in range(4):
        seconds, done = seconds_of(HELP, *arguments)
        helps.append(seconds)
        clicks.append(seconds_of("import click")[0])
    code, modules = json.loads(done.stderr)
    assert code in (0, None)
    assert done.stdout.startswith("Usage: drugmon")
    assert set(modules) & HEAVY == set()
    # Beside click alone, in turns, so that neither a slow machine nor a busy one fails this. It is
    # about twice that, some 0.15 s; with rich and its Markdown it was four times.
    assert min(helps) < 4 * min(clicks)


@each_command
def test_command_has_a_help_sentence(words: str) -> None:
    first = (COMMANDS[words].help or "").strip().split("\n\n")[0]
    assert re.fullmatch(r"[A-Z].{10,}\.", first, re.DOTALL), f"{words}: {first!r}"


@each_command
def test_command_shows_an_example(words: str) -> None:
    if isinstance(COMMANDS[words], click.Group) and words != "drugmon":
        return
    shown = COMMANDS[words].get_help(context(words))
    _, found, example = shown.partition("Example")
    assert found, f"{words} --help has no example"
    assert words in example


@each_option
def test_option_has_help_and_shows_its_default(words: str, option: click.Option) -> None:
    record = option.get_help_record(context(words))
    assert record is not None
    assert option.help, f"{words} {option.opts[0]} has no help"
    default = option.get_default(context(words), call=False)
    if isinstance(default, (str, int, float)) and default not in (False, "") and not option.is_flag:
        assert "default" in record[1], f"{words} {option.opts[0]} hides its default"


@each_command
def test_readme_tells_of_the_command(words: str) -> None:
    assert words in (ROOT / "README.md").read_text(encoding="utf-8")


@each_option
def test_readme_or_docs_tell_of_the_option(words: str, option: click.Option) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    told = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    longest = max(option.opts, key=len)
    pattern = rf"(?<![\w-]){re.escape(longest)}(?![\w-])"
    assert re.search(pattern, told), f"{words} {longest} is in no page"
