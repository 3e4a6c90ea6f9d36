"""Making reviews ready, in this process and in others; what a GPU needs is forced on a CPU."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest

from drugmon.config import EngineConfig
from drugmon.data.reviews import Texts
from drugmon.data.sample import sample_reviews
from drugmon.errors import DrugmonError
from drugmon.models.adapters.adapter import Adapter, open_adapter
from drugmon.models.adapters.zero_shot import open_base
from drugmon.models.tokens.inputs import ReviewTokenizer
from drugmon.models.tokens.prepared import Prepared
from drugmon.scoring import feed as module
from drugmon.scoring.engine import Engine
from drugmon.scoring.feed import Feed, workers_for_gpu

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = EngineConfig(device="cpu", dtype="fp32")
REVIEWS = [
    *(
        Texts(str(row["benefits"]), str(row["side_effects"]), str(row["comments"]), None)
        for row in sample_reviews()[:40]
    ),
    Texts(None, None, None, None),
    Texts(None, None, None, "alone"),
    Texts("\ud800 torn", None, "", None),
]
PARTS = [REVIEWS[:20], [Texts(None, None, None, None)], [], REVIEWS[20:]]


@pytest.fixture(name="opened", params=["encoder", "seq2seq"])
def _opened(request: pytest.FixtureRequest, adapter: Path, tiny_t5: Path) -> Adapter:
    return open_adapter(str(adapter)) if request.param == "encoder" else open_base(str(tiny_t5))


@pytest.fixture(name="fed")
def _fed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Engine]]:
    """Makes engines with workers, and closes them."""
    made: list[Engine] = []

    def make(opened: Adapter, workers: int) -> Engine:
        engine = Engine(opened, CPU, pytest.fail)
        monkeypatch.setattr(engine._feed, "_workers", workers)
        made.append(engine)
        return engine

    yield make
    for engine in made:
        engine.close()


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_workers_change_no_verdict(
    opened: Adapter, fed: Callable[..., Engine], workers: int
) -> None:
    engine = fed(opened, workers)
    jobs = [engine.submit(part) for part in PARTS]
    assert len(active_children()) == (workers if workers > 1 else 0)
    for part, found in zip(PARTS, engine.scores(jobs), strict=True):
        expected = engine.score(part)
        np.testing.assert_array_equal(found.labels, expected.labels)
        np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    engine.close()
    assert active_children() == []


def test_what_is_ready_pickles_as_it_is_and_small(opened: Adapter) -> None:
    engine = Engine(opened, CPU, pytest.fail)
    for part in PARTS:
        ready = engine.submit(part).ready()
        again = pickle.loads(pickle.dumps(ready))
        assert again.prepared.lengths == ready.prepared.lengths
        assert len(again.prepared) == len(part)
        assert list(again.prepared.tokens) == []
        for items in zip(again.prepared.items, ready.prepared.items, strict=True):
            for name in ("ids", "segments"):
                mine, theirs = (np.asarray(getattr(item, name, item)) for item in items)
                np.testing.assert_array_equal(mine, theirs)
                assert mine.dtype == theirs.dtype
        for target, own in ready.prepared.places.items():
            np.testing.assert_array_equal(again.prepared.places[target], own)
        for target, values in (ready.lexical or {}).items():
            np.testing.assert_array_equal(again.lexical[target], values)
    tokens = sum(ready.prepared.lengths)
    assert len(pickle.dumps(ready)) < 9 * tokens + 100 * len(REVIEWS)


def test_nothing_is_made_ready_in_this_process_before_its_turn(
    adapter: Path, fed: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = fed(open_adapter(str(adapter)), 0)
    threads: list[threading.Thread] = []
    original = ReviewTokenizer.prepare

    def prepare(tokenizer: ReviewTokenizer, reviews: Sequence[Texts]) -> Prepared:
        threads.append(threading.current_thread())
        return original(tokenizer, reviews)

    monkeypatch.setattr(ReviewTokenizer, "prepare", prepare)
    job = engine.submit(REVIEWS)
    assert threads == []
    assert len(job.ready().prepared) == len(REVIEWS)
    assert threads == [threading.current_thread()]


def test_a_worker_that_is_killed_ends_the_run_with_a_message(
    adapter: Path, fed: Callable[..., Engine]
) -> None:
    engine = fed(open_adapter(str(adapter)), 2)
    first = engine.submit(REVIEWS)
    first.ready()
    for worker in active_children():
        assert worker.pid
        os.kill(worker.pid, signal.SIGKILL)
    message = r"a process that tokenises reviews was ended from outside.*run the same command again"
    with pytest.raises(DrugmonError, match=message):
        for _ in range(1000):
            engine.submit(REVIEWS).ready()
    with pytest.raises(DrugmonError, match=message):
        engine.submit(REVIEWS)
    engine.close()
    assert active_children() == []


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_worker_raises_is_raised_where_it_is_asked_for(workers: int) -> None:
    feed = Feed(module.Preparer(Broken(), None), workers)  # type: ignore[arg-type]
    try:
        job = feed.submit(REVIEWS)
        with pytest.raises(AttributeError, match="prepare"):
            job.ready()
    finally:
        feed.close()


Broken = dict  # known to every process, and no tokenizer


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 1), (3, 2), (4, 3), (64, 8)])
def test_workers_follow_the_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(cores)))
    assert workers_for_gpu() == workers


RUN = """
import signal
import sys
from multiprocessing import active_children
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where pytest runs behind &
from drugmon.cli import main as cli
from drugmon.cli import errors as cli_errors
from drugmon.scoring import engine, feed
from drugmon.scoring.feed import Feed

# As on a machine with a GPU and three cores; each batch takes its time.
original, forward = Feed.__init__, engine.Engine._run
def slow(self, items):
    import time
    time.sleep(0.2)
    return forward(self, items)
engine.Engine._run = slow
Feed.__init__ = lambda self, preparer, _workers: original(self, preparer, 2)
start = Feed.submit
def submit(self, reviews):
    job = start(self, reviews)
    print(*[child.pid for child in active_children()], flush=True)
    return job
Feed.submit = submit
sys.argv = ["drugmon", *sys.argv[1:]]
sys.exit(cli_errors.run(cli.cli))
"""


@pytest.mark.parametrize(
    ("sent", "code", "told"),
    [
        (signal.SIGINT, 130, "drugmon: interrupted; the same command goes on where this one was\n"),
        (signal.SIGTERM, 143, "drugmon: terminated; the same command goes on where this one was\n"),
        (signal.SIGKILL, -signal.SIGKILL, ""),
    ],
)
def test_an_ended_run_leaves_no_worker(
    adapter: Path, labelled: Path, tmp_path: Path, sent: signal.Signals, code: int, told: str
) -> None:
    """As ^C and the end of a service do, a signal goes to the whole group; the kill to the run."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", RUN, "score", labelled, "--out", tmp_path / "out.csv"),
            *("--adapter", adapter, "--device", "cpu", "--batch-tokens", "64", "--quiet"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    workers = [int(pid) for pid in process.stdout.readline().split()]
    assert workers
    if told:
        os.killpg(process.pid, sent)
    else:
        process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code
    if told:  # after a kill, Python itself tells of the semaphores that it tidies up
        assert said.lstrip("\n") == told
    for _ in range(1000):
        if not any(Path(f"/proc/{pid}").exists() for pid in workers):
            break
        time.sleep(0.01)
    else:
        pytest.fail("a worker outlives its run")
