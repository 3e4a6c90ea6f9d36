"""How text files are written: their encoding, what separates cells, and what quotes mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from drugmon.data.encoding import known_encoding
from drugmon.errors import UsageError
from drugmon.options import option

if TYPE_CHECKING:
    from drugmon.data.sources import FileSource

CHECKED, STANDARD, NONE = "checked", "standard", "none"
QUOTING: Final = (CHECKED, STANDARD, NONE)
"""What `--quoting` can say.

`standard` is RFC 4180: a cell that begins with a quote ends with one, and a quote inside is
doubled. `checked` is the same, and refuses a file whose quotes could as well be part of its texts.
`none` takes every quote as text and every line as a row.
"""

DELIMITERS: Final = {"csv": ",", "tsv": "\t"}
"""What separates the cells of each format where nothing else is said."""

_SPELLED: Final = {"tab": "\t", "\\t": "\t"}


@dataclass(frozen=True)
class TextFormat:
    """How a text file is to be read.

    Attributes:
        encoding: a Python codec's name; None for what the file's mark says, else UTF-8.
        quoting: a value of `QUOTING`; JSONL has no such choice.
        delimiter: the one character between cells, or "tab"; None for that of the extension.

    Raises:
        UsageError: a value will not do.
    """

    encoding: str | None = option(
        None,
        "Encoding of text files.",
        kind=str,
        unset="recognised UTF-8/16",
        key="encoding",
    )
    quoting: str = option(
        CHECKED,
        "What quotes mean in csv and tsv: none reads them as text.",
        choices=QUOTING,
        key="quoting",
    )
    delimiter: str | None = option(
        None,
        "What separates cells, such as ';' or tab.",
        kind=str,
        metavar="CHARACTER",
        unset=", in csv, tab in tsv",
        key="delimiter",
    )

    def __post_init__(self) -> None:
        if self.encoding is not None:
            known_encoding(self.encoding)
        if self.quoting not in QUOTING:
            raise UsageError(f"--quoting: must be one of {', '.join(QUOTING)}")
        if self.delimiter is not None:
            object.__setattr__(self, "delimiter", _one_character(self.delimiter))

    def separator(self, format: str) -> str:
        """Return what separates the cells of a file of `format`, a key of `DELIMITERS`."""
        return self.delimiter or DELIMITERS[format]

    def of_output(self, source: FileSource, target: FileSource) -> TextFormat:
        """Return how the output of `source` is read: drugmon writes UTF-8.

        Between files of one format the lines stay as they are; between others they are written
        anew, in standard form.
        """
        if source.format == target.format:
            return replace(self, encoding=None)
        return TextFormat(quoting=STANDARD)

    def options(self) -> list[str]:
        """Return the words of a command line that say the same; none for the defaults."""
        words = ["--encoding", self.encoding] if self.encoding else []
        if self.quoting != CHECKED:
            words += ["--quoting", self.quoting]
        if self.delimiter:
            words += ["--delimiter", "tab" if self.delimiter == "\t" else self.delimiter]
        return words


DEFAULT_TEXT_FORMAT: Final = TextFormat()


def _one_character(text: str) -> str:
    character = _SPELLED.get(text, text)
    plain = len(character) == 1 and (character == "\t" or character.isprintable())
    if not plain or character.isalnum() or character in "\"' _":
        raise UsageError(
            '--delimiter: must be one character that separates cells, such as ";", "|" or tab'
        )
    return character
