"""The service under load, on this machine's loopback and for a bounded time.

Clients that each wait for their answer before they ask again, one review a request: reviews/s and
the time of an answer, beside batch scoring with the same model in this process, and beside the
same model as it is usually put behind FastAPI: transformers' BERT, each request computed by
itself. Both give verdicts, which are compared. At the end the service is told to end, and killed,
in the midst of a load.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np

from benchmarks import peers
from benchmarks.scale_out import peak_mb
from drugmon.data.columns import resolve_columns
from drugmon.data.formats import open_reader, read_windows
from drugmon.data.reviews import Texts
from drugmon.data.sources import FileSource
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.adapter import open_adapter
from drugmon.scoring.scores import NO_VERDICT, Scores
from drugmon.workflows.model import Model

CLIENTS: Final = (1, 8, 64)
MOST: Final = 500
COMPARED: Final = 200
"""Reviews whose labels both services tell."""

SERVICE: Final = [sys.executable, "-m", "drugmon", "serve", "--port"]
_ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:(\d+)")


@dataclass
class Answers:
    """What clients got: seconds by answer, and how many asked in vain."""

    seconds: list[float] = field(default_factory=list)
    broken: int = 0
    refused: int = 0


def main() -> None:
    """Print one line a load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load, at most 60")
    parser.add_argument("--peer", choices=("fp32", "bf16"), help="be the peer's server")
    options = parser.parse_args()
    if options.peer:
        serve_peer(bf16=options.peer == "bf16")
        return
    seconds, reviews = min(60.0, options.seconds), read(options.source)
    peer = [sys.executable, "-m", str(getattr(__spec__, "name", "")), "-", "--peer"]
    commands = {
        "drugmon serve": [*SERVICE, "0"],
        "transformers behind FastAPI, fp32": [*peer, "fp32"],
        "transformers behind FastAPI, bf16": [*peer, "bf16"],
    }
    bodies = [json.dumps(review._asdict()).encode() for review in reviews]
    told: list[list[tuple[str | None, ...]]] = []
    print(f"batch scoring: {batch_rate(reviews, seconds):.1f} reviews/s", flush=True)
    for name, command in commands.items():
        with served(command) as (server, port):
            told.append([labels(port, body) for body in bodies[:COMPARED]])
            if len(told) > 1:
                print(f"{name}: {agreement(told[0], told[-1]):.2%} of labels are the same")
            for clients in CLIENTS:
                line = load(port, bodies, clients, seconds)
                print(f"{name}, {clients} clients: {line}", flush=True)
            status = Path(f"/proc/{server.pid}/status")
            print(f"{name}: {peak_mb(status):.0f} MB at most", flush=True)
    print(f"batch scoring: {batch_rate(reviews, seconds):.1f} reviews/s", flush=True)
    for sent in (signal.SIGTERM, signal.SIGKILL):
        print(f"{sent.name} under {CLIENTS[-1]} clients: {ended(bodies, sent)}", flush=True)


def read(source: Path) -> list[Texts]:
    """The first reviews of a file."""
    with open_reader(FileSource.of(source)) as reader:
        columns = resolve_columns(reader.columns, {}, str(source))
        return next(iter(read_windows(reader, columns, MOST))).texts


def batch_rate(reviews: Sequence[Texts], seconds: float) -> float:
    """Reviews a second in one process, all at once, again and again."""
    with Model() as model:
        model.judge(reviews[:50])
        start, done = time.perf_counter(), 0
        while (taken := time.perf_counter() - start) < seconds or not done:
            model.judge(reviews)
            done += len(reviews)
        return done / taken


