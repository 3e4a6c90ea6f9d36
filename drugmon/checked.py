"""Checked sections: frozen dataclasses filled from TOML tables, by key, type and range."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, field, fields
from typing import Any, Final, TypeVar

from drugmon.errors import DrugmonError, SettingsError

T = TypeVar("T")
_SHOWN: Final = 80
_EXACT: Final = 2**53


def within(default: float, low: float, high: float) -> Any:
    """Return a dataclass field for a number of `default`'s own type from `low` to `high`."""
    return field(default=default, metadata={"low": low, "high": high})


def one_of(default: str, choices: tuple[str, ...]) -> Any:
    """Return a dataclass field for one of `choices`."""
    return field(default=default, metadata={"choices": choices})


def optional(default: str | tuple[str, ...] = "", *, secret: bool = False) -> Any:
    """Return a dataclass field for a text or a list of texts that may be empty: not set.

    A `secret` value is in no message.
    """
    told = {"secret": True} if secret else {}
    return field(default=default, metadata={"optional": True, **told})


def parse_toml(text: str | bytes, where: str, error: type[DrugmonError] = SettingsError) -> Any:
    """Return what TOML says; `bytes` are read as UTF-8.

    Raises:
        SettingsError, or what `error` says: it is no TOML; the message begins with `where`.
    """
    try:
        return tomllib.loads(text if isinstance(text, str) else text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise error(f"{where} is not valid TOML: {wrong}") from wrong
    except RecursionError as wrong:
        raise error(f"{where} is not valid TOML: it is nested too deeply") from wrong
    except ValueError as wrong:  # as for a number of thousands of digits
        raise error(f"{where} is not valid TOML: a number has too many digits") from wrong


def shown(value: object) -> str:
    """Write a value of settings into a message: as Python has it, and not endlessly."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return "what stands there"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def check_keys(
    table: object,
    valid: Iterable[str],
    where: str,
    error: type[DrugmonError] = SettingsError,
) -> dict[str, Any]:
    """Return `table` if it is a TOML table with no other keys than the valid ones.

    Raises:
        SettingsError, or what `error` says: naming the key and listing the valid ones.
    """
    if not isinstance(table, dict):
        raise error(f"{where} is a section; give its keys under it")
    valid = tuple(valid)
    for key in table:
        if key not in valid:
            raise error(f"{where} has no key {shown(key)}; valid keys: {', '.join(valid)}")
    return table


def checked(
    kind: type[T], table: object, where: str, error: type[DrugmonError] = SettingsError
) -> T:
    """Return `kind` filled from a TOML `table`; keys left out keep their defaults.

    Raises:
        SettingsError, or what `error` says: `table` is no table, or a key is unknown or its value
            of a wrong type or range.
    """
    specs = {spec.name: spec for spec in fields(kind)}  # type: ignore[arg-type]
    values = check_keys(table, specs, where, error)
    return kind(**{key: _value(specs[key], value, where, error) for key, value in values.items()})


def _value(spec: Field[Any], value: object, where: str, error: type[DrugmonError]) -> object:
    kind = type(_default(spec))
    if kind is tuple and isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if kind is tuple and isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = tuple(filter(None, value))
    elif kind is float and type(value) is int and abs(value) < _EXACT:
        value = float(value)
    if type(value) is not kind or _has_nul(value) or not _allowed(spec, value):
        nul = ", without the character NUL" if _has_nul(value) else ""
        told = "" if "secret" in spec.metadata else f" = {shown(value)}"
        raise error(f"{where}.{spec.name}{told} will not do: give {_wanted(spec)}{nul}")
    return value


def _has_nul(value: object) -> bool:
    """Whether a text holds the one character that no path, name or argument may hold."""
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    texts = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(text, str) and "\0" in text for text in texts)


def _default(spec: Field[Any]) -> object:
    return spec.default if spec.default_factory is MISSING else spec.default_factory()


def _allowed(spec: Field[Any], value: Any) -> bool:
    if "choices" in spec.metadata:
        return value in spec.metadata["choices"]
    if "low" in spec.metadata:
        return bool(spec.metadata["low"] <= value <= spec.metadata["high"])
    if "optional" in spec.metadata:
        return True
    if isinstance(value, Mapping):
        return all(isinstance(text, str) and text for text in value.values())
    return isinstance(value, bool) or bool(value)


def _wanted(spec: Field[Any]) -> str:
    if "choices" in spec.metadata:
        return "one of " + ", ".join(spec.metadata["choices"])
    default = _default(spec)
    if "low" in spec.metadata:
        noun = "a whole number" if isinstance(default, int) else "a number"
        return f"{noun} from {spec.metadata['low']} to {spec.metadata['high']}"
    wanted = {bool: "true or false", tuple: "a list of texts", dict: "a table of texts"}
    return wanted.get(type(default), "a text")
