"""Checked sections: frozen dataclasses filled from TOML tables, by key, type and range."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import Field, field, fields
from typing import Any, TypeVar

from drugmon.errors import RecipeError

T = TypeVar("T")


def within(default: float, low: float, high: float) -> Any:
    """Return a dataclass field for a number of `default`'s own type from `low` to `high`."""
    return field(default=default, metadata={"low": low, "high": high})


def one_of(default: str, choices: tuple[str, ...]) -> Any:
    """Return a dataclass field for one of `choices`."""
    return field(default=default, metadata={"choices": choices})


def check_keys(table: object, valid: Iterable[str], where: str) -> dict[str, Any]:
    """Return `table` if it is a TOML table with no other keys than the valid ones.

    Raises:
        RecipeError: naming the key and listing the valid ones.
    """
    if not isinstance(table, dict):
        raise RecipeError(f"{where} is a section; give its keys under it")
    valid = tuple(valid)
    for key in table:
        if key not in valid:
            raise RecipeError(f"{where} has no key {key!r}; valid keys: {', '.join(valid)}")
    return table


def checked(kind: type[T], table: object, where: str) -> T:
    """Return `kind` filled from a TOML `table`; keys left out keep their defaults.

    Raises:
        RecipeError: `table` is no table, or a key is unknown or its value of a wrong type or range.
    """
    specs = {spec.name: spec for spec in fields(kind)}  # type: ignore[arg-type]
    values = check_keys(table, specs, where)
    return kind(**{key: _value(specs[key], value, where) for key, value in values.items()})


def _value(spec: Field[Any], value: object, where: str) -> object:
    kind = type(spec.default)
    if kind is tuple and isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if kind is tuple and isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = tuple(filter(None, value))
    elif kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or not _allowed(spec, value):
        raise RecipeError(f"{where}.{spec.name} = {value!r} will not do: give {_wanted(spec)}")
    return value


def _allowed(spec: Field[Any], value: Any) -> bool:
    if "choices" in spec.metadata:
        return value in spec.metadata["choices"]
    if "low" in spec.metadata:
        return bool(spec.metadata["low"] <= value <= spec.metadata["high"])
    return isinstance(value, bool) or bool(value)


def _wanted(spec: Field[Any]) -> str:
    if "choices" in spec.metadata:
        return "one of " + ", ".join(spec.metadata["choices"])
    if "low" in spec.metadata:
        noun = "a whole number" if isinstance(spec.default, int) else "a number"
        return f"{noun} from {spec.metadata['low']} to {spec.metadata['high']}"
    if isinstance(spec.default, bool):
        return "true or false"
    return "a list of texts" if isinstance(spec.default, tuple) else "a text"
