"""The pins: whole, exact, in line with pyproject, and free of anybody's registry."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LINES = [
    line
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
PINS = {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in LINES}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def required() -> list[str]:
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [*PROJECT["build-system"]["requires"], *PROJECT["project"]["dependencies"]]
    wanted += [requirement for extra in extras for requirement in extra]
    return [each for each in wanted if Requirement(each).name != PROJECT["project"]["name"]]


def test_every_line_is_one_exact_pin() -> None:
    # No markers, local versions, hosts or options: the file has to work wherever pip does.
    assert [line for line in LINES if not re.fullmatch(r"[\w.-]+==\d[\w.]*", line)] == []
    assert len(PINS) == len(LINES)


@pytest.mark.parametrize("requirement", required())
def test_pin_satisfies_the_project(requirement: str) -> None:
    wanted = Requirement(requirement)
    assert wanted.specifier.contains(PINS[canonicalize_name(wanted.name)])
