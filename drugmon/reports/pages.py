"""The templates of every page, and how figures are written on them."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

UNDEFINED = "\N{EN DASH}"
"""What stands where a figure is undefined."""


@cache
def environment() -> Environment:
    """The environment of drugmon's templates: HTML is escaped, an unknown name is an error."""
    templates = Environment(
        loader=PackageLoader("drugmon.reports"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {
        "figure": figure,
        "count": count,
        "percent": percent,
        "target": target_title,
    }
    return templates


def figure(value: float | None, digits: int = 3) -> str:
    """Write a figure with `digits` decimals and a true minus sign: .5 is "0.500"."""
    if value is None:
        return UNDEFINED
    text = f"{value:.{digits}f}"
    return "\N{MINUS SIGN}" + text[1:] if text.startswith("-") else text


def count(value: int) -> str:
    """Write a count with commas: 3107 is "3,107"."""
    return f"{value:,}"


def percent(share: float | None, digits: int = 0) -> str:
    """Write a share of 1 in percent: .25 is "25 %" (with a no-break space)."""
    return UNDEFINED if share is None else f"{share * 100:.{digits}f}\N{NO-BREAK SPACE}%"


def target_title(name: str) -> str:
    """Write a target's name as a heading: "side_effects" is "Side effects"."""
    return name.replace("_", " ").capitalize()
