from __future__ import annotations

import codecs
from pathlib import Path

import pyarrow as pa
import pytest

from drugmon.data.encoding import detect_encoding, known_encoding
from drugmon.data.formats import open_reader
from drugmon.data.sources import FileSource
from drugmon.data.textformat import TextFormat
from drugmon.errors import SourceError, UsageError

TEXT = "review,x\nschön 💊,1\n"


def cells(path: Path, encoding: str | None = None) -> list[object]:
    with open_reader(FileSource.of(path), TextFormat(encoding)) as reader:
        (rows,) = reader.windows(10)
        return rows.column("review")


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), None),
        (codecs.BOM_UTF8 + TEXT.encode(), None),
        (codecs.BOM_UTF8 + TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-16"), None),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), None),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-32"), None),
    ],
)
def test_unicode_is_recognised_by_its_mark(
    content: bytes, encoding: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    assert cells(path, encoding) == ["schön 💊"]


def test_latin_1_has_to_be_named(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes("review,x\ngut,1\nschön,2\n".encode("latin-1"))
    with pytest.raises(SourceError) as caught:
        cells(path)
    assert str(caught.value) == (
        f"{path}: not UTF-8 at byte 18 (line 3); if it is Latin-1 or Windows text, "
        "add --encoding latin-1 or --encoding cp1252"
    )
    assert cells(path, "latin-1") == ["gut", "schön"]


@pytest.mark.parametrize("compression", [None, "gzip", "zstd"])
def test_the_place_is_exact_in_a_large_file(compression: str | None, tmp_path: Path) -> None:
    path = tmp_path / {None: "in.csv", "gzip": "in.csv.gz", "zstd": "in.csv.zst"}[compression]
    start = "review,x\n" + "ä,1\n" * 400_000
    with pa.output_stream(str(path), compression=compression) as stream:
        stream.write(start.encode() + b"\xe4,1\n")
    with pytest.raises(SourceError) as caught, open_reader(FileSource.of(path)) as reader:
        list(reader.windows(4096))
    offset = len(start.encode())
    assert f"not UTF-8 at byte {offset:,} (line 400,002)" in str(caught.value)


def test_utf_16_without_a_mark_is_told_from_text(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes("review,x\na,1\n".encode("utf-16-le"))
    with pytest.raises(SourceError, match=r"holds a NUL byte.* add --encoding utf-16-le"):
        cells(path)


def test_utf_16_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("review,x\na,1\n")
    with pytest.raises(SourceError, match=r"in.csv: not UTF-16; check --encoding"):
        cells(path, "utf-16")


@pytest.mark.parametrize("suffix", ["gz", "zst"])
@pytest.mark.parametrize("damage", ["cut", "garbage"])
def test_damaged_compression_is_refused(suffix: str, damage: str, tmp_path: Path) -> None:
    path = tmp_path / f"in.csv.{suffix}"
    with pa.output_stream(str(path), compression={"gz": "gzip", "zst": "zstd"}[suffix]) as stream:
        stream.write(TEXT.encode() * 1000)
    path.write_bytes(path.read_bytes()[:-9] if damage == "cut" else b"garbage" * 20)
    with pytest.raises(SourceError, match=r"cannot be read \(damaged (gzip|zstd) data\)"):
        cells(path)


@pytest.mark.parametrize("name", ["klingon", "base64", "utf-8\0", "\udce9"])
def test_what_is_no_text_encoding_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"--encoding .*: no such encoding; use one such as"):
        known_encoding(name)


def test_a_file_without_a_mark_is_utf_8() -> None:
    assert detect_encoding(b"revi") == "utf-8"
    assert detect_encoding(b"") == "utf-8"
