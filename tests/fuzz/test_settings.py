"""Settings of any kind: taken, or refused with one line that names file and key."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from drugmon.errors import DrugmonError
from drugmon.monitoring.checks.gate import DEFAULT
from drugmon.training.recipe import Recipe, load_recipe
from drugmon.training.trials.plan import read_plan
from tests.fuzzing import QUICK, Trial, fuzz, many, odd_texts, odd_values, trial

_JOBS = Path(__file__).parents[2] / "jobs" / "nightly.toml"


def _keys_of(text: str) -> dict[str, list[str]]:
    """The keys of a settings file by section, those that are commented out too."""
    keys: dict[str, list[str]] = {}
    section = ""
    for line in text.splitlines():
        if head := re.match(r"\[+(\w+)\]", line):
            section = head[1]
        elif key := re.match(r"(?:# )?(\w+) = ", line):
            keys.setdefault(section, []).append(key[1])
    return keys


_JOB = _keys_of(_JOBS.read_text())
_SOURCE = _JOB.pop("source")
_REPORT = _JOB["report"]
_GATE = _keys_of(DEFAULT.read_text())
_GATE.pop("", None)
_RECIPE = {
    section: list(table)
    for section, table in Recipe("any").to_dict().items()
    if isinstance(table, dict) and section != "labels"
}
_PLAN = ["title", "source", "base", "stage", "settings", "seed", "recipe", "trials", "grid"]


def toml(value: object) -> str:
    """A value as TOML has it; what it lacks is written as something that is no TOML."""
    if isinstance(value, dict):
        inner = ", ".join(f"{toml(str(key))} = {toml(each)}" for key, each in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value).lower()


def lines(table: dict[str, Any]) -> str:
    return "".join(f"{key} = {toml(value)}\n" for key, value in table.items())


def tables(keys: dict[str, list[str]]) -> st.SearchStrategy[str]:
    """Sections with known keys, and values that may be anything."""
    sections = [
        st.dictionaries(st.sampled_from(names), odd_values, max_size=2).map(
            partial(_section, section)
        )
        for section, names in keys.items()
    ]
    return st.tuples(*sections).map("".join)


def _section(name: str, table: dict[str, Any]) -> str:
    return f"[{name}]\n{lines(table)}" if table else ""


def _source(table: dict[str, Any]) -> str:
    return "[[source]]\n" + lines({"source": "r.csv", **table})


_sources = st.lists(
    st.dictionaries(
        st.sampled_from(_SOURCE),
        st.one_of(
            odd_values, st.dictionaries(st.sampled_from([*_REPORT, "review", "x"]), odd_values)
        ),
        max_size=3,
    ).map(_source),
    max_size=2,
).map("".join)
_rubbish = st.one_of(
    st.binary(max_size=60),
    odd_texts.map(lambda text: text.encode("utf-8", "replace")),
    st.integers(1, 3000).map(lambda depth: b"x = " + b"[" * depth),
)
_jobs = st.one_of(
    st.tuples(_sources, tables(_JOB)).map(lambda parts: "".join(parts).encode("utf-8", "replace")),
    _rubbish,
)
_toml = st.one_of(
    tables(_GATE), tables(_RECIPE), st.dictionaries(st.sampled_from(_PLAN), odd_values).map(lines)
)
_settings = st.builds(
    "{}={}".format,
    st.sampled_from([f"{key}.{name}" for key, names in _RECIPE.items() for name in names]),
    odd_values.map(toml),
)


def check_job(content: bytes) -> None:
    """A night's settings are checked; nothing is scored."""
    with trial() as one:
        _deliver(one.folder)
        (one.folder / "job.toml").write_bytes(content)
        code, said = one.run("nightly", "job.toml", "--check")
        assert said.strip(), code


def check_other(content: str, settings: list[str]) -> None:
    """The same text as a recipe, as a gate and as the plan of an experiment."""
    with trial() as one:
        path = one.folder / "it.toml"
        path.write_text(content, encoding="utf-8", errors="replace")
        (one.folder / "job.toml").write_text(
            '[report]\ngate = "it.toml"\n[[source]]\nsource = "r.csv"\n'
        )
        _deliver(one.folder)
        one.run("nightly", "job.toml", "--check")
        one.run("recipes", "show", "it.toml")
        for read in (lambda: load_recipe(str(path), settings), lambda: read_plan(path)):
            refused(one, read)


def refused(_one: Trial, read: Any) -> None:
    """Whatever `read` refuses, it does in one line."""
    try:
        read()
    except DrugmonError as error:
        assert "\n" not in str(error) or "TOML" in str(error)


def _deliver(folder: Path) -> None:
    (folder / "r.csv").write_text("id,review\n1,good\n")


@many(QUICK * 2)
@given(_jobs)
def test_a_job_is_taken_or_refused(content: bytes) -> None:
    check_job(content)


@many(QUICK)
@given(_toml, st.lists(_settings, max_size=2))
def test_a_recipe_a_gate_and_a_plan_are_taken_or_refused(content: str, settings: list[str]) -> None:
    check_other(content, settings)


@fuzz
@many(2000)
@given(_jobs)
def test_two_thousand_jobs(content: bytes) -> None:
    check_job(content)


@fuzz
@many(1000)
@given(_toml, st.lists(_settings, max_size=2))
def test_a_thousand_recipes_gates_and_plans(content: str, settings: list[str]) -> None:
    check_other(content, settings)
