"""Text files line by line: decompressed, decoded, and with errors that say where."""

from __future__ import annotations

import io
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO, TextIO, cast

import pyarrow as pa

from drugmon.data.encoding import BOM, detect_encoding, known_encoding, undecodable
from drugmon.data.sources import FileSource
from drugmon.errors import SourceError

_BUFFER = 1 << 20


def read_lines(source: FileSource, encoding: str | None, newline: str) -> Generator[str]:
    """Yield the lines of a file with their own line ends.

    Args:
        source: a text file, maybe compressed.
        encoding: a Python codec's name; None takes what the byte order mark says, else UTF-8.
        newline: what ends a line: "" for any of LF, CR LF and CR, or "\\n" for LF alone.

    Raises:
        UsageError: there is no such encoding.
        SourceError: the file cannot be opened, is damaged, not so encoded, or not text.
    """
    encoding = known_encoding(encoding) if encoding else None
    try:
        with _open_bytes(source) as stream:
            used = encoding or detect_encoding(stream.peek(4)[:4])
            text = io.TextIOWrapper(stream, encoding=used, newline=newline)
            for number, line in enumerate(text, 1):
                if "\0" in line:
                    raise SourceError(
                        f"{source.name}: line {number:,} holds a NUL byte, so this is no "
                        f"{source.format.upper()} text; if it is UTF-16, add --encoding utf-16-le"
                    )
                yield line if number > 1 else line.removeprefix(BOM)
    except UnicodeDecodeError as error:
        try:
            with _open_bytes(source) as stream:
                raise undecodable(cast(BinaryIO, stream), used, source.name) from error
        except UnicodeError:  # a codec such as idna cannot say where
            raise _not_encoded(source, used) from error
    except UnicodeError as error:
        raise _not_encoded(source, used) from error
    except OSError as error:
        # What the system says has a number; a damaged stream has none.
        reason = error.strerror or f"damaged {source.compression or 'text'} data"
        raise SourceError(f"{source.name}: cannot be read ({reason})") from error


def _not_encoded(source: FileSource, encoding: str) -> SourceError:
    return SourceError(f"{source.name}: not {encoding.upper()}; check --encoding")


def open_text(path: Path, compression: str | None) -> TextIO:
    """Open a UTF-8 text file for writing; line ends are written as they are given."""
    if compression is None:
        return path.open("w", encoding="utf-8", newline="")
    return io.TextIOWrapper(
        pa.output_stream(path.open("wb"), compression=compression), encoding="utf-8", newline=""
    )


def _open_bytes(source: FileSource) -> io.BufferedReader:
    if source.compression is None:
        return source.path.open("rb")
    return io.BufferedReader(
        pa.input_stream(source.path.open("rb"), compression=source.compression), _BUFFER
    )
