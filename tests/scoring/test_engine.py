from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from drugmon.config import EngineConfig
from drugmon.data.reviews import Texts
from drugmon.data.sample import sample_reviews
from drugmon.errors import DeviceError, DrugmonError
from drugmon.models.adapters.adapter import open_adapter
from drugmon.models.device import Units, has_int8
from drugmon.models.tokens.inputs import TokenBatch
from drugmon.scoring.budget import TRIAL_TOKENS, TokenBudget
from drugmon.scoring.engine import CHUNK, Engine
from drugmon.scoring.flight import Flight

ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    MemoryError(),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
]


@pytest.fixture(scope="module", name="reviews")
def _reviews() -> list[Texts]:
    def text(cell: object) -> str | None:
        return str(cell) if cell else None

    return [
        Texts(text(row["benefits"]), text(row["side_effects"]), text(row["comments"]), None)
        for row in sample_reviews()
    ]


@pytest.fixture(name="warnings")
def _warnings() -> list[str]:
    return []


@pytest.fixture(name="engine")
def _engine(adapter: Path, warnings: list[str]) -> Engine:
    config = EngineConfig(device="cpu", dtype="fp32", batch_tokens=512)
    return Engine(open_adapter(str(adapter)), config, warnings.append)


def give(engine: Engine, monkeypatch: pytest.MonkeyPatch, change: Callable[..., Any]) -> None:
    """Let `change(batch, forward)` stand for the model's pass over a batch."""
    forward = engine.model.forward
    monkeypatch.setattr(engine.model, "forward", lambda batch: change(batch, forward))


def untried(_tokens: int) -> None:
    raise AssertionError("the budget is known")


def too_big(limit: int, error: Exception) -> Callable[..., Any]:
    def forward(batch: TokenBatch, original: Callable[[TokenBatch], Any]) -> Any:
        if batch.ids.numel() > limit:
            raise error
        return original(batch)

    return forward


def test_order_of_the_reviews_does_not_matter(engine: Engine, reviews: list[Texts]) -> None:
    straight = engine.score(reviews)
    order = np.random.default_rng(0).permutation(len(reviews))
    shuffled = engine.score([reviews[row] for row in order])
    np.testing.assert_array_equal(shuffled.labels, straight.labels[order])
    np.testing.assert_allclose(shuffled.probabilities, straight.probabilities[order], atol=1e-5)


def test_size_of_the_batches_does_not_matter(engine: Engine, reviews: list[Texts]) -> None:
    straight = engine.score(reviews)
    engine.budget = TokenBudget(engine.compute.device, 64, pytest.fail)
    np.testing.assert_allclose(
        engine.score(reviews).probabilities, straight.probabilities, atol=1e-5
    )


def test_lone_text_gives_overall_only(engine: Engine) -> None:
    scores = engine.score([Texts(None, None, None, "wonderful"), Texts(None, None, None, None)])
    assert (scores.labels[0] >= 0).tolist() == [False, False, False, True]
    assert scores.labels[1].tolist() == [-1] * 4
    assert np.isnan(scores.probabilities[1]).all()
    np.testing.assert_allclose(scores.probabilities[0, 3].sum(), 1, atol=1e-6)


def test_nothing_to_score_is_no_failure(engine: Engine) -> None:
    assert engine.score([]).labels.shape == (0, 4)


def test_strange_texts_are_scored(engine: Engine) -> None:
    strange = ["\ud800", "\U0001f600\U0001f600", "a\0b", "<b>&amp;</b>", "x" * 50_000]
    scores = engine.score([Texts(text, None, None, None) for text in strange])
    assert (scores.labels[:, [0, 3]] >= 0).all()


