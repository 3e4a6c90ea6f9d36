"""The service itself: what it leaves when it ends."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

pytest.importorskip("fastapi")

from drugmon.data.reviews import Texts
from drugmon.serving.service.config import ServiceConfig
from drugmon.serving.service.service import Service
from drugmon.workflows.model import Model


def test_an_explanation_that_is_late_is_left(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, done = threading.Event(), threading.Event()

    def explain(**_texts: str) -> None:
        begun.set()
        done.wait(30)

    monkeypatch.setattr(model, "explain", explain)

    async def main() -> None:
        service = Service(model, ServiceConfig())
        service.start()
        asked = asyncio.create_task(service.explain(Texts(None, None, None, "good")))
        assert await asyncio.to_thread(begun.wait, 30)
        asked.cancel()  # as the server does, once the time to drain is over
        await service.stop()

    before = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - before < 25
    done.set()
