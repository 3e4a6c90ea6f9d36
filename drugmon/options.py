"""Options: declared once, as fields of frozen dataclasses, for all who ask for them.

A command's config is such a class, composed of groups that several commands share. The command line
makes its flags of what is declared (`drugmon.cli.options`), a settings file its keys
(`drugmon.checked`), and Python takes the same names (`build`). Nothing here imports anything heavy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import Field, dataclass, field, fields, replace
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Final, TypedDict, TypeVar, Unpack

from drugmon.errors import UsageError

T = TypeVar("T")

_OPTION: Final = "declared"
_GROUP: Final = "group"
_KINDS: Final[Mapping[type, tuple[str, tuple[type, ...]]]] = {
    bool: ("True or False", (bool,)),
    int: ("a whole number", (Integral,)),
    float: ("a number", (Real,)),
    str: ("a text", (str, Path)),
    Path: ("a path", (str, Path)),
    tuple: ("a list of texts", (list, tuple)),
    dict: ("a mapping of texts to texts", (Mapping,)),
}
"""What options of a kind want, and what programs may give them."""

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")

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
    """A value as its option has it, where programs may have it otherwise: a path as text, a list.

    Raises:
        UsageError: it is of another type, or out of range.
    """
    declared = _declared(spec)
    if declared is None or declared.kind not in _KINDS or value is declared.default:
        return value
    if not _is_of(declared.kind, value):
        wanted, _ = _KINDS[declared.kind]
        none = ", or None" if declared.default is None else ""
        raise UsageError(
            f"{_called(declared)}: must be {wanted}{none}; this is of type {type(value).__name__}"
        )
    made: object = declared.kind(value)
    if isinstance(made, Path) and _is_uri(made):
        raise UsageError(f"{_called(declared)}: is a URI; give a path on this machine")
    if isinstance(value, Path) and _is_uri(value):
        raise UsageError(f"{_called(declared)}: a Path has one slash of a URI; give it as text")
    low, high = declared.low, declared.high
    above = low is None or (isinstance(made, int | float) and made >= low)
    below = high is None or (isinstance(made, int | float) and made <= high)
    if not (above and below):
        span = f"{low:,} or more" if high is None else f"from {low:,} to {high:,}"
        raise UsageError(f"{_called(declared)} {made}: must be {span}")
    return made


def _is_uri(path: Path) -> bool:
    """Whether a path was written as a URI, of which it would make folders such as `s3:`."""
    first = Path(*path.parts[:1])
    return _SCHEME.fullmatch(str(first)) is not None and not first.exists()


def _is_of(kind: type, value: object) -> bool:
    """Whether an option of a kind takes a value; what lists and mappings hold are texts."""
    _, types = _KINDS[kind]
    parts: Iterable[object] = value if isinstance(value, list | tuple) else ()
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    is_flag = isinstance(value, bool) and kind is not bool
    return isinstance(value, types) and not is_flag and all(isinstance(p, str) for p in parts)


def _called(declared: Option) -> str:
    """What messages call an option: its flag, or its name where it has none."""
    return declared.flag or declared.name


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
