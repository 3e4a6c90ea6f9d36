from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from drugmon.data.reviews import Texts, clean
from drugmon.errors import RecipeError
from drugmon.models.bases.bases import resolve_base
from drugmon.training.reviews.paraphrase import BaseWriter, Paraphraser

CPU = torch.device("cpu")
REVIEWS = [
    Texts(f"It was so so number {n}", "mixed feelings" if n % 2 else None, None, None)
    for n in range(20)
]


@pytest.fixture(name="make")
def _make(tiny_t5: Path, tmp_path: Path) -> Any:
    def make(
        seed: int = 0,
        cache: str = "cache.jsonl",
        temperature: float = 1.0,
        open_writer: Any = BaseWriter,
    ) -> Paraphraser:
        base = resolve_base(str(tiny_t5))
        return Paraphraser(base, CPU, temperature, seed, tmp_path / cache, open_writer)

    return make


def test_texts_are_reworded_and_empty_ones_stay_empty(make: Any) -> None:
    written = make()(REVIEWS)
    assert len(written) == len(REVIEWS)
    changed = [(old, new) for old, new in zip(REVIEWS, written, strict=True) if new is not None]
    assert len(changed) > 10
    for old, new in changed:
        assert new != old
        for before, after in zip(old, new, strict=True):
            assert (before is None) == (after is None)
            assert after is None or clean(after) == after


def test_the_seed_decides_and_the_callers_randomness_is_left_alone(make: Any) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = make(cache="a")(REVIEWS)
    assert torch.equal(torch.rand(3), expected)
    assert make(cache="b")(REVIEWS) == first
    assert make(seed=1, cache="c")(REVIEWS) != first
    assert make(cache="d", temperature=0.5)(REVIEWS) != first


def test_a_killed_run_goes_on_from_its_cache(make: Any, tmp_path: Path) -> None:
    whole = make(cache="whole")(REVIEWS)
    calls = []

    class Interrupted(BaseWriter):
        def write(self, *given: Any) -> list[str]:
            calls.append(given)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return super().write(*given)

    with pytest.raises(KeyboardInterrupt):
        make(open_writer=Interrupted)(REVIEWS)
    cache = tmp_path / "cache.jsonl"
    assert stat.S_IMODE(cache.stat().st_mode) == 0o600, "it holds texts"
    with cache.open("a", encoding="utf-8") as file:
        file.write('\n["torn')
    assert make(open_writer=Interrupted)(REVIEWS) == whole
    assert len(calls) == 3, "30 texts are two batches, and one of them was kept"
    assert make(open_writer=Interrupted)(REVIEWS) == whole
    assert len(calls) == 3


def test_what_is_empty_or_the_same_is_no_paraphrase(make: Any) -> None:
    class Echo:
        def __init__(self, *_given: object) -> None: ...

        def write(self, texts: Sequence[str], *_: object) -> list[str]:
            return [{"one": " ONE", "two": " ", "three": "another"}[text] for text in texts]

    written = make(open_writer=Echo)(
        [Texts("one", "two", None, None), Texts("one", "three", None, None)]
    )
    assert written == [None, Texts("one", "another", None, None)]


def test_an_encoder_cannot_write(tiny_base: Path, tmp_path: Path) -> None:
    base = resolve_base(str(tiny_base))
    with pytest.raises(RecipeError, match="needs a seq2seq base, and tiny-base cannot write"):
        Paraphraser(base, CPU, 1.0, 0, tmp_path / "cache")
