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
from drugmon.models.adapter import open_adapter
from drugmon.models.inputs import Batch
from drugmon.scoring.engine import Engine

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
    forward = engine._loaded.model.forward
    monkeypatch.setattr(engine._loaded.model, "forward", lambda batch: change(batch, forward))


def too_big(limit: int, error: Exception) -> Callable[..., Any]:
    def forward(batch: Batch, original: Callable[[Batch], Any]) -> Any:
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
    engine.batch_tokens = 64
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
    strange = ["\ud800", "\U0001f600\U0001f600", "\0", "<b>&amp;</b>", "x" * 50_000]
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

    def counted(batch: Batch, original: Callable[[Batch], Any]) -> Any:
        nonlocal failures
        failures += batch.ids.numel() > 150
        return too_big(150, error)(batch, original)

    give(engine, monkeypatch, counted)
    found = engine.score(reviews)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)
    assert len(warnings) == 1
    assert warnings[0].startswith("out of memory on cpu: going on with smaller batches (--batch-")
    assert engine.batch_tokens <= 256

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
    def broken(batch: Batch, original: Callable[[Batch], Any]) -> Any:
        logits = original(batch)
        logits["comments"][0, 0] = value
        return logits

    give(engine, monkeypatch, broken)
    with pytest.raises(
        DrugmonError, match=r"gave comments probabilities that are not numbers on cpu"
    ):
        engine.score(reviews)


def test_half_precision_mostly_agrees(engine: Engine, adapter: Path, reviews: list[Texts]) -> None:
    config = EngineConfig(device="cpu", dtype="bf16")
    half = Engine(open_adapter(str(adapter)), config, pytest.fail).score(reviews)
    full = engine.score(reviews)
    there = full.labels >= 0
    np.testing.assert_array_equal(half.labels >= 0, there)
    assert (half.labels == full.labels)[there].mean() > 0.9
    np.testing.assert_allclose(half.probabilities[there], full.probabilities[there], atol=0.05)


def test_batches_follow_the_device_unless_told(adapter: Path) -> None:
    opened = open_adapter(str(adapter))
    engine = Engine(opened, EngineConfig(device="cpu", dtype="fp32"), pytest.fail)
    assert engine.batch_tokens == 4096
