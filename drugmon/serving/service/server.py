"""Starting the service, and ending it: SIGTERM and ^C let what has begun come to its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import asdict
from types import FrameType

import uvicorn

from drugmon.config import CascadeOptions, EngineConfig, ModelOptions
from drugmon.errors import UsageError
from drugmon.serving.service.app import make_app
from drugmon.serving.service.config import ServiceConfig
from drugmon.serving.service.service import Service
from drugmon.signals import Terminated
from drugmon.workflows.model import Model


def serve(
    config: ServiceConfig,
    model: ModelOptions,
    cascade: CascadeOptions,
    engine: EngineConfig,
    *,
    on_listening: Callable[[str, str], None] = lambda _address, _identity: None,
) -> None:
    """Serve until the process is asked to end.

    Args:
        config: where and what.
        model: what scores, and how it decides.
        cascade: the adapter behind it, if there is one.
        engine: device, number format and threads.
        on_listening: is told the address, and what scores, once requests are taken.

    Raises:
        UsageError: the address cannot be listened on.
        DrugmonError: the model cannot be loaded, or what is recorded into cannot be written.
    """
    with (
        _listening(config.host, config.port) as listener,
        Model(**asdict(model), **asdict(cascade), engine=engine) as opened,
    ):
        service = Service(opened, config)
        service.batcher.warm()
        address = _address(listener)
        server = _Server(service, lambda: on_listening(address, opened.identity))
        try:
            # What uvicorn hands on once it has let all requests come to their end.
            with contextlib.suppress(Terminated, KeyboardInterrupt):
                server.run([listener])
        finally:
            service.close()


class _Server(uvicorn.Server):
    def __init__(self, service: Service, on_listening: Callable[[], None]) -> None:
        self._service, self._on_listening = service, on_listening
        self._loop: asyncio.AbstractEventLoop | None = None
        super().__init__(
            uvicorn.Config(
                make_app(service),
                log_config=None,
                access_log=False,  # its lines have what stands behind a question mark
                server_header=False,
                timeout_graceful_shutdown=int(service.config.drain),
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take requests, and say so."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._on_listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Tell streams, which have no end of their own."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._service.draining.set)
        super().handle_exit(sig, frame)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).partition(" (")[0]
        raise UsageError(
            f"cannot listen on {host}, port {port}: {reason}; choose others with --host and --port"
        ) from None


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