def test_progress_counts_every_review(engine: Engine, reviews: list[Texts]) -> None:
    told: list[int] = []
    engine.score(reviews, told.append)
    assert sum(told) == len(reviews)
    assert len(told) > 1


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_out_of_memory_halves_warns_once_and_remembers(
    engine: Engine,
    reviews: list[Texts],
    warnings: list[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    expected = engine.score(reviews)
    failures = 0

    def counted(batch: TokenBatch, original: Callable[[TokenBatch], Any]) -> Any:
        nonlocal failures
        failures += batch.ids.numel() > 150
        return too_big(150, error)(batch, original)

    give(engine, monkeypatch, counted)
    found = engine.score(reviews)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)
    assert len(warnings) == 1
    assert warnings[0].startswith("out of memory on cpu: going on with smaller batches (--batch-")
    assert engine.budget.tokens(untried) <= 256

    before = failures
    engine.score(reviews)
    assert failures - before <= 1, "the lowered budget holds for the rest of the run"


def test_review_that_does_not_fit_alone_ends_the_run(
    engine: Engine, reviews: list[Texts], monkeypatch: pytest.MonkeyPatch
) -> None:
    give(engine, monkeypatch, too_big(20, MemoryError()))
    with pytest.raises(
        DeviceError, match=r"one review of \d+ tokens does not fit the memory of cpu"
    ):
        engine.score(reviews)


def test_other_errors_are_not_taken_for_lack_of_memory(
    engine: Engine, reviews: list[Texts], warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    give(engine, monkeypatch, too_big(0, RuntimeError("shapes cannot be multiplied")))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        engine.score(reviews)
    assert warnings == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_told(
    engine: Engine, reviews: list[Texts], monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    def broken(batch: TokenBatch, original: Callable[[TokenBatch], Any]) -> Any:
        logits = original(batch)
        logits["comments"][0, 0] = value
        return logits

    give(engine, monkeypatch, broken)
    with pytest.raises(
        DrugmonError, match=r"gave comments probabilities that are not numbers on cpu"
    ):
        engine.score(reviews)


@pytest.mark.parametrize("dtype", ["bf16", "int8"])
def test_smaller_formats_mostly_agree(
    engine: Engine, adapter: Path, reviews: list[Texts], dtype: str
) -> None:
    if dtype == "int8" and not has_int8(torch.device("cpu")):
        pytest.skip("this CPU has no int8 units")
    config = EngineConfig(device="cpu", dtype=dtype)
    half = Engine(open_adapter(str(adapter)), config, pytest.fail).score(reviews)
    full = engine.score(reviews)
    there = full.labels >= 0
    np.testing.assert_array_equal(half.labels >= 0, there)
    assert (half.labels == full.labels)[there].mean() > 0.9
    np.testing.assert_allclose(half.probabilities[there], full.probabilities[there], atol=0.05)


def test_int8_is_taken_where_adapter_and_hardware_gain_by_it(adapter: Path) -> None:
    there = Units.of(torch.device("cpu")).gains_by_int8
    engine = Engine(open_adapter(str(adapter)), EngineConfig(device="cpu"), pytest.fail)
    assert engine.compute.int8 is there


def test_batches_follow_the_device_unless_told(adapter: Path) -> None:
    opened = open_adapter(str(adapter))
    engine = Engine(opened, EngineConfig(device="cpu", dtype="fp32"), pytest.fail)
    assert engine.budget.tokens(untried) == 4096


def test_chunk_is_worth_sorting_by_length(engine: Engine) -> None:
    assert 256 <= engine.chunk < CHUNK["cuda"]


def test_weights_are_loaded_by_the_first_review(adapter: Path, reviews: list[Texts]) -> None:
    engine = Engine(open_adapter(str(adapter)), EngineConfig(device="cpu"), pytest.fail)
    job = engine.submit(reviews[:2])
    assert "model" not in vars(engine)
    assert len(next(engine.scores([job])).labels) == 2
    assert "model" in vars(engine)


def test_jobs_are_scored_in_their_order(engine: Engine, reviews: list[Texts]) -> None:
    parts = [reviews[:5], [], [Texts(None, None, None, None)], reviews[5:40]]
    found = list(engine.scores(map(engine.submit, parts)))
    assert [len(scores.labels) for scores in found] == [5, 0, 1, 35]
    for part, scores in zip(parts, found, strict=True):
        np.testing.assert_array_equal(scores.labels, engine.score(part).labels)


@pytest.mark.parametrize("flying", [0, 3, 1000])
def test_batches_that_fly_change_no_verdict(
    engine: Engine, reviews: list[Texts], monkeypatch: pytest.MonkeyPatch, flying: int
) -> None:
    straight = [engine.score(part) for part in (reviews[:30], reviews[30:])]
    order: list[str] = []
    land = Flight.land

    def launched(batch: TokenBatch, forward: Callable[[TokenBatch], Any]) -> Any:
        order.append("launch")
        return forward(batch)

    def landed(flight: Flight) -> Any:
        order.append("land")
        return land(flight)

    monkeypatch.setattr(engine, "_flying", flying)
    monkeypatch.setattr(Flight, "land", landed)
    give(engine, monkeypatch, launched)
    jobs = [engine.submit(reviews[:30]), engine.submit(reviews[30:])]
    told: list[int] = []
    for expected, found in zip(straight, engine.scores(jobs, told.append), strict=True):
        np.testing.assert_array_equal(found.labels, expected.labels)
        np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    assert sum(told) == len(reviews)
    ahead = np.cumsum([1 if step == "launch" else -1 for step in order])
    assert ahead.max() <= flying + 1
    assert order.count("launch") == order.count("land") > 4
    if flying == 0:
        assert order[:4] == ["launch", "land"] * 2
    else:
        assert order[:2] == ["launch"] * 2


def test_out_of_memory_in_flight_is_halved_too(
    engine: Engine, reviews: list[Texts], warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = engine.score(reviews)
    monkeypatch.setattr(engine, "_flying", 2)
    give(engine, monkeypatch, too_big(150, ERRORS[0]))
    np.testing.assert_array_equal(engine.score(reviews).labels, expected.labels)
    assert len(warnings) == 1


def test_budget_of_a_gpu_is_found_by_a_trial(
    engine: Engine, reviews: list[Texts], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory of a GPU is made up; the batch that is tried is a real one."""
    sizes: list[int] = []

    def counted(batch: TokenBatch, forward: Callable[[TokenBatch], Any]) -> Any:
        sizes.append(batch.ids.numel())
        return forward(batch)

    give(engine, monkeypatch, counted)
    for name, answer in {
        "reset_peak_memory_stats": None,
        "memory_allocated": 0,
        "max_memory_allocated": TRIAL_TOKENS * 100,
        "empty_cache": None,
        "mem_get_info": (100 * 1000, 0),
    }.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)
    engine.budget = TokenBudget(torch.device("cuda"), None, pytest.fail)
    engine.score(reviews)
    longest = sizes[1]
    assert TRIAL_TOKENS - 64 < sizes[0] <= TRIAL_TOKENS, "the trial comes first"
    assert longest <= max(sizes[1:]) <= 800, "0.8 of what the free memory holds"