@contextmanager
def served(command: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server's process and its port, while it runs."""
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        for line in server.stderr:
            if address := _ADDRESS.search(line):
                yield server, int(address[1])
                return
        raise SystemExit("the server did not start")
    finally:
        server.terminate()
        server.wait(60)


def ask(connection: http.client.HTTPConnection, body: bytes) -> Any:
    """The answer to one review."""
    connection.request("POST", "/v1/score", body, {"Content-Type": "application/json"})
    with connection.getresponse() as response:
        assert response.status == 200, response.read()
        return json.loads(response.read())


def labels(port: int, body: bytes) -> tuple[str | None, ...]:
    """What a service says of a review, by target."""
    (row,) = ask(http.client.HTTPConnection("127.0.0.1", port, timeout=60), body)["reviews"]
    return tuple(row[f"{target}_sentiment"] for target in TARGETS)


def agreement(
    one: Sequence[tuple[str | None, ...]], other: Sequence[tuple[str | None, ...]]
) -> float:
    """The share of verdicts with the same label."""
    pairs = [pair for rows in zip(one, other, strict=True) for pair in zip(*rows, strict=True)]
    there = [(mine, theirs) for mine, theirs in pairs if mine or theirs]
    return sum(mine == theirs for mine, theirs in there) / len(there)


@contextmanager
def asking(port: int, bodies: Sequence[bytes], clients: int, seconds: float) -> Iterator[Answers]:
    """Clients in threads of their own; at the end all have had their last answer."""
    answers, end = Answers(), time.perf_counter() + seconds

    def client(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for number in range(first, 100_000, clients):
            if (start := time.perf_counter()) >= end:
                return
            try:
                ask(connection, bodies[number % len(bodies)])
            except ConnectionRefusedError:
                answers.refused += 1
                return
            except (OSError, http.client.HTTPException):
                answers.broken += 1
                return
            answers.seconds.append(time.perf_counter() - start)

    threads = [threading.Thread(target=client, args=(first,)) for first in range(clients)]
    for thread in threads:
        thread.start()
    yield answers
    for thread in threads:
        thread.join()


def load(port: int, bodies: Sequence[bytes], clients: int, seconds: float) -> str:
    """Ask for so many seconds, after a moment of warming up; rate and percentiles as text."""
    with asking(port, bodies, clients, min(2.0, seconds)):
        pass
    start = time.perf_counter()
    with asking(port, bodies, clients, seconds) as answers:
        pass
    rate = len(answers.seconds) / (time.perf_counter() - start)
    assert not answers.broken + answers.refused, answers
    p50, p95, p99 = 1000 * np.percentile(answers.seconds, (50, 95, 99))
    return f"{rate:.1f} reviews/s, p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms"


def ended(bodies: Sequence[bytes], sent: signal.Signals) -> str:
    """End the service in the midst of a load, and start it again on the same port."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "served.duckdb"
        with (
            served([*SERVICE, "0", "--record", str(database)]) as (server, port),
            asking(port, bodies, CLIENTS[-1], 60) as answers,
        ):
            time.sleep(8)  # longer than between two writes of the record
            before, start = len(answers.seconds), time.perf_counter()
            server.send_signal(sent)
            code = server.wait(60)
            taken = time.perf_counter() - start
        with duckdb.connect(database) as connection:
            counted = connection.execute("SELECT count(*) FROM served").fetchone()
        start = time.perf_counter()
        with served([*SERVICE, str(port), "--record", str(database)]):
            again = time.perf_counter() - start
    given, (recorded,) = len(answers.seconds), counted or (0,)
    return (
        f"exit code {code} after {taken:.1f} s; {given:,} answered, {given - before} of them after "
        f"the signal, {answers.broken} cut off, {answers.refused} refused; {recorded:,} recorded; "
        f"listens again on its port {again:.1f} s after a new start"
    )


def serve_peer(bf16: bool) -> None:
    """The same model by transformers behind FastAPI: each request is computed by itself."""
    import socket

    import torch
    import uvicorn
    from fastapi import FastAPI

    adapter, app = open_adapter("minilm-druglib"), FastAPI()
    peer = peers.Torch(adapter, peers.OnePass(adapter), peers.PEOPLES_BATCH * 512)
    turn = threading.Lock()  # two requests at once would share the cores and take longer each

    @app.post("/v1/score")
    def score(body: dict[str, Any]) -> dict[str, Any]:
        with turn, torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            scores = peer.judge([Texts(**body)])
        return {"adapter": adapter.manifest.identity, "reviews": [_row(scores)]}

    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run([listener])


def _row(scores: Scores) -> dict[str, Any]:
    """The verdicts of one review, in the fields of the service."""
    row: dict[str, Any] = {}
    for target, label, shares in zip(
        TARGETS, scores.labels[0], scores.probabilities[0].tolist(), strict=True
    ):
        there = label != NO_VERDICT
        row[f"{target}_sentiment"] = LABELS[label] if there else None
        row[f"{target}_confidence"] = shares[label] if there else None
        for name, share in zip(LABELS, shares, strict=True):
            row[f"{target}_p_{name}"] = share if there else None
    return row


if __name__ == "__main__":
    main()
