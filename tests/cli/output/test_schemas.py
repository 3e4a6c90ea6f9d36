"""The schemas of what commands print with --json: published as they are, and kept to."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from drugmon.cli.main import cli
from drugmon.cli.output.json_types import TYPES
from drugmon.cli.output.schemas import file_name, misfit, schema_text

BOTH_RULES = ("--rule", "balanced", "--rule", "likeliest")
DOCS = Path(__file__).parents[3] / "docs"


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def test_every_command_that_prints_json_has_a_schema() -> None:
    with_json = {
        name
        for name, command in commands(cli)
        if any("--json" in option.opts for option in command.params)
    }
    assert with_json == set(TYPES) - {"nightly --check"}


def test_the_published_schemas_are_those_of_the_types() -> None:
    published = {path.name: path.read_text() for path in (DOCS / "schemas").iterdir()}
    assert published == {file_name(command): schema_text(command) for command in TYPES}, (
        "write them anew: python -m drugmon.cli.output.schemas"
    )
    told = (DOCS / "json.md").read_text()
    assert all(f"`drugmon {name}`" in told and file_name(name) in told for name in TYPES)


def test_what_does_not_fit_is_named() -> None:
    finding = {"subject": "torch", "says": "2.13", "ok": None}
    assert misfit("doctor", {"schema_version": 1, "findings": [finding]}) is None
    assert misfit("doctor", {"findings": [finding]}) == "schema_version is not 1"
    more = {"schema_version": 1, "findings": [], "more": 1}
    assert misfit("doctor", more) == "more is not described"
    wrong = misfit("doctor", {"schema_version": 1, "findings": [{**finding, "ok": "yes"}]})
    assert wrong == "Expected `bool | null`, got `str` - at `$.findings[0].ok`"


def printed(*words: object) -> dict[str, Any]:
    """What a command prints with --json."""
    done = CliRunner().invoke(cli, [*map(str, words), "--json"], catch_exceptions=False)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


@pytest.mark.parametrize("command", ["doctor", "adapters list", "bases list"])
def test_what_is_here_fits(command: str) -> None:
    assert misfit(command, printed(*command.split())) is None


def test_rows_reports_and_histories_fit(
    tmp_path: Path, scored_reviews: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed, (name, negative) in enumerate((("before", 0.2), ("night", 0.5))):
        pq.write_table(scored_reviews(120, seed, negative=negative), f"{name}.scored.parquet")
    monkeypatch.setattr("drugmon.workflows.report.report.AnalystProcess", _NoPages)
    report = ["report", "night.scored.parquet", "--reference", "before.scored.parquet"]
    for command, told in (
        ("show", printed("show", "night.scored.parquet")),
        ("report", printed(*report)),
        ("history", printed("history", ".")),
        ("history", printed("history", "night.scored.parquet")),
    ):
        assert misfit(command, told) is None


class _NoPages:
    """evidently's pages, which take seconds and are tested elsewhere."""

    def __enter__(self) -> _NoPages:
        return self

    def __exit__(self, *_given: object) -> None: ...

    def write(self, *_given: object) -> tuple[()]:
        return ()


@pytest.fixture(name="graded")
def _graded(tmp_path: Path) -> Path:
    path = tmp_path / "graded.csv"
    words = ("useless", "so so", "wonderful")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "benefits", "rating"])
        writer.writerows([n, f"{words[n % 3]} {n}", (1, 5, 9)[n % 3]] for n in range(30))
    return path


def test_what_an_adapter_gives_fits(
    tmp_path: Path, adapter: Path, graded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = tmp_path / "job.toml"
    found = {
        "init": printed("init", graded, "--adapter", adapter, "--out", settings, "--quiet"),
        "nightly --check": printed("nightly", settings, "--check"),
        "score": printed("score", graded, "--adapter", adapter),
        "predict": printed("predict", "--adapter", adapter, "--benefits", "wonderful"),
        "explain": printed("explain", "--adapter", adapter, "--benefits", "wonderful"),
        "evaluate": printed("evaluate", graded, "--adapter", adapter),
        "adapters show": printed("adapters", "show", adapter),
        "compare": printed("compare", graded, "--adapter", adapter, *BOTH_RULES),
    }
    assert {name: misfit(name, told) for name, told in found.items()} == dict.fromkeys(found)
