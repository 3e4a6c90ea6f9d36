"""Who sees the page, and what a browser may fetch for it: from here, and from nowhere else."""

from __future__ import annotations

import base64
import hmac
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from drugmon.errors import UsageError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        # gradio compiles parts of its components in the browser.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "frame-ancestors 'self'",
        "form-action 'self'",
        "base-uri 'self'",
    )
)
_HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


def read_users(path: Path) -> dict[str, str]:
    """Names and passwords from a file of `name:password` lines; # begins a comment.

    Raises:
        UsageError: it cannot be read, others can read it, or it names nobody.
    """
    try:
        mode, lines = path.stat().st_mode, path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--auth-file {path} cannot be read: {error}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"--auth-file {path}: others can read it; chmod 600 {path}")
    users = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, password = line.strip().partition(":")
        if not (name and colon and password):
            raise UsageError(f"--auth-file {path}, line {number}: not of the form name:password")
        users[name] = password
    if not users:
        raise UsageError(f"--auth-file {path} names nobody: a line name:password each")
    return users


class Guarded:
    """An ASGI app behind HTTP's basic authentication (RFC 7617), where there are users.

    Every answer forbids the browser to fetch anything from elsewhere (Content Security Policy).
    """

    def __init__(self, app: ASGIApp, users: Mapping[str, str]) -> None:
        self._app = app
        self._tokens = [
            b"Basic " + base64.b64encode(f"{name}:{password}".encode())
            for name, password in users.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if not self._lets_in(scope):
            await _refuse(scope, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_HEADERS]}
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _lets_in(self, scope: Scope) -> bool:
        given = dict(scope["headers"]).get(b"authorization", b"")
        # All are compared, each in a time that tells nothing.
        right = [hmac.compare_digest(given, token) for token in self._tokens]
        return any(right) or not self._tokens


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [
        (b"www-authenticate", b'Basic realm="drugmon", charset="UTF-8"'),
        (b"content-type", b"text/plain; charset=utf-8"),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b"Give a name and its password.\n"})
