"""A service of two adapters: who judged a review is in its answer and in the numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from drugmon.config import EngineConfig
from drugmon.serving.service.app import make_app
from drugmon.serving.service.config import ServiceConfig
from drugmon.serving.service.service import Service
from drugmon.workflows.model import Model
from tests.cascades import Pair

pytestmark = pytest.mark.usefixtures("coarse")

TEXTS = [f"{word} in number {n}" for n, word in enumerate(["useless", "so so", "wonderful"] * 10)]


@pytest.fixture(name="client")
def _client(pair: Pair) -> Iterator[TestClient]:
    """Of a service whose second adapter judges about half of `TEXTS`."""
    engine = EngineConfig(device="cpu", dtype="fp32", threads=1)
    with Model(str(pair.first), engine=engine) as alone:
        sure = sorted(alone.predict_proba(TEXTS).max(axis=1).tolist())
    below = (sure[14] + sure[15]) / 2
    with Model(str(pair.first), then=str(pair.second), below=below, engine=engine) as model:
        service = Service(model, ServiceConfig())
        service.batcher.warm()
        with TestClient(make_app(service), raise_server_exceptions=False) as client:
            yield client


def test_answers_and_numbers_tell_who_judged(client: TestClient, pair: Pair) -> None:
    body = {"reviews": [{"text": text} for text in TEXTS]}
    answer = client.post("/v1/score", json=body).json()
    assert answer["adapter"] == pair.both
    judges = [row["drugmon_adapter"] for row in answer["reviews"]]
    assert (judges.count(pair.both), judges.count(pair.alone)) == (15, 15)
    numbers = client.get("/metrics").text
    assert "drugmon_reviews_total 30.0\n" in numbers
    assert "drugmon_sent_on_total 15.0\n" in numbers
    assert f'drugmon_adapter{{adapter="{pair.both}"}} 1.0\n' in numbers
    assert client.get("/v1/adapters").json()["serving"] == pair.both

    for judge in (pair.both, pair.alone):
        told = client.post("/v1/explain", json={"text": TEXTS[judges.index(judge)]}).json()
        assert (told["adapter"], set(told["explanations"])) == (judge, {"overall"})


@pytest.mark.slow
def test_the_command_serves_both(process: Callable[..., Any], pair: Pair) -> None:
    service = process("--adapter", str(pair.first), "--then", str(pair.second), "--below", "1")
    assert f"drugmon: {pair.both} listens on" in "".join(service.said)
    (row,) = service.post({"text": "so so"}).json()["reviews"]
    assert row["drugmon_adapter"] == pair.both
