"""What messages may tell of data, and how: the one place where that is decided.

A file without a header has a review where names should be, a wrong column holds texts where grades
should be. So a name is told only where it looks like one, and a value only where it is a number.
And nothing that is told acts on the terminal, log or page where people read it.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable
from typing import Final

_LONGEST_NAME: Final = 40
_MOST_WORDS: Final = 4
_MOST_NAMES: Final = 20
_NAME: Final = re.compile(r"(?:[^\W\d][\w .:/()#%-]*|Unnamed: \d+)?")
_NUMBER: Final = re.compile(r"[-+]?\d[\d.,/%]{0,18}")
_PROSE: Final = frozenset(
    (
        *("i", "i'm", "me", "my", "we", "you", "your", "he", "she", "they", "it", "it's", "its"),
        *("am", "is", "are", "was", "were", "be", "been", "have", "had", "has", "did", "does"),
        *("the", "this", "that", "these", "not", "very", "so", "but", "with", "because", "for"),
        *("after", "before", "when", "felt", "feel", "made"),
    )
)
"""Words of texts, which names of columns do without."""

_CELLS: Final = frozenset(
    (
        *("no", "none", "nothing", "yes", "ok", "okay", "great", "good", "bad", "awful", "fine"),
        *(
            "terrible",
            "horrible",
            "excellent",
            "wonderful",
            "amazing",
            "useless",
            "worse",
            "better",
        ),
        *("worked", "works", "helped", "helps", "took", "taking", "stopped", "started", "cured"),
        *("severe", "mild", "moderate", "highly", "considerably", "marginally", "extremely"),
        *("ineffective", "headache", "headaches", "nausea", "dizziness", "insomnia", "drowsy"),
    )
)
"""Words of short cells, by which a first line that is no header is known."""

_TELLING: Final = frozenset(
    (
        *("i", "i'm", "i've", "i'd", "me", "my", "we", "you", "your", "he", "she", "they", "it"),
        *("it's", "am", "is", "are", "was", "were", "be", "been", "have", "had", "has", "did"),
        *("does", "this", "these", "very", "but", "because", "when", "felt", "feel", "made"),
    )
)
"""Words of texts, which names of drugs and conditions do without: "with" and "for" have both."""

_LONGEST_VALUE: Final = 60
_MOST_WORDS_OF_VALUE: Final = 8

LIKE_TEXT: Final = "other values that look like text"
"""What stands for values of a column of names that are none."""

_SENTENCE: Final = re.compile(r"[!?\n]|[a-z]{3}[.,]? *[.;]( |$)")

_BREAKS: Final = re.compile("[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Control characters, marks that turn the direction of writing, and what no encoding can write.
_ACTING: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def is_name(text: str) -> bool:
    """Tell whether `text` looks like the name of a column, and not like words of a review."""
    words = text.casefold().split()
    short = len(text) <= _LONGEST_NAME and len(words) <= _MOST_WORDS
    plain = _PROSE.isdisjoint(words) and _CELLS.isdisjoint(words)
    return short and plain and _NAME.fullmatch(text) is not None


def is_value(text: str) -> bool:
    """Tell whether `text` looks like a name of a drug, a condition or a group of reviews.

    What does not may be words of a review, as where a delivery's columns shifted.
    """
    words = text.casefold().split()
    short = len(text) <= _LONGEST_VALUE and len(words) <= _MOST_WORDS_OF_VALUE
    bare = {word.strip('.,;:!?()"') for word in words}
    return short and not _SENTENCE.search(text) and _TELLING.isdisjoint(bare)


def names_told(names: Iterable[str]) -> str:
    """Return the names of a source's columns for a message; how many, if one looks like no name.

    Where one does not, none is told: there may be no header, and then all are cells of a review.
    """
    listed = list(names)
    if not listed:
        return "no columns"
    if not all(map(is_name, listed)):
        count = f"{len(listed)} columns" if len(listed) > 1 else "one column"
        return f"{count}, not all with a name (does the first line hold names?)"
    shown = ", ".join(repr(name) for name in listed[:_MOST_NAMES])
    more = len(listed) - _MOST_NAMES
    return shown if more <= 0 else f"{shown} and {more} more"


def name_told(name: str) -> str:
    """Return the name of one column for a message, or what stands for it."""
    return repr(name) if is_name(name) else f"a column with a name of {len(name):,} characters"


def value_told(value: object) -> str:
    """Return a cell for a message: numbers as they are, anything else by its length."""
    text = str(value)
    if isinstance(value, bool) or _NUMBER.fullmatch(text.strip()):
        return repr(value)
    return f"a value of {len(text):,} characters"


def path_told(path: str | os.PathLike[str]) -> str:
    """Return a path for messages and records; bytes that are no UTF-8 become a question mark."""
    return os.fspath(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def encodable(text: str) -> str:
    """Return `text` as UTF-8 can hold it, of the same length, as sources of JSONL are read.

    Half a character (a lone surrogate), which JSON may have and UTF-8 cannot, becomes U+FFFD.
    """
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def each_once(texts: Iterable[str]) -> str:
    """Return the texts that are not empty, each once, in order, with semicolons between them."""
    return "; ".join(filter(None, dict.fromkeys(texts)))


def warn_program(sentence: str) -> None:
    """Hand a program what its user should know although the work goes on, as Python's warning."""
    warnings.warn(one_line(sentence), stacklevel=3)


def one_line(text: str) -> str:
    """Return `text` as one line, in which control characters are written out, as `\\x1b`.

    A name with a line end cannot forge a line of a log, and one with an escape sequence cannot
    paint a terminal.
    """
    return escaped(_BREAKS.sub(" ", text))


def escaped(text: str) -> str:
    """Return `text`, its lines as they are, in which control characters are written out."""
    return _ACTING.sub(lambda match: _written_out(match[0]), text)


def _written_out(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
