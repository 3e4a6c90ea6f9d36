"""The stream: lines in pieces of any size, answers in order, and what ends early."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

pytest.importorskip("fastapi")

from drugmon.serving.service.config import ServiceConfig
from drugmon.serving.service.service import Service
from drugmon.serving.service.stream import WINDOW, Lines, ScoreStream
from drugmon.workflows.model import Model

PATH = "/v1/score/stream"
BODY = b'{"text": "a"}\n\n{"text": "b"}\r\n{"text": "c"}'


def read(answer: Any) -> list[dict[str, Any]]:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_lines_come_whole_whatever_the_pieces(size: int) -> None:
    lines = Lines(100)
    found = []
    for start in range(0, len(BODY), size):
        found += list(lines.add(BODY[start : start + size]))
    found += list(lines.end())
    assert found == [b'{"text": "a"}', b"", b'{"text": "b"}\r', b'{"text": "c"}']


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_line_too_long_is_told_of_and_not_kept(size: int) -> None:
    lines, body = Lines(5), b"abc\n" + b"x" * 50 + b"\ndef\n" + b"y" * 9
    found = [
        line
        for start in range(0, len(body), size)
        for line in lines.add(body[start : start + size])
    ]
    assert [*found, *lines.end()] == [b"abc", None, b"def", None]


def test_answers_are_in_the_order_of_the_lines(client: Callable[..., TestClient]) -> None:
    lines = [json.dumps({"id": n, "text": "good " * (n % 40 + 1)}) for n in range(WINDOW + 50)]
    answers = read(client().post(PATH, content="\n".join(lines).encode()))
    assert [answer["id"] for answer in answers] == list(range(WINDOW + 50))
    assert all(answer["overall_sentiment"] for answer in answers)


def test_bad_lines_are_told_in_their_place(client: Callable[..., TestClient]) -> None:
    lines = [
        '{"id": 1, "text": "good"}',
        "",
        '{"text": 3}',
        "none",
        '{"id": 5, "text": "' + "x" * 101 + '"}',
        '{"text": "' + "x" * 10_000 + '"}',
        '{"id": 7, "text": "bad"}',
        '{"id": 8, "te',
    ]
    answers = read(client(max_text=100).post(PATH, content="\n".join(lines).encode()))
    assert [answer.get("id") for answer in answers] == [1, None, None, None, None, 7, None]
    told = {a["line"]: (a["error"]["status"], a["error"]["detail"]) for a in answers if "line" in a}
    assert told == {
        3: (422, "text: Input should be a valid string"),
        4: (422, "this is no JSON: expected ident at line 1 column 2"),
        5: (
            413,
            "a text has 101 characters and at most 100 are taken; score it with `drugmon score`, "
            "which has no limit, or cut it, which may change its verdict",
        ),
        6: (413, "the line is longer than a review's texts may be"),
        8: (422, "this is no JSON: EOF while parsing a string at line 1 column 13"),
    }


def test_one_bad_review_does_not_end_the_stream(client: Callable[..., TestClient]) -> None:
    make = client()
    batcher = make.app.state.service.batcher  # type: ignore[attr-defined]
    judge = batcher._judge

    def judged(reviews: Any) -> Any:
        if any(review.text == "poison" for review in reviews):
            raise ValueError("secret words")
        return judge(reviews)

    batcher._judge = judged
    body = b'{"id":1,"text":"a"}\n{"id":2,"text":"poison"}\n{"id":3,"text":"b"}'
    answers = read(make.post(PATH, content=body))
    assert [answer.get("id", answer.get("line")) for answer in answers] == [1, 2, 3]
    assert answers[1]["error"]["type"] == "urn:drugmon:bug"
    assert "secret" not in str(answers)


class Connection:
    """An ASGI connection by hand: what the client sends, and what it is sent."""

    def __init__(self, model: Model, **settings: Any) -> None:
        self.service = Service(model, ServiceConfig(**settings))
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[bytes] = []
        self.taken = 0

    async def receive(self) -> dict[str, Any]:
        message = await self.incoming.get()
        self.taken += 1
        return message

    async def send(self, message: Any) -> None:
        self.sent.append(message.get("body", b""))

    def say(self, text: bytes) -> None:
        self.incoming.put_nowait({"type": "http.request", "body": text, "more_body": True})

    def answers(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in b"".join(self.sent).splitlines()]

    async def until(self, count: int) -> None:
        while len(self.answers()) < count:
            await asyncio.sleep(0.01)

    def run(self, body: Callable[[asyncio.Task[None]], Any]) -> None:
        async def main() -> None:
            self.service.start()
            stream = ScoreStream(self.service)
            task = asyncio.create_task(stream({"type": "http"}, self.receive, self.send))
            try:
                await asyncio.wait_for(body(task), 60)
            finally:
                task.cancel()
                await self.service.stop()

        asyncio.run(main())


def test_an_answer_comes_while_the_client_still_sends(model: Model) -> None:
    connection = Connection(model)

    async def body(task: asyncio.Task[None]) -> None:
        connection.say(b'{"id": 1, "text": "good"}\n{"id": 2, ')
        await connection.until(1)
        assert connection.answers()[0]["id"] == 1
        connection.say(b'"text": "bad"}\n')
        await connection.until(2)
        assert not task.done()

    connection.run(body)


def test_a_client_that_does_not_read_is_not_read_from(model: Model) -> None:
    connection = Connection(model)
    gate = asyncio.Event()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await gate.wait()
        connection.sent.append(message.get("body", b""))

    connection.send = send  # type: ignore[method-assign]

    async def body(_task: asyncio.Task[None]) -> None:
        for number in range(3 * WINDOW):
            connection.say(b'{"id": %d, "text": "good"}\n' % number)
        await asyncio.sleep(1)
        assert connection.taken <= WINDOW + 3
        gate.set()
        await connection.until(3 * WINDOW)
        assert [answer["id"] for answer in connection.answers()] == list(range(3 * WINDOW))

    connection.run(body)


def test_what_a_client_left_behind_is_not_computed(model: Model) -> None:
    connection = Connection(model)

    async def body(task: asyncio.Task[None]) -> None:
        for number in range(100):
            connection.say(b'{"id": %d, "text": "good"}\n' % number)
        connection.incoming.put_nowait({"type": "http.disconnect"})
        await task
        assert connection.service.batcher.waiting == 0
        assert len(connection.answers()) <= 1

    batcher = connection.service.batcher
    batcher._max_wait, batcher._requests = 0.5, 200  # as after many: more are waited for
    connection.run(body)
    assert "drugmon_reviews_total 100.0" not in connection.service.metrics.text().decode()


def test_a_service_that_ends_answers_what_it_has_and_says_so(model: Model) -> None:
    connection = Connection(model)

    async def body(task: asyncio.Task[None]) -> None:
        connection.say(b'{"id": 1, "text": "good"}\n{"id": 2, "text": "bad"}\n{"id": 3')
        await connection.until(2)
        connection.service.draining.set()
        await task
        *rows, last = connection.answers()
        assert [row["id"] for row in rows] == [1, 2]
        assert last["error"]["detail"] == (
            "the service is going down; every line up to 2 is answered, send the others again"
        )

    connection.run(body)
