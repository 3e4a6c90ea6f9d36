"""What is no text, in SQL, as `drugmon.data.reviews.clean` has it in Python."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import cache
from html.entities import html5
from typing import Final

from drugmon.data.queries import Part, Sql, statement
from drugmon.data.reviews import INVISIBLE, clean

_CODES: Final = 0x10000


def shows_something(text: Part) -> Sql:
    """Whether a text has anything that could be seen, null where it is null.

    Args:
        text: its column, or an expression.
    """
    return Sql(statement("shows_something", text=text, blank=_blank()))


def lone_text(text: str, aspects: Sequence[str], as_name: str) -> Sql:
    """A review's only text, where no aspect has one.

    Args:
        text: its column.
        aspects: the columns of the aspects.
        as_name: what it is called.
    """
    together = Sql(statement("together", texts=aspects))
    shows = shows_something(together)
    return Sql(statement("lone_text", text=text, any_aspect=shows, as_name=as_name))


@cache
def _blank() -> Sql:
    """A pattern of texts that show nothing, in the words of RE2, which lacks Unicode's white space.

    HTML entities may be escaped twice.
    """
    signs = "".join(sign if sign == "-" else f"\\x{{{ord(sign):x}}}" for sign in INVISIBLE)
    names = [re.escape(name) for name, stands_for in html5.items() if clean(stands_for) is None]
    codes = [code for code in range(_CODES) if clean(html.unescape(f"&#{code};")) is None]
    decimal = "|".join(map(str, codes))
    hexadecimal = "|".join(f"{code:x}" for code in codes)
    entities = f"{'|'.join(names)}|#0*(?:{decimal});|#[xX]0*(?i:{hexadecimal});"
    return Sql(f"'(?:[\\s\\p{{Z}}\\x{{85}}{signs}]|&(?:amp;)*(?:{entities}))*'")
