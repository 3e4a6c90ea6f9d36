"""What settings files are checked for beyond what the recipes' tests show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from drugmon.checked import checked, optional, optional_texts, within
from drugmon.errors import RecipeError, SettingsError


@dataclass(frozen=True)
class Things:
    name: str = "x"
    note: str = optional()
    parts: tuple[str, ...] = optional_texts("a")
    names: Mapping[str, str] = field(default_factory=dict)
    size: float = within(1.0, 0, 5)


def test_what_is_optional_may_be_empty() -> None:
    assert checked(Things, {"note": "", "parts": []}, "f: things") == Things(note="", parts=())


def test_a_table_of_texts_is_taken() -> None:
    assert checked(Things, {"names": {"a": "b"}}, "f: things").names == {"a": "b"}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"nam": "y"}, "f: things has no key 'nam'; valid keys: name, note, parts, names, size"),
        ({"name": ""}, "f: things.name = '' will not do: give a text"),
        ({"names": {"a": 1}}, "f: things.names = {'a': 1} will not do: give a table of texts"),
        ({"names": "a"}, "f: things.names = 'a' will not do: give a table of texts"),
        ({"size": 6}, "f: things.size = 6.0 will not do: give a number from 0 to 5"),
        (3, "f: things is a section; give its keys under it"),
    ],
)
def test_a_mistake_names_the_key_and_the_remedy(table: Any, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        checked(Things, table, "f: things")
    assert str(caught.value) == message


def test_the_error_is_the_callers() -> None:
    with pytest.raises(RecipeError):
        checked(Things, {"nam": "y"}, "recipe x: things", RecipeError)
