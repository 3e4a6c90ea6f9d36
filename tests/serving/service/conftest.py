"""A service over the tiny adapter, in this process or as one of its own."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

import httpx2
from starlette.testclient import TestClient

from drugmon.config import EngineConfig
from drugmon.serving.service.app import make_app
from drugmon.serving.service.config import ServiceConfig
from drugmon.serving.service.service import Service
from drugmon.workflows.model import Model


@pytest.fixture(scope="session", name="model")
def _model(adapter: Path) -> Iterator[Model]:
    with Model(str(adapter), engine=EngineConfig(device="cpu", dtype="fp32", threads=1)) as model:
        yield model


@pytest.fixture(name="client")
def _client(model: Model) -> Iterator[Callable[..., TestClient]]:
    """Makes clients of services: `client(max_text=10)`; the service is its `app.state.service`."""
    with contextlib.ExitStack() as stack:

        def make(**settings: Any) -> TestClient:
            service = Service(model, ServiceConfig(**settings))
            app = make_app(service)
            return stack.enter_context(TestClient(app, raise_server_exceptions=False))

        yield make


class Process:
    """`drugmon serve` as a process: its address, and what it says."""

    def __init__(self, adapter: Path, *options: str) -> None:
        command = [sys.executable, "-m", "drugmon", "serve", "--port", "0", "--threads", "1"]
        self.popen = subprocess.Popen(
            [*command, "--adapter", str(adapter), "--device", "cpu", "--dtype", "fp32", *options],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self.said: list[str] = []
        assert self.popen.stderr is not None
        threading.Thread(target=self._listen, args=(self.popen.stderr,), daemon=True).start()
        deadline = time.monotonic() + 120
        while not (found := re.search(r"http://([\d.]+):(\d+)", "".join(self.said))):
            assert self.popen.poll() is None and time.monotonic() < deadline, self.said
            time.sleep(0.05)
        self.url, self.host, self.port = found[0], found[1], int(found[2])

    def _listen(self, stderr: IO[str]) -> None:
        self.said.extend(stderr)

    def post(self, body: object) -> httpx2.Response:
        """Ask for verdicts."""
        return httpx2.post(f"{self.url}/v1/score", json=body, timeout=60)


@pytest.fixture(name="process")
def _process(adapter: Path) -> Iterator[Callable[..., Process]]:
    """Starts services as processes: `process("--max-wait", "0ms")`."""
    started: list[Process] = []

    def start(*options: str) -> Process:
        started.append(Process(adapter, *options))
        return started[-1]

    yield start
    for process in started:
        process.popen.kill()
        process.popen.wait()
