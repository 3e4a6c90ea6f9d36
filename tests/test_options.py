"""One declaration an option: a command's flag, a settings file's key and Python's name agree."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import numpy as np
import pytest

from drugmon.checked import checked_options, keys_of
from drugmon.cli.main import cli
from drugmon.config import CascadeOptions, EngineConfig, ModelOptions
from drugmon.data.options import SourceOptions
from drugmon.errors import SettingsError, UsageError
from drugmon.grading import GradingChoice
from drugmon.options import NO_FLAG, Option, build, group, names_of, option, options_of
from drugmon.serving.page.config import PageConfig
from drugmon.serving.service.config import ServiceConfig
from drugmon.workflows.compare.config import CompareConfig, EvaluateConfig
from drugmon.workflows.configs import DemoConfig, HistoryConfig, InitConfig, ShowConfig
from drugmon.workflows.nightly.settings import ReportSettings
from drugmon.workflows.report.options import ReportOptions
from drugmon.workflows.score.config import ScoreConfig

SHIPPED = Path(__file__).resolve().parents[1] / "jobs" / "nightly.toml"
TRAINING = (SourceOptions, GradingChoice, EngineConfig)
COMMANDS: dict[str, tuple[type, ...]] = {
    "score": (ScoreConfig,),
    "report": (ReportOptions,),
    "init": (InitConfig,),
    "history": (HistoryConfig,),
    "show": (ShowConfig,),
    "predict": (ModelOptions, CascadeOptions, EngineConfig),
    "explain": (ModelOptions, CascadeOptions, EngineConfig),
    "evaluate": (EvaluateConfig,),
    "compare": (CompareConfig,),
    "train": TRAINING,
    "tune": TRAINING,
    "experiment": TRAINING,
    "serve": (ModelOptions, CascadeOptions, ServiceConfig, EngineConfig),
    "ui": (PageConfig,),
    "demo": (DemoConfig,),
}
SECTIONS = {"source": ScoreConfig, "engine": EngineConfig, "report": ReportSettings}
OF_COMMANDS = {"source": ScoreConfig, "engine": ScoreConfig, "report": ReportOptions}
DECLARED = [
    (command, each)
    for command, kinds in COMMANDS.items()
    for kind in kinds
    for each in options_of(kind)
    if each.flag != NO_FLAG
]
KEYS = [
    (section, each)
    for section, kind in SECTIONS.items()
    for each in keys_of(kind).values()
    if section == "engine" or each not in options_of(EngineConfig)
]


@pytest.mark.parametrize(
    ("command", "declared"), DECLARED, ids=[f"{name} {each.flag}" for name, each in DECLARED]
)
def test_the_flag_is_what_is_declared(command: str, declared: Option) -> None:
    """The command calls it so, says the same of it, and has the same default."""
    (shown,) = [each for each in cli.commands[command].params if declared.flag in each.opts]
    assert isinstance(shown, click.Option)
    assert shown.name == declared.name
    assert shown.help is not None
    assert shown.help.startswith(declared.help)
    assert declared.unset in shown.help
    values = cli.commands[command].make_context(command, [], resilient_parsing=True).params
    assert values[declared.name] == declared.default


@pytest.mark.parametrize(
    ("kind", "name", "value", "says"),
    [
        (ScoreConfig, "in_place", "false", "--in-place: must be True or False; this is of type"),
        (ScoreConfig, "dry_run", 1, "--dry-run: must be True or False; this is of type int"),
        (ScoreConfig, "limit", 2.5, "--limit: must be a whole number, or None; this is of type"),
        (ScoreConfig, "limit", True, "--limit: must be a whole number, or None; this is of type"),
        (ScoreConfig, "limit", 0, "--limit 0: must be 1 or more"),
        (ScoreConfig, "threads", 0, "--threads 0: must be from 1 to 4,096"),
        (ScoreConfig, "lock_timeout", float("nan"), "--lock-timeout nan: must be from 0 to 86,400"),
        (ScoreConfig, "history", "s3://b/h.duckdb", "--history: is a URI; give a path on this"),
        (ScoreConfig, "history", Path("S3://b/h.duckdb"), "--history: is a URI; give a path on"),
        (ScoreConfig, "out", Path("s3://b/out/"), "--out: a Path has one slash of a URI; give it"),
        (ScoreConfig, "where", 5, "--where: must be a text, or None; this is of type int"),
        (ScoreConfig, "prefix", None, "--prefix: must be a text; this is of type NoneType"),
        (ScoreConfig, "columns", "text=a", "--column: must be a mapping of texts to texts; this"),
        (ScoreConfig, "columns", {"text": 5}, "--column: must be a mapping of texts to texts; th"),
        (ReportOptions, "by", "drug", "--by: must be a list of texts; this is of type str"),
        (ReportOptions, "by", ["drug", 3], "--by: must be a list of texts; this is of type list"),
        (ReportOptions, "evidently", "no", "evidently: must be True or False; this is of type str"),
        (ReportOptions, "keep", 0, "keep 0: must be 1 or more reports, or a size"),
    ],
)
def test_python_is_held_to_types_and_ranges(kind: type, name: str, value: Any, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        build(kind, source="r.csv", **{name: value})
    assert str(refused.value).startswith(says)


def test_python_may_give_what_is_as_good() -> None:
    options = {"limit": np.int64(3), "lock_timeout": 5, "history": "h.duckdb", "out": Path("o.csv")}
    config = build(ScoreConfig, source="r.csv", columns=MappingProxyType({"text": "a"}), **options)
    assert (config.limit, config.database.lock_timeout) == (3, 5.0)
    assert (config.history, config.out) == (Path("h.duckdb"), "o.csv")
    assert config.reading.columns == {"text": "a"}
    assert build(ReportOptions, source="r.csv", by=["drug"]).judgement.by == ("drug",)


@pytest.mark.parametrize(
    ("section", "declared"), KEYS, ids=[f"{name}.{each.key}" for name, each in KEYS]
)
def test_the_key_is_the_flag_of_the_same_name(section: str, declared: Option) -> None:
    """The shipped file has the key; where a command has the option too, it is the same one."""
    assert f"\n# {declared.key} = " in SHIPPED.read_text(encoding="utf-8")
    if declared.flag != NO_FLAG:
        assert declared in options_of(OF_COMMANDS[section])


@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_stands_once_among_the_options_of_a_command(command: str) -> None:
    names = [name for kind in COMMANDS[command] for name in names_of(kind)]
    assert sorted(names) == sorted(set(names))


@dataclass(frozen=True)
class Inner:
    size: int = option(1, "How large.", low=1, high=9, key="size")
    note: str | None = option(None, "What to add.", kind=str, key="note", unset="nothing")
    parts: tuple[str, ...] | None = option(None, "Which.", kind=tuple, key="parts")


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner = group(Inner)
    is_late: bool = option(False, "Whether it is late.", flag="--late")


def test_a_config_is_built_from_the_options_of_its_groups() -> None:
    assert build(Outer, name="a", size=3, is_late=True) == Outer("a", Inner(3), True)
    assert build(Outer, name="a", inner=Inner(4)) == Outer("a", Inner(4))
    assert [each.flag for each in options_of(Outer)] == ["--size", "--note", "--parts", "--late"]


def test_programs_give_paths_as_they_have_them() -> None:
    built = build(ReportOptions, source="r.csv", out="pages", gate="gate.toml", reference=Path("b"))
    assert (built.pages.out, built.judgement.gate) == (Path("pages"), Path("gate.toml"))
    assert built.judgement.reference == "b"
    assert build(ScoreConfig, source="r.csv", out=Path("o.csv"), history="h.duckdb") == build(
        ScoreConfig, source="r.csv", out="o.csv", history=Path("h.duckdb")
    )


def test_what_cannot_be_built_is_told_and_lists_the_valid_ones() -> None:
    with pytest.raises(UsageError, match="size is a part of inner, which is given too"):
        build(Outer, name="a", size=3, inner=Inner())
    with pytest.raises(UsageError) as caught:
        build(Outer, name="a", siz=3)
    assert str(caught.value) == (
        "there is no option 'siz'; valid ones: inner, is_late, name, note, parts, size"
    )


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("size = 2", {"size": 2}),
        ('note = ""\nparts = []', {}),
        ('note = "x"\nparts = ["a", "b"]', {"note": "x", "parts": ("a", "b")}),
    ],
)
def test_a_section_gives_the_options_that_it_sets(text: str, values: dict[str, Any]) -> None:
    assert checked_options(Outer, tomllib.loads(text), "f: s") == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("size = 0", "f: s.size = 0 will not do: give a whole number from 1 to 9"),
        ("is_late = true", "f: s has no key 'is_late'; valid keys: size, note, parts"),
        ("note = 1", "f: s.note = 1 will not do: give a text"),
    ],
)
def test_a_mistake_in_a_section_is_told(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        checked_options(Outer, tomllib.loads(text), "f: s")
    assert str(caught.value) == message
