from __future__ import annotations

import numpy as np
import pytest

from drugmon.labels import TARGETS
from drugmon.models.adapters.calibration import Form
from drugmon.scoring.cascade.doubt import Doubt, confidences

OVERALL = TARGETS.index("overall")
THERE = {
    Form.EVERY_ASPECT: [True, True, True, True],
    Form.SOME: [True, False, False, True],
    Form.LONE: [False, False, False, True],
}


def sure(confidence: np.ndarray, form: Form) -> tuple[np.ndarray, np.ndarray]:
    """Which texts there are, and probabilities with so much of overall; aspects are surer."""
    there = np.tile(THERE[form], (len(confidence), 1))
    probabilities = np.full((len(confidence), 4, 3), np.nan, np.float32)
    rest = (1 - confidence) / 2
    probabilities[:, OVERALL] = np.stack([rest, confidence, rest], axis=1)
    for column in np.flatnonzero(THERE[form][:OVERALL]):
        probabilities[:, column] = [0.02, 0.96, 0.02]
    return there, probabilities


def both(*parts: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    there, probabilities = zip(*parts, strict=True)
    return np.concatenate(there), np.concatenate(probabilities)


def test_overall_tells_and_without_it_the_least_sure_target() -> None:
    _, probabilities = sure(np.array([0.5, 0.9]), Form.EVERY_ASPECT)
    np.testing.assert_allclose(confidences(probabilities), [0.5, 0.9], rtol=1e-6)
    probabilities[:, OVERALL] = np.nan
    probabilities[1, 0] = [0.3, 0.3, 0.4]
    np.testing.assert_allclose(confidences(probabilities), [0.96, 0.4], rtol=1e-6)
    probabilities[:] = np.nan
    assert np.isinf(confidences(probabilities)).all(), "nothing that could be doubted"


def test_each_form_is_doubted_by_the_same_share() -> None:
    parts = sure(np.linspace(0.5, 1, 200), Form.EVERY_ASPECT)
    lone = sure(np.linspace(0.4, 0.6, 200), Form.LONE)
    there, probabilities = both(parts, lone)
    doubt = Doubt.of_share(0.25, there, probabilities)
    doubted = doubt.of(there, probabilities)
    assert doubted[:200].sum() == doubted[200:].sum() == 50
    assert doubt.below[Form.LONE] < doubt.below[Form.EVERY_ASPECT]


def test_a_form_of_which_few_were_held_out_takes_the_confidence_of_all() -> None:
    there, probabilities = both(
        sure(np.linspace(0.5, 1, 200), Form.EVERY_ASPECT), sure(np.array([0.4]), Form.SOME)
    )
    below = Doubt.of_share(0.5, there, probabilities).below
    assert below[Form.SOME] == below[Form.LONE]
    assert below[Form.SOME] == pytest.approx(below[Form.EVERY_ASPECT], abs=0.01)


def test_a_larger_share_doubts_more_and_the_ends_mean_nothing_and_all() -> None:
    held_out = sure(np.linspace(0.5, 1, 200), Form.EVERY_ASPECT)
    others = sure(np.linspace(0.34, 1, 50), Form.EVERY_ASPECT)
    counts = [
        int(Doubt.of_share(share, *held_out).of(*others).sum()) for share in (0, 0.1, 0.5, 0.9, 1)
    ]
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 50), "also of reviews less sure than any held-out one"


def test_a_review_is_doubted_whatever_stands_beside_it() -> None:
    doubt = Doubt.at(0.7)
    there, probabilities = sure(np.array([0.69, 0.71, 0.2]), Form.LONE)
    assert doubt.of(there, probabilities).tolist() == [True, False, True]
    for row in range(3):
        alone = doubt.of(there[row : row + 1], probabilities[row : row + 1])
        assert alone.tolist() == doubt.of(there, probabilities)[row : row + 1].tolist()


def test_what_has_no_text_is_not_sent_on() -> None:
    there = np.zeros((2, 4), bool)
    assert not Doubt.at(1.0).of(there, np.full((2, 4, 3), np.nan, np.float32)).any()
