"""What every request passes: who may come in, how much it may bring, what is counted and told."""

from __future__ import annotations

import time
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from drugmon.serving.service.metrics import Metrics
from drugmon.serving.service.problems import Problem, problem_from
from drugmon.serving.service.tokens import Tokens

STREAM: Final = "/v1/score/stream"
OPEN: Final = ("/healthz", "/readyz", "/openapi.json")
"""What needs no token: it tells nothing of reviews."""


class Door:
    """Middleware around the API.

    Args:
        app: the API.
        metrics: where requests are counted.
        tokens: whoever has none of them is turned away; None lets everybody in.
        max_body: bytes of a request; a stream may have any number.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, tokens: Tokens | None, max_body: int
    ) -> None:
        self._app, self._metrics, self._tokens, self._max_body = app, metrics, tokens, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._pass(scope, receive, sent)
        except Exception as error:
            if status:
                raise ConnectionError("an answer had begun when it failed") from None
            await problem_from(error).response()(scope, receive, sent)
        finally:
            route = scope.get("route")
            path = getattr(route, "path", "other")
            self._metrics.request(path, status, time.perf_counter() - began)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if self._tokens and scope["path"] not in OPEN:
            self._check_token(self._tokens, headers)
        limit = None if scope["path"] == STREAM else self._max_body
        if limit is not None:
            declared = headers.get("content-length", "0")
            if declared.isascii() and declared.isdigit() and int(declared) > limit:
                raise self._too_large()
            receive = self._limited(receive, limit)
        await self._app(scope, receive, send)

    def _check_token(self, tokens: Tokens, headers: Headers) -> None:
        if not tokens.admit(headers.get("authorization", "")):
            raise Problem(
                401,
                "no-token",
                "send a token that the service knows, as the header Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )

    def _limited(self, receive: Receive, limit: int) -> Receive:
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise self._too_large()
            return message

        return limited

    def _too_large(self) -> Problem:
        return Problem(
            413,
            "body-too-large",
            f"a request has at most {self._max_body:,} bytes; send several, or use {STREAM}",
            {"Connection": "close"},
        )
