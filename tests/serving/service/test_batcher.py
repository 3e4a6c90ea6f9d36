"""Gathering: what is computed together, in which order, and what is left out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

pytest.importorskip("fastapi")

from drugmon.data.reviews import Texts
from drugmon.data.verdicts.columns import make_verdicts
from drugmon.errors import DrugmonError
from drugmon.serving.service.batcher import SHARE, Batcher, tokens_of
from drugmon.serving.service.problems import Problem


class Judge:
    """Gives every review a positive verdict, its text as the fingerprint; keeps the batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.open = threading.Event()
        self.open.set()

    def __call__(self, reviews: Sequence[Texts]) -> pa.RecordBatch:
        texts = [str(review.text) for review in reviews]
        self.batches.append(texts)
        assert self.open.wait(10)
        if "poison" in texts:
            raise DrugmonError("one review cannot be judged")
        n = len(texts)
        shares = np.full((n, 4, 3), 1 / 3, np.float32)
        return make_verdicts(np.full((n, 4), 2, np.int8), shares, "a@b", datetime.now(UTC), texts)


def review(text: str) -> Texts:
    return Texts(None, None, None, text)


def told(rows: list[dict[str, Any]]) -> list[str]:
    return [row["drugmon_fingerprint"] for row in rows]


def run(judge: Judge, body: Any, **settings: Any) -> None:
    async def main() -> None:
        options = {"batch_tokens": 1_000, "max_wait": 0.05, "max_queue": 1_000, **settings}
        batcher = Batcher(judge, **options)
        batcher.start()
        work: Coroutine[Any, Any, None] = body(batcher)
        try:
            await asyncio.wait_for(work, 30)
        finally:
            judge.open.set()
            await batcher.stop()

    asyncio.run(main())


def test_one_that_is_alone_does_not_wait() -> None:
    judge = Judge()

    async def body(batcher: Batcher) -> None:
        for name in ("first", "second", "third"):
            assert told(await batcher.submit([review(name)])) == [name]

    run(judge, body, max_wait=60.0)
    assert judge.batches == [["first"], ["second"], ["third"]]


def test_as_many_as_last_time_are_waited_for() -> None:
    judge = Judge()

    async def body(batcher: Batcher) -> None:
        await asyncio.gather(*[batcher.submit([review(f"a{n}")]) for n in range(3)])
        early = [batcher.submit([review(f"b{n}")]) for n in range(2)]
        await asyncio.sleep(0.1)
        assert len(judge.batches) == 1, "two have come, and three may"
        late = batcher.submit([review("b2")])
        answers = await asyncio.gather(*early, late)
        assert [told(rows) for rows in answers] == [["b0"], ["b1"], ["b2"]]

    run(judge, body, max_wait=60.0)
    assert judge.batches == [["a0", "a1", "a2"], ["b0", "b1", "b2"]]


def test_nobody_waits_longer_than_the_wait() -> None:
    judge = Judge()

    async def body(batcher: Batcher) -> None:
        await asyncio.gather(*[batcher.submit([review(f"a{n}")]) for n in range(3)])
        assert told(await batcher.submit([review("b")])) == ["b"]
        assert told(await batcher.submit([review("c")])) == ["c"]

    run(judge, body, max_wait=0.05)
    assert judge.batches == [["a0", "a1", "a2"], ["b"], ["c"]]


def test_who_takes_turns_comes_together() -> None:
    """One that came first is computed alone, and then not again without the others."""
    judge = Judge()

    async def body(batcher: Batcher) -> None:
        async def client(name: str) -> None:
            for _ in range(4):
                assert told(await batcher.submit([review(name)])) == [name]

        judge.open.clear()
        first = asyncio.create_task(client("r0"))
        while not judge.batches:
            await asyncio.sleep(0.01)
        others = [asyncio.create_task(client(f"r{n}")) for n in range(1, 8)]
        await asyncio.sleep(0.05)
        judge.open.set()
        await asyncio.gather(first, *others)

    run(judge, body, max_wait=0.5)
    sizes = [len(batch) for batch in judge.batches]
    assert sizes[:5] == [1, 7, 8, 8, 8]


def test_a_full_batch_does_not_wait() -> None:
    judge = Judge()

    async def body(batcher: Batcher) -> None:
        await batcher.submit([review("long " * 200)] * 10)

    run(judge, body, max_wait=60.0)
    assert sum(map(len, judge.batches)) == 10


def test_batches_hold_the_token_budget() -> None:
    judge = Judge()
    texts = [f"{n:03}" + "x" * 397 for n in range(50)]

    async def body(batcher: Batcher) -> None:
        assert told(await batcher.submit(list(map(review, texts)))) == texts

    run(judge, body, max_wait=0.0)
    each = tokens_of(review(texts[0]))
    assert each == 104
    assert max(map(len, judge.batches)) == -(-1_000 // each)


def test_a_large_request_lets_small_ones_pass() -> None:
    judge = Judge()
    judge.open.clear()

    async def body(batcher: Batcher) -> None:
        large = batcher.submit([review(f"l{n}") for n in range(10 * SHARE)])
        await asyncio.sleep(0.2)
        small = batcher.submit([review("small")])
        judge.open.set()
        assert told(await small) == ["small"]
        assert not large.done()
        assert told(await large) == [f"l{n}" for n in range(10 * SHARE)]

    run(judge, body, batch_tokens=SHARE * 4)


def test_who_leaves_is_not_computed_for() -> None:
    judge = Judge()
    judge.open.clear()

    async def body(batcher: Batcher) -> None:
        first = batcher.submit([review("first")])
        await asyncio.sleep(0.2)
        gone = batcher.submit([review("gone")] * 7)
        stays = batcher.submit([review("stays")])
        assert batcher.waiting == 8
        gone.cancel()
        await asyncio.sleep(0)
        assert batcher.waiting == 1
        judge.open.set()
        assert (told(await first), told(await stays)) == (["first"], ["stays"])

    run(judge, body)
    assert judge.batches == [["first"], ["stays"]]


def test_the_queue_is_bounded_and_streams_wait_for_room() -> None:
    judge = Judge()
    judge.open.clear()

    async def body(batcher: Batcher) -> None:
        first = batcher.submit([review("computed")])
        await asyncio.sleep(0.2)
        waiting = batcher.submit([review("a"), review("b")])
        with pytest.raises(Problem) as refused:
            batcher.submit([review("c")])
        assert (refused.value.status_code, refused.value.kind) == (429, "queue-full")
        later = asyncio.create_task(batcher.submit_when_room(review("d")))
        await asyncio.sleep(0.05)
        assert not later.done()
        judge.open.set()
        assert told(await first) == ["computed"]
        assert told(await waiting) == ["a", "b"]
        assert told(await (await later)) == ["d"]
        assert batcher.waiting == 0

    run(judge, body, max_queue=2)


def test_one_bad_request_does_not_take_others_with_it() -> None:
    judge = Judge()

    async def body(batcher: Batcher) -> None:
        good = batcher.submit([review("good")])
        bad = batcher.submit([review("fine"), review("poison")])
        assert told(await good) == ["good"]
        with pytest.raises(DrugmonError, match="one review cannot be judged"):
            await bad

    run(judge, body)
