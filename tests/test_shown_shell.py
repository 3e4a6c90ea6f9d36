"""What README and docs tell a shell to do besides drugmon's own commands: install, make, measure.

Nothing is run: extras, pins, files, targets and options of every line are there.
"""

from __future__ import annotations

import argparse
import re
import shlex
import tomllib
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "jobs/README.md")),
    *(ROOT / "benchmarks").glob("*.md"),
    *sorted((ROOT / "docs").rglob("*.md")),
)
SOURCES = (*PAGES, ROOT / "Dockerfile", ROOT / "Makefile", *(ROOT / "drugmon").rglob("*.py"))
BLOCK = re.compile(r"(?s)```sh\n(.*?)```")
SPAN = re.compile(r"`((?:docker|make|pip|python -m) [^`\n]+)`")
SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINNED = {
    line.partition("==")[0].lower()
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if "==" in line
}


def shown(program: str) -> list[tuple[str, list[str]]]:
    """Pages, and what they give to `program`: in blocks of shell and in sentences."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = "\n".join(BLOCK.findall(text)).replace("\\\n", " ")
        for line in (*blocks.splitlines(), *SPAN.findall(text)):
            for command in re.split(r" (?:&&|\|) ", line):
                words = shlex.split(command, comments=True)
                if words and words[0].rpartition("/")[2] == program:
                    found.append((page.name, words[1:]))
    return found


class Strict(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise AssertionError(message)


@pytest.mark.parametrize("program", ["pip", "make", "python", "docker", "cp"])
def test_there_are_some(program: str) -> None:
    assert len(shown(program)) > 1


@pytest.mark.parametrize(("page", "given"), shown("pip"))
def test_what_is_installed_is_there_and_pinned(page: str, given: list[str]) -> None:
    parser = Strict()
    parser.add_argument("command", choices=["install"])
    parser.add_argument("wanted", nargs="+")
    parser.add_argument("-c", dest="pins", required=True)
    parser.add_argument("--index-url")
    options = parser.parse_args(given)
    assert (ROOT / options.pins).is_file(), page
    for wanted in options.wanted:
        # drugmon from its folder, as pip reads the pins there; of others what is pinned, or a tool.
        assert wanted.startswith(".") or wanted in PINNED | {"pre-commit"}, f"{page}: {wanted}"
    if options.index_url:
        assert options.index_url in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_extras_that_are_named_are_there() -> None:
    named = re.compile(r"['\" ](?:drugmon|\.)\[([a-z0-9,]+)\]")
    extras = {
        extra
        for path in SOURCES
        for names in named.findall(path.read_text(encoding="utf-8"))
        for extra in names.split(",")
    }
    assert len(extras) > 5
    assert extras <= set(SETTINGS["project"]["optional-dependencies"])


@pytest.mark.parametrize(("page", "given"), shown("make"))
def test_what_is_made_is_a_target(page: str, given: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)^([a-z-]+):", makefile))
    for word in given:
        name, sets, _ = word.partition("=")
        assert f"$({name})" in makefile if sets else word in targets, f"{page}: make {word}"


@pytest.mark.parametrize(("page", "given"), shown("python"))
def test_what_python_runs_is_there(page: str, given: list[str]) -> None:
    assert given[0] == "-m"
    module = find_spec(given[1])
    assert module is not None and module.origin, f"{page}: {given[1]}"
    if given[1].startswith("benchmarks"):
        main = Path(module.origin)
        main = main.with_name("__main__.py") if main.name == "__init__.py" else main
        for option in (word for word in given[2:] if word.startswith("-")):
            assert f'"{option}"' in main.read_text(encoding="utf-8"), f"{page}: {option}"


def test_the_image_takes_the_arguments_that_are_shown() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for page, given in shown("docker"):
        for option, value in pairwise(given):
            if option == "--build-arg":
                assert re.search(rf"(?m)^ARG {value.partition('=')[0]}=", dockerfile), page


def test_files_that_are_copied_are_there() -> None:
    copied = [word for _, words in shown("cp") for word in words[:-1]]
    assert [word for word in copied if not (ROOT / word).is_file()] == []
