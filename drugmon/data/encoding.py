"""Text encodings: how a file's is recognised, and where a file stops being what it should be."""

from __future__ import annotations

import codecs
import io
from typing import BinaryIO, Final

from drugmon.errors import SourceError, UsageError

DEFAULT_ENCODING: Final = "utf-8"
BOM: Final = "\ufeff"
_BOMS: Final = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK: Final = 1 << 20


def known_encoding(name: str) -> str:
    """Return `name` if Python can decode text with it.

    Raises:
        UsageError: it is no codec's name, or the codec of something else than text.
    """
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name)
    except (LookupError, ValueError) as error:
        shown = name if name.isprintable() else ascii(name)
        raise UsageError(
            f"--encoding {shown}: no such encoding; use one such as utf-8, latin-1, cp1252, utf-16"
        ) from error
    return name


def detect_encoding(head: bytes) -> str:
    """Return the encoding that the first four bytes of a file tell: UTF-8 where there is no mark.

    A UTF-8 mark needs no encoding of its own; readers drop `BOM` from the first line.
    """
    return next((name for mark, name in _BOMS if head.startswith(mark)), DEFAULT_ENCODING)


def undecodable(stream: BinaryIO, encoding: str, where: str) -> SourceError:
    """Return the error that names the first byte of `stream` that is not `encoding`.

    A text reader decodes ahead of the line it gives, so the place has to be looked up again.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    offset, line = 0, 1
    while True:
        chunk = stream.read(_CHUNK)
        pending = len(decoder.getstate()[0])
        try:
            line += decoder.decode(chunk, final=not chunk).count("\n")
        except UnicodeDecodeError as error:
            line += error.object[: error.start].decode(encoding, "replace").count("\n")
            return not_encoded(encoding, where, line, offset - pending + error.start)
        if not chunk:
            return SourceError(f"{where}: changed while it was being read; run again")
        offset += len(chunk)


def not_encoded(encoding: str, where: str, line: int, offset: int) -> SourceError:
    """Return the error for a byte (at `offset` from 0, in `line` from 1) that is not `encoding`.

    Args:
        encoding: the codec's name.
        where: the file, for the message.
        line: of the byte, from 1.
        offset: of the byte in the file, from 0.
    """
    return SourceError(
        f"{where}: not {encoding.upper()} at byte {offset:,} (line {line:,}); if it is Latin-1 "
        "or Windows text, add --encoding latin-1 or --encoding cp1252"
    )
