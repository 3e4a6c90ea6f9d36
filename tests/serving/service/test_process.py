"""The service as a process: signals, kills, clients that leave, and what is said at the start."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

httpx2 = pytest.importorskip("httpx2")
pytest.importorskip("fastapi")

pytestmark = pytest.mark.slow
MANY = {"reviews": [{"id": n, "text": f"good number {n} " * 50} for n in range(1000)]}


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def busy(url: str) -> bool:
    text: str = httpx2.get(f"{url}/metrics").text
    return "drugmon_queue_reviews 0.0" not in text


def test_sigterm_lets_requests_end_and_streams_know(
    process: Callable[..., Any], tmp_path: Path
) -> None:
    database = tmp_path / "served.duckdb"
    service = process("--record", str(database))
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(service.post(MANY)))
    asking.start()
    with socket.create_connection((service.host, service.port)) as stream:
        stream.sendall(
            b"POST /v1/score/stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b'1a\r\n{"id": 1, "text": "good"}\n\r\n'
        )
        received = b""
        while b'"id": 1' not in received:
            received += stream.recv(65_536)
        wait_until(lambda: busy(service.url) or bool(answers))
        service.popen.send_signal(signal.SIGTERM)
        while piece := stream.recv(65_536):
            received += piece
    asking.join(60)
    assert service.popen.wait(60) == 0, service.said
    assert b"the service is going down; every line up to 1 is answered" in received
    assert answers[0].status_code == 200
    assert [row["id"] for row in answers[0].json()["reviews"]] == list(range(1000))
    with duckdb.connect(database, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM served").fetchall() == [(1001,)]
    wait_until(lambda: len(service.said) > 1)
    assert service.said[1:] == ["drugmon serve: ended; the same command starts it again\n"]
    with pytest.raises(httpx2.ConnectError):
        service.post({"text": "good"})


def test_a_second_interrupt_keeps_the_record(process: Callable[..., Any], tmp_path: Path) -> None:
    database = tmp_path / "served.duckdb"
    service = process("--record", str(database))
    assert service.post({"id": 1, "text": "good"}).status_code == 200
    with socket.create_connection((service.host, service.port)) as slow:
        slow.sendall(b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        time.sleep(0.3)
        for _ in range(2):
            service.popen.send_signal(signal.SIGINT)
            time.sleep(0.7)
        assert service.popen.wait(20) == 0, service.said
    with duckdb.connect(database, read_only=True) as connection:
        assert connection.execute("SELECT id FROM served").fetchall() == [("1",)]


def test_kill_leaves_a_record_that_opens_and_a_port_that_is_free(
    process: Callable[..., Any], tmp_path: Path
) -> None:
    database = tmp_path / "served.duckdb"
    service = process("--record", str(database))
    assert service.post({"id": 1, "text": "good"}).status_code == 200
    failed: list[Exception] = []

    def ask() -> None:
        try:
            service.post(MANY)
        except httpx2.HTTPError as error:
            failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: busy(service.url))
    service.popen.kill()
    asking.join(60)
    assert len(failed) == 1
    again = process("--record", str(database), "--port", str(service.port))
    assert again.post({"id": 2, "text": "good"}).status_code == 200
    again.popen.send_signal(signal.SIGTERM)
    assert again.popen.wait(60) == 0
    with duckdb.connect(database, read_only=True) as connection:
        assert (str(2),) in connection.execute("SELECT id FROM served").fetchall()


def test_a_client_that_leaves_is_not_computed_for(process: Callable[..., Any]) -> None:
    service = process()
    body = json.dumps(MANY).encode()
    with socket.create_connection((service.host, service.port)) as client:
        head = f"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        client.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        wait_until(lambda: busy(service.url))
    wait_until(lambda: not busy(service.url))
    text: str = httpx2.get(f"{service.url}/metrics").text
    (line,) = (line for line in text.splitlines() if line.startswith("drugmon_reviews_total"))
    assert float(line.split()[1]) < 1000
    assert 'drugmon_requests_total{path="/v1/score",status="499"} 1.0' in text
    with socket.create_connection((service.host, service.port)) as client:
        client.sendall(head.encode() + b"\r\n" + body[:1000])  # and half a body
    assert service.post({"text": "good"}).status_code == 200
    assert service.said[1:] == []
