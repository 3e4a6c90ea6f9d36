"""Checked sections: frozen dataclasses filled from TOML tables, by key, type and range."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from math import inf
from pathlib import Path
from typing import Any, Final, TypeVar

from drugmon.errors import DrugmonError, SettingsError
from drugmon.options import Option, options_of

T = TypeVar("T")
Number = TypeVar("Number", int, float)
_SHOWN: Final = 80
_EXACT: Final = 2**53
_UNSET: Final = ("", 0, ())
"""What a settings file says where nothing is set: TOML has no null."""


def within(default: Number, low: float, high: float) -> Number:
    """Return a dataclass field for a number of `default`'s own type from `low` to `high`."""
    return field(default=default, metadata={"low": low, "high": high})


def one_of(default: str, choices: tuple[str, ...]) -> str:
    """Return a dataclass field for one of `choices`."""
    return field(default=default, metadata={"choices": choices})


def optional(default: str = "", *, secret: bool = False) -> str:
    """Return a dataclass field for a text that may be empty: not set.

    A `secret` value is in no message.
    """
    told = {"secret": True} if secret else {}
    return field(default=default, metadata={"optional": True, **told})


def optional_texts(*default: str) -> tuple[str, ...]:
    """Return a dataclass field for a list of texts that may be empty: not set."""
    return field(default=default, metadata={"optional": True})


def parse_toml(
    text: str | bytes, where: str, error: type[DrugmonError] = SettingsError
) -> dict[str, object]:
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
) -> dict[str, object]:
    """Return `table` if it is a TOML table with no other keys than the valid ones.

    Args:
        table: what TOML says.
        valid: the keys that it may have.
        where: the table, for messages.
        error: what to raise.

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

    Args:
        kind: the dataclass; its fields are the keys.
        table: what TOML says.
        where: the table, for messages.
        error: what to raise.

    Raises:
        SettingsError, or what `error` says: `table` is no table, or a key is unknown or its value
            of a wrong type or range.
    """
    keys = {spec.name: _key_of(spec) for spec in fields(kind)}  # type: ignore[arg-type]
    values = check_keys(table, keys, where, error)
    return kind(**{name: _value(keys[name], value, where, error) for name, value in values.items()})


def checked_options(
    kind: type, table: object, where: str, error: type[DrugmonError] = SettingsError
) -> dict[str, Any]:
    """Return the values of options from a TOML `table`, for `drugmon.options.build`.

    Args:
        kind: the dataclass that declares them; those with a key may be in the table.
        table: what TOML says.
        where: the table, for messages.
        error: what to raise.

    Returns:
        By the options' names; those that are left out, or say "not set", are not in it. Paths are
        texts, as they are written.

    Raises:
        SettingsError, or what `error` says: as `checked`.
    """
    options = keys_of(kind)
    values = check_keys(table, options, where, error)
    settings = {}
    for name, value in values.items():
        option = options[name]
        value = _value(_key_of_option(option), value, where, error)
        if option.default is not None or value not in _UNSET:
            settings[option.name] = value
    return settings


def keys_of(kind: type) -> dict[str, Option]:
    """Return the options of a dataclass and its groups that settings files know, by their keys."""
    return {option.key: option for option in options_of(kind) if option.key is not None}


@dataclass(frozen=True)
class _Key:
    """What the value of a key may be."""

    name: str
    kind: type
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    may_be_empty: bool = False
    unset: str | None = None
    is_secret: bool = False
    parse: Callable[[str], object] | None = None


def _key_of(spec: Field[object]) -> _Key:
    default = spec.default if spec.default_factory is MISSING else spec.default_factory()
    told = spec.metadata
    ranges = (told.get("low"), told.get("high"))
    return _Key(
        spec.name,
        type(default),
        told.get("choices", ()),
        *ranges,
        may_be_empty="optional" in told,
        is_secret="secret" in told,
    )


def _key_of_option(option: Option) -> _Key:
    return _Key(
        option.key or option.name,
        str if option.kind is Path else option.kind,
        option.choices,
        option.low,
        option.high,
        may_be_empty=not option.default and option.kind is not dict,
        unset=option.unset if option.default is None else None,
        parse=option.parse,
    )


def _value(key: _Key, value: object, where: str, error: type[DrugmonError]) -> object:
    if key.parse is not None:
        try:
            return key.parse(str(value) if type(value) in (int, str) else shown(value))
        except ValueError as wrong:
            told = f"{where}.{key.name} = {shown(value)}"
            raise error(f"{told} will not do: {wrong}") from None
    if key.kind is tuple and isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if (
        key.kind is tuple
        and isinstance(value, list)
        and all(isinstance(part, str) for part in value)
    ):
        value = tuple(filter(None, value))
    elif key.kind is float and type(value) is int and abs(value) < _EXACT:
        value = float(value)
    if type(value) is not key.kind or _has_nul(value) or not _allowed(key, value):
        nul = ", without the character NUL" if _has_nul(value) else ""
        told = "" if key.is_secret else f" = {shown(value)}"
        raise error(f"{where}.{key.name}{told} will not do: give {_wanted(key)}{nul}")
    return value


def _has_nul(value: object) -> bool:
    """Whether a text holds the one character that no path, name or argument may hold."""
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    texts = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(text, str) and "\0" in text for text in texts)


def _allowed(key: _Key, value: object) -> bool:
    if key.unset is not None and value in _UNSET:
        return True
    if key.choices:
        return value in key.choices
    if key.low is not None or key.high is not None:
        low, high = -inf if key.low is None else key.low, inf if key.high is None else key.high
        return isinstance(value, int | float) and low <= value <= high
    if key.may_be_empty:
        return True
    if isinstance(value, Mapping):
        return all(isinstance(text, str) and text for text in value.values())
    return isinstance(value, bool) or bool(value)


def _wanted(key: _Key) -> str:
    if key.choices:
        return "one of " + ", ".join(key.choices)
    if key.low is not None:
        noun = "a whole number" if key.kind is int else "a number"
        unset = "" if key.unset is None else f", or 0 for {key.unset}"
        return f"{noun} from {key.low} to {key.high}{unset}"
    wanted = {bool: "true or false", tuple: "a list of texts", dict: "a table of texts"}
    return wanted.get(key.kind, "a text")
