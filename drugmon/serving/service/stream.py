"""Continuous reviews: NDJSON in, NDJSON out, line by line and in order.

Lines are read while there is room for them: a client that sends faster than the engine computes, or
that does not read its answers, is slowed down by its own connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from drugmon.serving.service.problems import Problem, invalid, problem_from
from drugmon.serving.service.rows import Row
from drugmon.serving.service.schemas import Review

if TYPE_CHECKING:
    from drugmon.serving.service.service import Service

MEDIA_TYPE: Final = "application/x-ndjson"
WINDOW: Final = 256
"""Lines of one stream that are on their way."""

_BYTES_PER_CHARACTER: Final = 12
"""In JSON at the most: two escapes of six."""

Entry = tuple[int, Review, "asyncio.Future[list[Row]]"] | tuple[int, Problem]
"""A line's number with its review and what will be its verdicts, or with what is wrong with it."""


class ScoreStream(Response):
    """The answer to a stream: it is written while the request is read."""

    media_type = MEDIA_TYPE

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service
        self._lines = Lines(4 * _BYTES_PER_CHARACTER * service.config.max_text)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Read, score and write until the client ends or leaves."""
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        entries: asyncio.Queue[Entry | None] = asyncio.Queue(WINDOW)
        reading = asyncio.create_task(self._read(receive, entries))
        try:
            while (entry := await entries.get()) is not None:
                line = json.dumps(await self._answer(entry), ensure_ascii=False) + "\n"
                body = line.encode("utf-8", "replace")
                await send({"type": "http.response.body", "body": body, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            while not entries.empty():
                _cancel(entries.get_nowait())

    async def _read(self, receive: Receive, entries: asyncio.Queue[Entry | None]) -> None:
        number = 0
        try:
            async for lines in self._received(receive, entries):
                for line in lines:
                    number += 1
                    if line is None or line.strip():
                        await entries.put(await self._entry(number, line))
            if self._service.draining.is_set():
                await entries.put((number, _going_down(number)))
        except Exception as error:
            await entries.put((number, problem_from(error)))
        await entries.put(None)

    async def _received(
        self, receive: Receive, entries: asyncio.Queue[Entry | None]
    ) -> AsyncIterator[Iterator[bytes | None]]:
        """Whole lines, up to the end, or to where the service is asked to end."""
        draining = asyncio.create_task(self._service.draining.wait())
        try:
            while not draining.done():
                message = asyncio.ensure_future(receive())
                await asyncio.wait({message, draining}, return_when=asyncio.FIRST_COMPLETED)
                if not message.done():
                    message.cancel()
                    return
                if message.result()["type"] == "http.disconnect":
                    while not entries.empty():
                        _cancel(entries.get_nowait())
                    return
                yield self._lines.add(message.result().get("body", b""))
                if not message.result().get("more_body", False):
                    yield self._lines.end()
                    return
        finally:
            draining.cancel()

    async def _entry(self, number: int, line: bytes | None) -> Entry:
        if line is None:
            return number, _too_long()
        try:
            review = Review.of_line(line)
            self._service.check_texts([review])
        except ValidationError as error:
            return number, invalid(error.errors(include_url=False, include_input=False))
        except Problem as problem:
            return number, problem
        return number, review, await self._service.batcher.submit_when_room(review.texts)

    async def _answer(self, entry: Entry) -> Row:
        if len(entry) == 2:
            return {"line": entry[0], "error": entry[1].to_dict()}
        number, review, waiting = entry
        try:
            (row,) = await waiting
        except Exception as error:
            return {"line": number, "error": problem_from(error).to_dict()}
        return self._service.answered(review, row)


class Lines:
    """Bytes in any pieces, as lines; None stands for one of more than `longest` bytes."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._begun = bytearray()
        self._too_long = False

    def add(self, piece: bytes) -> Iterator[bytes | None]:
        """The lines that end in `piece`."""
        *ended, rest = piece.split(b"\n")
        for part in ended:
            self._extend(part)
            yield from list(self.end()) or [b""]
        self._extend(rest)

    def end(self) -> Iterator[bytes | None]:
        """The line that no newline ends, if there is one."""
        line = None if self._too_long else bytes(self._begun)
        if line is None or line:
            yield line
        self._begun, self._too_long = bytearray(), False

    def _extend(self, part: bytes) -> None:
        if self._too_long or len(self._begun) + len(part) > self._longest:
            self._begun, self._too_long = bytearray(), True
        else:
            self._begun += part


def _cancel(entry: Entry | None) -> None:
    if entry is not None and len(entry) == 3:
        entry[2].cancel()


def _too_long() -> Problem:
    return Problem(413, "line-too-long", "the line is longer than a review's texts may be")


def _going_down(number: int) -> Problem:
    return Problem(
        503,
        "going-down",
        f"the service is going down; every line up to {number} is answered, send the others again",
    )
