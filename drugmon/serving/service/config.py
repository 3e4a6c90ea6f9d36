"""How a service is set up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drugmon.errors import UsageError


@dataclass(frozen=True)
class ServiceConfig:
    """Where the service listens, what it takes, and what it keeps.

    Attributes:
        host: the address to listen on.
        port: the port; 0 for any that is free.
        max_wait: seconds that a review may wait for others to be computed with.
        max_queue: reviews that may wait in all; more are answered with 429.
        max_reviews: reviews in one request.
        max_text: characters of one text.
        max_body: bytes of one request, but for streams.
        drain: seconds that requests have to end once the service is asked to.
        tokens: a file of bearer tokens, one a line; None lets everybody in.
        record: a DuckDB database that keeps the verdicts; None keeps nothing.
        record_texts: whether the texts are kept too.

    Raises:
        UsageError: texts are to be kept nowhere, or a request may be larger than the queue.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    max_wait: float = 0.005
    max_queue: int = 4_096
    max_reviews: int = 1_000
    max_text: int = 50_000
    max_body: int = 16 * 2**20
    drain: float = 30.0
    tokens: Path | None = None
    record: Path | None = None
    record_texts: bool = False

    def __post_init__(self) -> None:
        if self.record_texts and self.record is None:
            raise UsageError("--record-texts says what to keep, and --record FILE where: give both")
        if self.max_reviews > self.max_queue:
            raise UsageError(
                f"--max-reviews {self.max_reviews} is more than --max-queue {self.max_queue}: "
                "such a request could never be taken"
            )
