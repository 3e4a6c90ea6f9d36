from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from drugmon.labels import TARGETS
from drugmon.scoring.held_out import HeldOutEvidence
from drugmon.scoring.scores import Evidence
from drugmon.workflows.train.teaching.out_of_fold import out_of_fold

OVERALL = TARGETS.index("overall")


def held_out(n: int, folds: int, lone: bool = False, seed: int = 0) -> HeldOutEvidence:
    """Evidence three times too sure of itself, of reviews of all texts or of lone ones."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n).astype(np.int8)
    raw = 3 * (rng.normal(0, 1, (n, 3)) + 1.5 * np.eye(3)[labels])
    model = (raw - np.log(np.exp(raw).sum(axis=1, keepdims=True))).astype(np.float32)
    texts = np.ones((n, 4), bool)
    texts[:, :3] = not lone
    return HeldOutEvidence(
        rng.integers(0, 256, (n, 16)).astype(np.uint8),
        (np.arange(n) * folds // n).astype(np.int16),
        texts,
        Evidence(dict.fromkeys(("comments", "overall"), model), None),
        {"comments": labels, "overall": labels},
    )


def turned_round(held: HeldOutEvidence, rows: NDArray[Any]) -> HeldOutEvidence:
    def turned(own: NDArray[Any]) -> NDArray[Any]:
        other = own.copy()
        other[rows] = 2 - own[rows]
        return other

    return replace(held, labels={target: turned(own) for target, own in held.labels.items()})


def surprise(words: NDArray[Any], held: HeldOutEvidence) -> float:
    rows = np.arange(len(held))
    return float(-np.log(words[rows, OVERALL, held.labels["overall"]]).mean())


@pytest.mark.parametrize("lone", [False, True])
def test_a_word_does_not_depend_on_labels_of_its_own_fold(lone: bool) -> None:
    held = held_out(1200, 3, lone)
    words = out_of_fold(held)
    second = held.fold == 1
    lied = out_of_fold(turned_round(held, second))
    assert np.array_equal(words[second], lied[second], equal_nan=True)
    assert not np.allclose(words[~second, OVERALL], lied[~second, OVERALL])
    assert np.allclose(words[:, OVERALL].sum(axis=1), 1, atol=1e-5)
    assert np.isnan(words[:, 0]).all(), "no target that it does not judge"


@pytest.mark.parametrize("lone", [False, True])
def test_reviews_of_one_model_are_calibrated_by_a_fifth_at_a_time(lone: bool) -> None:
    held = held_out(600, 1, lone)
    words = out_of_fold(held)
    own = held.hashes[:, 0] % 5 == 2
    lied = out_of_fold(turned_round(held, own))
    assert np.array_equal(words[own], lied[own], equal_nan=True)
    assert not np.allclose(words[~own, OVERALL], lied[~own, OVERALL])
    raw = np.exp(held.evidence.model["overall"])[:, None].repeat(4, axis=1)
    assert surprise(words, held) < surprise(raw, held) - 0.05, "it was too sure of itself"


def test_few_lone_texts_have_the_calibration_of_the_other_reviews() -> None:
    many, few = held_out(400, 2), held_out(40, 1, lone=True, seed=1)
    both = HeldOutEvidence(
        np.concatenate([many.hashes, few.hashes]),
        np.concatenate([many.fold, few.fold + 2]),
        np.concatenate([many.texts, few.texts]),
        Evidence(
            {
                target: np.concatenate([own, few.evidence.model[target]])
                for target, own in many.evidence.model.items()
            },
            None,
        ),
        {t: np.concatenate([own, few.labels[t]]) for t, own in many.labels.items()},
    )
    words = out_of_fold(both)
    assert np.isnan(words[400:, TARGETS.index("comments")]).all(), "a lone text is no comment"
    lied = out_of_fold(turned_round(both, np.arange(440) >= 400))
    assert np.array_equal(words[400:], lied[400:], equal_nan=True)
    assert surprise(words[400:], few) < surprise(
        np.exp(few.evidence.model["overall"])[:, None].repeat(4, axis=1), few
    )


def test_without_labels_nothing_is_said() -> None:
    held = held_out(30, 2)
    unknown = replace(held, labels={"overall": np.full(30, -1, np.int8)})
    assert np.isnan(out_of_fold(unknown)).all()
