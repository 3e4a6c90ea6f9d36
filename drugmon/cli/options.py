"""Flags of what `drugmon.options` declares, and options that only the command line has."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from drugmon.config import DEFAULT_RECIPE
from drugmon.labels import ASPECTS
from drugmon.options import NO_FLAG, Option, build, names_of, option, options_of

Command = TypeVar("Command", bound=Callable[..., object])


@dataclass(frozen=True)
class ReviewOptions:
    """The texts of one review."""

    benefits: str | None = option(None, "What the drug did for the reviewer.", kind=str)
    side_effects: str | None = option(None, "What else it did.", kind=str)
    comments: str | None = option(None, "Anything else that was said.", kind=str)
    text: str | None = option(
        None, "A review in one piece; gives the overall verdict only.", kind=str
    )

    def asked(self) -> ReviewOptions:
        """The texts; asked for on a terminal where none is given."""
        if any(asdict(self).values()) or not sys.stdin.isatty():
            return self
        texts = {
            name: click.prompt(name.replace("_", " "), default="", show_default=False)
            for name in ASPECTS
        }
        return ReviewOptions(**texts)


def takes(**kinds: type) -> Callable[[Command], Command]:
    """Add the options that dataclasses declare, and call the command with one of each.

    Args:
        kinds: the dataclasses, by the names of the command's arguments that they become. What they
            need beyond options, such as a source, comes from the command's own arguments.
    """

    def add(command: Command) -> Command:
        @functools.wraps(command)
        def called(*args: object, **given: object) -> object:
            made: dict[str, object] = {}
            for name, kind in kinds.items():
                settings = {key: given.pop(key) for key in names_of(kind) if key in given}
                made[name] = build(kind, **settings)
            return command(*args, **made, **given)

        for declared in reversed([named for kind in kinds.values() for named in options_of(kind)]):
            if declared.flag != NO_FLAG:
                called = _click_option(declared)(called)
        return cast(Command, called)

    return add


def _click_option(declared: Option) -> Callable[[Command], Command]:
    """What click shows and parses of a declared option."""
    unset = f"  [default: {declared.unset}]" if declared.unset else ""
    details: dict[str, Any] = {"help": f"{declared.help}{unset}", "metavar": declared.metavar}
    if declared.kind is bool:
        return click.option(declared.flag, declared.name, is_flag=True, **details)
    if declared.kind is dict:
        details["callback"] = functools.partial(_pairs, form=declared.metavar or "")
        return click.option(declared.flag, declared.name, multiple=True, **details)
    if declared.parse is not None:
        details |= {"callback": functools.partial(_parsed, parse=declared.parse)}
        return click.option(declared.flag, declared.name, default=declared.written, **details)
    if declared.is_repeated:
        details["multiple"] = True
    elif declared.kind is tuple:
        details["callback"] = _listed
    if declared.default is not None and not declared.is_repeated:
        default = declared.default
        details["default"] = ",".join(default) if isinstance(default, tuple) else default
    return click.option(declared.flag, declared.name, type=_click_type(declared), **details)


def _click_type(declared: Option) -> Any:
    if declared.choices:
        return click.Choice(declared.choices)
    if declared.kind in (int, float) and (declared.low, declared.high) != (None, None):
        range_of: Any = click.IntRange if declared.kind is int else click.FloatRange
        return range_of(min=declared.low, max=declared.high)
    if declared.kind is Path:
        whole = declared.is_folder
        return click.Path(dir_okay=whole, file_okay=not whole, path_type=Path)
    return None if declared.kind is tuple else declared.kind


def _parsed(
    _context: click.Context, _option: click.Parameter, value: str, parse: Callable[[str], object]
) -> object:
    """The callback of an option that is written otherwise than it is kept."""
    try:
        return parse(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _listed(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> tuple[str, ...] | None:
    """The callback of an option that takes several names with commas between."""
    if value is None:
        return None
    return tuple(part.strip() for part in value.split(",") if part.strip())


def output_options(command: Command) -> Command:
    """Add the options of what to print."""
    for added in (
        click.option("--quiet", "-q", is_flag=True, help="Print errors only."),
        click.option("--json", "as_json", is_flag=True, help="Print one machine-readable summary."),
    ):
        command = added(command)
    return command


def recipe_options(whose: str) -> Callable[[Command], Command]:
    """Add the options that say how to train; `whose` recipe `--set` changes."""

    def add(command: Command) -> Command:
        change = click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="KEY=VALUE",
            help=f"Change one key of {whose}, such as lora.r=32; may be repeated.",
        )
        recipe = click.option(
            "--recipe", default=DEFAULT_RECIPE, help="A packaged recipe, or a .toml file."
        )
        return recipe(change(command))

    return add


def _pairs(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...], form: str
) -> dict[str, str]:
    """The callback of an option that is repeated with a pair each."""
    pairs = [value.partition("=") for value in values]
    for value, (field, equals, name) in zip(values, pairs, strict=True):
        if not (field and equals and name):
            raise click.BadParameter(f"{value!r} is not of the form {form}")
    return {field: name for field, _, name in pairs}
