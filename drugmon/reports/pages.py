"""The templates of every page, and how figures are written on them."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from drugmon.monitoring.checks.told import told_effect, told_limit
from drugmon.statistics.figures import Interval
from drugmon.wording import escaped

UNDEFINED = "\N{EN DASH}"
"""What stands where a figure is undefined."""

_MINUS: Final = re.compile(r"(?<![^\s(])-(?=\d)")
_GAP: Final = re.compile(r"(?<=\d) (?=%)|(?<=\b[np]) (?=[=<])|(?<=\b[np] [=<]) (?=\d)")
_PATH: Final = re.compile(r"""(?<![^\s('"])/[^\s:;,'"()]+/[^\s:;,'"()]*(?<!\.)""")
"""A path from the root on, of two names at least; not the point at a sentence's end."""


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
        finalize=_harmless,
    )
    templates.filters |= {
        "figure": figure,
        "count": count,
        "percent": percent,
        "points": points,
        "step": step,
        "number": number,
        "with_interval": with_interval,
        "p_value": p_value,
        "target": target_title,
        "prose": prose,
        "file_names": file_names,
        "told_effect": told_effect,
        "told_limit": told_limit,
    }
    return templates


def _harmless(value: object) -> object:
    """What stands in a page turns no direction of writing and holds no control character."""
    if isinstance(value, Markup):
        return Markup(escaped(value))
    return escaped(value) if isinstance(value, str) else value


def figure(value: float | None, digits: int = 3) -> str:
    """Write a figure with `digits` decimals and a true minus sign: .5 is "0.500"."""
    if value is None:
        return UNDEFINED
    text = f"{value:.{digits}f}"
    if text.startswith("-") and float(text):
        return "\N{MINUS SIGN}" + text[1:]
    return text.removeprefix("-")


def count(value: int) -> str:
    """Write a count with commas: 3107 is "3,107"."""
    return f"{value:,}"


def percent(share: float | None, digits: int = 0) -> str:
    """Write a share of 1 in percent: .25 is "25 %" (with a no-break space)."""
    return UNDEFINED if share is None else f"{share * 100:.{digits}f}\N{NO-BREAK SPACE}%"


def with_interval(interval: Interval) -> str:
    """Write a figure with its interval, with as many decimals as the interval's width deserves."""
    value, low, high = interval.value, interval.low, interval.high
    width = 0.0 if low is None or high is None else high - low
    if width < 1e-9:  # an interval of no width may have its ends a rounding error apart
        return number(value)
    digits = 0 if width >= 20 else min(max(2, -math.floor(math.log10(width / 4))), 5)
    return f"{figure(value, digits)} ({figure(low, digits)} to {figure(high, digits)})"


def points(share: float | None, digits: int = 0) -> str:
    """Write a change of a share in signed percentage points: .12 is "+12"."""
    if share is None:
        return UNDEFINED
    sign = "+" if round(share * 100, digits) > 0 else ""
    return sign + figure(share * 100, digits)


def step(before: float, after: float, digits: int = 1) -> str:
    """Write the change from one share to another in points, as the shares are written.

    So what is read adds up: .6516 to .6078 is 65 % to 61 % and "-4", not "-4.4" rounded by itself.
    """
    return points((round(100 * after, digits) - round(100 * before, digits)) / 100, digits)


def number(value: float | None) -> str:
    """Write a figure of any size with three or so digits that tell: 1,240, 2.1, 0.041."""
    if value is None:
        return UNDEFINED
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}".replace("-", "\N{MINUS SIGN}")
    return figure(value, 1 if abs(value) >= 1 else 3)


def p_value(value: float | None) -> str:
    """Write a p-value; one below .001 is "< 0.001"."""
    return "<\N{NO-BREAK SPACE}0.001" if value is not None and value < 0.001 else figure(value)


def prose(sentence: str) -> str:
    """Set a sentence for reading: true minus signs, and no line ends within a figure."""
    said = _MINUS.sub("\N{MINUS SIGN}", sentence)
    return _GAP.sub("\N{NO-BREAK SPACE}", said)


def file_names(sentence: str) -> Markup:
    """Show of each whole path in a sentence its last name; the path is told on pointing at it."""
    said, end = Markup(), 0
    for path in _PATH.finditer(sentence):
        name = re.sub("^.*/(?=.)", "", path[0])
        shown = Markup('<span title="{}">{}</span>').format(path[0], name)
        said += Markup("{}").format(sentence[end : path.start()]) + shown
        end = path.end()
    return said + Markup("{}").format(sentence[end:])


def target_title(name: str) -> str:
    """Write a target's name as a heading: "side_effects" is "Side effects"."""
    return name.replace("_", " ").capitalize()
