from __future__ import annotations

import numpy as np
import pytest

from drugmon.monitoring.checks.text_drift import tell_apart

WORDS = [f"{a}{b}" for a in ("hel", "pai", "sle", "nau", "wor") for b in "abcdefgh"]


def texts(n: int, seed: int, word: str = "") -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join([word, *random.choice(WORDS, size=15)]).strip() for _ in range(n)]


@pytest.mark.slow
def test_texts_of_one_kind_cannot_be_told_apart() -> None:
    found = [tell_apart(texts(120, seed), texts(200, 100 + seed), 100) for seed in range(20)]
    values = [each.p_value for each in found if each is not None]
    assert len(values) == 20
    assert sum(value < 0.05 for value in values) <= 3
    assert all(0.35 < (each.auc.value or 0) < 0.65 for each in found if each is not None)


def test_a_third_with_another_word_is_found() -> None:
    found = tell_apart([*texts(100, 1), *texts(50, 2, "recall")], texts(200, 3), 100)
    assert found is not None
    assert found.p_value < 0.001
    assert (found.auc.low or 0) < (found.auc.value or 0) < 0.75
    assert (found.n, found.m) == (150, 200)


def test_copies_count_once() -> None:
    assert tell_apart(texts(60, 1) * 5, texts(200, 2), 100) is None
    assert tell_apart(["the same"] * 500, texts(200, 2), 2) is None


def test_texts_without_words() -> None:
    found = tell_apart([f"{n}" for n in range(150)], [f"{n} !" for n in range(150)], 100)
    assert found is not None and found.auc.value == 0.5
