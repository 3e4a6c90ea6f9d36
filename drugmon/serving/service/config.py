"""How a service is set up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drugmon.errors import UsageError
from drugmon.options import option

_UNITS: Final = {"ms": 0.001, "s": 1.0}


def read_seconds(text: str) -> float:
    """Read a time of up to a minute, such as 5ms or 0.1s.

    Raises:
        ValueError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s)", text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else -1.0
    if not 0 <= seconds <= 60:
        raise ValueError(f"{text!r} is no time up to 60 s; write 5ms or 0.1s")
    return seconds


@dataclass(frozen=True)
class ServiceConfig:
    """Where the service listens, what it takes, and what it keeps.

    Without `tokens` everybody is let in; `max_body` is not for streams.

    Raises:
        UsageError: texts are to be kept nowhere, or a request may be larger than the queue.
    """

    host: str = option("127.0.0.1", "The address to listen on.")
    port: int = option(8000, "The port to listen on; 0 for any that is free.", low=0, high=65_535)
    max_wait: float = option(
        0.005,
        "How long a review may wait for others to be computed with.",
        metavar="TIME",
        parse=read_seconds,
        written="5ms",
    )
    max_queue: int = option(4_096, "Reviews that may wait; more are answered with 429.", low=1)
    max_reviews: int = option(1_000, "Reviews in one request.", low=1)
    max_text: int = option(50_000, "Characters of one text.", low=1)
    max_body: int = option(16 * 2**20, "Bytes of one request.", low=1)
    drain: int = option(
        30,
        "How long requests may take to end once the service is asked to.",
        low=0,
        metavar="SECONDS",
    )
    tokens: Path | None = option(
        None, "A file of bearer tokens, one a line; whoever has none is turned away.", kind=Path
    )
    record: Path | None = option(
        None, "A DuckDB database that keeps all verdicts, in the table `served`.", kind=Path
    )
    record_texts: bool = option(False, "Keep the reviews' texts there too.")

    def __post_init__(self) -> None:
        if self.record_texts and self.record is None:
            raise UsageError("--record-texts says what to keep, and --record FILE where: give both")
        if self.max_reviews > self.max_queue:
            raise UsageError(
                f"--max-reviews {self.max_reviews} is more than --max-queue {self.max_queue}: "
                "such a request could never be taken"
            )
