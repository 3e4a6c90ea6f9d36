"""The service under load, on this machine's loopback and for a bounded time.

Clients that each wait for their answer before they ask again, one review a request: reviews/s and
the time of an answer, beside batch scoring with the same model in this process, and beside
`transformers.pipeline` behind FastAPI, as is usually written.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import numpy as np

from benchmarks.peers import Pipeline
from drugmon.data.columns import resolve_columns
from drugmon.data.formats import open_reader, read_windows
from drugmon.data.reviews import Texts
from drugmon.data.sources import FileSource
from drugmon.models.adapters.adapter import open_adapter
from drugmon.workflows.model import Model

CLIENTS: Final = (1, 8, 64)
MOST: Final = 500
_ADDRESS: Final = re.compile(r"http://127\.0\.0\.1:\d+")


def main() -> None:
    """Print one line a load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load, at most 60")
    parser.add_argument("--peer", action="store_true", help="be the peer's server")
    options = parser.parse_args()
    if options.peer:
        serve_peer()
        return
    seconds, reviews = min(60.0, options.seconds), read(options.source)
    print(f"batch scoring: {batch_rate(reviews):.1f} reviews/s")
    commands = {
        "drugmon serve": [sys.executable, "-m", "drugmon", "serve", "--port", "0"],
        "pipeline behind FastAPI": [sys.executable, "-m", __spec__.name, "-", "--peer"],
    }
    for name, command in commands.items():
        with served(command) as url:
            for clients in CLIENTS:
                print(f"{name}, {clients} clients: {load(url, reviews, clients, seconds)}")


def read(source: Path) -> list[Texts]:
    """The first reviews of a file."""
    with open_reader(FileSource.of(source)) as reader:
        columns = resolve_columns(reader.columns, {}, str(source))
        return next(iter(read_windows(reader, columns, MOST))).texts


def batch_rate(reviews: Sequence[Texts]) -> float:
    """Reviews a second in one process, all at once."""
    with Model() as model:
        model.judge(reviews[:50])
        start = time.perf_counter()
        model.judge(reviews)
        return len(reviews) / (time.perf_counter() - start)


@contextmanager
def served(command: Sequence[str]) -> Iterator[str]:
    """A server's address, while it runs."""
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        for line in server.stderr:
            if found := _ADDRESS.search(line):
                yield found[0]
                return
        raise SystemExit("the server did not start")
    finally:
        server.terminate()
        server.wait(60)


def load(url: str, reviews: Sequence[Texts], clients: int, seconds: float) -> str:
    """Ask for so many seconds; rate and percentiles as text."""
    taken: list[float] = []
    end = time.perf_counter() + seconds

    def ask(client: int) -> None:
        with httpx2.Client(timeout=60) as http:
            for number in range(client, 100_000, clients):
                if (start := time.perf_counter()) >= end:
                    return
                body = reviews[number % len(reviews)]._asdict()
                http.post(f"{url}/v1/score", json=body).raise_for_status()
                taken.append(time.perf_counter() - start)

    threads = [threading.Thread(target=ask, args=(client,)) for client in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = len(taken) / (time.perf_counter() - start)
    p50, p95, p99 = 1000 * np.percentile(taken, (50, 95, 99))
    return f"{rate:.1f} reviews/s, p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms"


def serve_peer() -> None:
    """A pipeline behind FastAPI: each request is computed by itself."""
    import socket

    import uvicorn
    from fastapi import FastAPI

    adapter, app = open_adapter("minilm-druglib"), FastAPI()
    peer = Pipeline(adapter.base().folder, adapter.manifest.max_length)
    turn = threading.Lock()

    @app.post("/v1/score")
    def score(body: dict[str, Any]) -> dict[str, str]:
        with turn:
            peer.score([Texts(**body)])
        return {"label": "positive"}

    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run([listener])


if __name__ == "__main__":
    main()
