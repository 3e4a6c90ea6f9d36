"""Options: declared once, as fields of frozen dataclasses, for all who ask for them.

A command's config is such a class, composed of groups that several commands share. The command line
makes its flags of what is declared (`drugmon.cli.options`), a settings file its keys
(`drugmon.checked`), and Python takes the same names (`build`). Nothing here imports anything heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import Field, dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Final, TypedDict, TypeVar, Unpack

from drugmon.errors import UsageError

T = TypeVar("T")

_OPTION: Final = "declared"
_GROUP: Final = "group"
NO_FLAG: Final = ""
"""The flag of an option that only Python and settings files have."""


@dataclass(frozen=True)
class Option:
    """What is declared of an option.

    Attributes:
        name: of its field; Python and environment variables call it so.
        help: a sentence on what it does.
        kind: the type of its values; of a `dict` and a `tuple` these are texts.
        default: its value where nothing is said.
        flag: on the command line, such as `--lock-timeout`.
        key: in a settings file; None where it is in none.
        unset: what the default None stands for.
        choices: all values that will do; empty where others tell.
        low, high: the range of a number, ends included; None where it is open.
        metavar: what help writes for the value.
        parse: reads what is written on the command line; it raises ValueError. None where that
            takes no more than the kind.
        written: the default as people write it, where it is parsed.
        is_folder: whether a path is a folder's.
        is_repeated: whether the flag is given once for each of several values, not with commas.
    """

    name: str
    help: str
    kind: type
    default: object
    flag: str
    key: str | None = None
    unset: str = ""
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    metavar: str | None = None
    parse: Callable[[str], object] | None = None
    written: str = ""
    is_folder: bool = False
    is_repeated: bool = False


class Details(TypedDict, total=False):
    """What may be declared of an option beside its default, help, kind and flag: see `Option`."""

    key: str | None
    unset: str
    choices: tuple[str, ...]
    low: float | None
    high: float | None
    metavar: str | None
    parse: Callable[[str], object] | None
    written: str
    is_folder: bool
    is_repeated: bool


def option(
    default: T,
    help: str,
    *,
    kind: type | None = None,
    flag: str | None = None,
    **details: Unpack[Details],
) -> T:
    """Declare a field of a dataclass to be an option.

    Args:
        default: its value where nothing is said; None with a `kind` where that is "not set".
        help: a sentence on what it does, for the command's help.
        kind: the type of its values; None for the default's.
        flag: on the command line; None for the field's name with hyphens, `NO_FLAG` for none.
        details: other attributes of `Option`.
    """
    declared = Option("", help, kind or type(default), default, "", **details)
    metadata = {_OPTION: declared, "flag": flag}
    if isinstance(default, dict):
        return field(default_factory=partial(copy, default), metadata=metadata)
    return field(default=default, metadata=metadata)


def group(kind: type[T]) -> T:
    """Declare a field of a dataclass to be a group of options, which are the dataclass's too."""
    made: T = field(default_factory=kind, metadata={_GROUP: kind})
    return made


def options_of(kind: type) -> tuple[Option, ...]:
    """Return the options of a dataclass and of its groups, in the order in which they stand."""
    return tuple(filter(None, map(_declared, _flat(kind))))


def names_of(kind: type) -> tuple[str, ...]:
    """Return the names of all values that `build` fills in, options or not."""
    return tuple(spec.name for spec in _flat(kind))


def build(kind: type[T], /, **values: object) -> T:
    """Return a dataclass whose groups are filled in from `values` too.

    Args:
        kind: the dataclass.
        values: of its own fields, of those of its groups, and whole groups; defaults fill the rest.

    Raises:
        UsageError: there is no option of a name, or the dataclass refuses what they are together.
    """
    valid = {*names_of(kind), *_group_names(kind)}
    for name in values:
        if name not in valid:
            raise UsageError(f"there is no option {name!r}; valid ones: {', '.join(sorted(valid))}")
    return _filled(kind, values)


def _filled(kind: type[T], values: Mapping[str, object]) -> T:
    made = {}
    for spec in fields(kind):  # type: ignore[arg-type]
        if spec.name in values:
            made[spec.name] = _as_declared(spec, values[spec.name])
            if _GROUP in spec.metadata:
                _refuse_parts(spec, values)
        elif _GROUP in spec.metadata:
            made[spec.name] = _filled(spec.metadata[_GROUP], values)
    return kind(**made)


def _as_declared(spec: Field[object], value: object) -> object:
    """A path as its option has it: programs give it as text or as `Path`, whatever they have."""
    declared: Option | None = spec.metadata.get(_OPTION)
    if declared is not None and issubclass(declared.kind, Path) and isinstance(value, str):
        return Path(value)
    if declared is not None and declared.kind is str and isinstance(value, Path):
        return str(value)
    return value


def _refuse_parts(spec: Field[object], values: Mapping[str, object]) -> None:
    """A group that is given whole leaves nothing to fill in."""
    for name in names_of(spec.metadata[_GROUP]):
        if name in values:
            raise UsageError(f"{name} is a part of {spec.name}, which is given too; give one")


def _flat(kind: type) -> Iterator[Field[object]]:
    for spec in fields(kind):
        if _GROUP in spec.metadata:
            yield from _flat(spec.metadata[_GROUP])
        else:
            yield spec


def _group_names(kind: type) -> Iterator[str]:
    for spec in fields(kind):
        if _GROUP in spec.metadata:
            yield spec.name
            yield from _group_names(spec.metadata[_GROUP])


def _declared(spec: Field[object]) -> Option | None:
    declared = spec.metadata.get(_OPTION)
    if declared is None:
        return None
    flag = spec.metadata["flag"]
    if flag is None:
        flag = f"--{spec.name.replace('_', '-')}"
    made: Option = replace(declared, name=spec.name, flag=flag)
    return made
