"""The sample reviews that ship with drugmon, written for it: to try it on, and to test with.

They hold what real files hold: praise, complaint, sarcasm, typos, nulls, blanks, "None", markup,
quotes and newlines inside texts, several alphabets, one text of about 5,000 characters, and one
review with no text at all.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from drugmon.data.verdicts.atomic import replacing
from drugmon.errors import SinkError, UsageError

_PARQUET_MAGIC: Final = b"PAR1"
Review = Mapping[str, str | int | None]

SAMPLE_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("date", pa.date32()),
        ("drug", pa.string()),
        ("condition", pa.string()),
        ("rating", pa.int64()),
        ("benefits", pa.string()),
        ("side_effects", pa.string()),
        ("comments", pa.string()),
    ]
)
"""The columns of the sample in order, with the types that they have in parquet."""


def sample_reviews() -> list[Review]:
    """Return the sample: per review the columns of SAMPLE_SCHEMA, the date as YYYY-MM-DD."""
    packaged = resources.files("drugmon.data").joinpath("sample_reviews.json")
    reviews: list[Review] = json.loads(packaged.read_text(encoding="utf-8"))
    return reviews


def write_sample(path: Path) -> int:
    """Write the sample to `path` in the format of its extension and return the number of reviews.

    A file that holds the sample already is left alone; any other file is never overwritten.

    Raises:
        UsageError: the extension is none of .parquet, .csv, .tsv, .jsonl.
        SinkError: the path is taken by something else, or cannot be written.
    """
    encode = _ENCODERS.get(path.suffix.lower())
    if encode is None:
        raise UsageError(
            f"{path}: cannot write the sample as '{path.suffix}'; "
            f"name a file that ends in one of {', '.join(_ENCODERS)}"
        )
    reviews = sample_reviews()
    payload = encode(reviews)
    if not _holds(path, payload):
        with replacing(path) as temporary:
            temporary.write_bytes(payload)
    return len(reviews)


def _parquet(reviews: Sequence[Review]) -> bytes:
    typed = [{**review, "date": date.fromisoformat(str(review["date"]))} for review in reviews]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(typed, schema=SAMPLE_SCHEMA), buffer)
    return buffer.getvalue()


def _delimited(reviews: Sequence[Review], delimiter: str) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, SAMPLE_SCHEMA.names, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(reviews)
    return buffer.getvalue().encode()


def _csv(reviews: Sequence[Review]) -> bytes:
    return _delimited(reviews, ",")


def _tsv(reviews: Sequence[Review]) -> bytes:
    return _delimited(reviews, "\t")


def _jsonl(reviews: Sequence[Review]) -> bytes:
    return "".join(f"{json.dumps(review, ensure_ascii=False)}\n" for review in reviews).encode()


_ENCODERS: Final[Mapping[str, Callable[[Sequence[Review]], bytes]]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _jsonl,
}


def _holds(path: Path, payload: bytes) -> bool:
    """Say whether `path` holds the sample already; False where there is no file."""
    try:
        if not path.exists():
            return False
        existing = path.read_bytes() if path.is_file() else b""
    except OSError as error:
        raise SinkError(f"{path}: {error.strerror}; name another file") from error
    if existing == payload or _same_table(existing, payload):
        return True
    raise SinkError(f"{path}: exists and is not the sample; name another file or remove it")


def _same_table(existing: bytes, payload: bytes) -> bool:
    """Compare parquet by content: the bytes differ with the version of the library."""
    if not existing.startswith(_PARQUET_MAGIC) or not payload.startswith(_PARQUET_MAGIC):
        return False
    try:
        table = pq.read_table(io.BytesIO(existing))
    except pa.ArrowInvalid:
        return False
    return bool(table.equals(pq.read_table(io.BytesIO(payload))))
