from __future__ import annotations

import numpy as np
import pytest

from drugmon.data.reviews import Texts
from drugmon.labels import TARGETS
from drugmon.scoring.scores import Evidence
from drugmon.training.dataset import LabelledReviews
from drugmon.workflows.evaluate import measure_scores
from drugmon.workflows.held_out import HeldOut, Part

JUDGED = ("benefits", "overall")


def make_part(n: int, seed: int, *, targets: tuple[str, ...] = JUDGED) -> Part:
    """Reviews whose labels the encoder sees, three times too sure of itself."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    raw = 3 * (rng.normal(0, 1, (n, 3)) + 1.5 * np.eye(3)[labels])
    evidence = (raw - np.log(np.exp(raw).sum(axis=1, keepdims=True))).astype(np.float32)
    own = dict.fromkeys(targets, labels)
    reviews = LabelledReviews(
        [Texts("a", "b", "c", None)] * n,
        own,
        own,
        np.zeros(n, bool),
        {"drug": ["x"] * n, "rating": [1] * n},
    )
    return Part(reviews, Evidence(dict.fromkeys(JUDGED, evidence), None))


@pytest.fixture(name="held")
def _held() -> HeldOut:
    return HeldOut("test split", make_part(150, 1), make_part(150, 2), seed=0)


def test_calibration_is_measured_on_what_it_was_not_fitted_on(held: HeldOut) -> None:
    errors = held.calibration_errors()["overall"]
    assert errors["ece_after"] is not None
    assert errors["ece_before"] is not None
    assert errors["ece_after"] < errors["ece_before"]
    assert held.qualities["overall"].ece.value == pytest.approx(errors["ece_after"])


def test_kept_calibration_is_fitted_on_both_parts(held: HeldOut) -> None:
    alone = HeldOut("dev", held.fitting, held.fitting, seed=0)
    assert held.calibrations != alone.calibrations
    assert held.calibrations["overall"].temperature > 1.5


def test_figures_come_from_a_calibration_that_never_saw_them(held: HeldOut) -> None:
    alone = HeldOut("dev", held.fitting, held.fitting, seed=0).calibrations
    expected = measure_scores(held.measuring.scores(alone), held.measuring.reviews)
    assert held.qualities == expected


def test_profile_is_of_the_measuring_part(held: HeldOut) -> None:
    profile = held.profile()
    assert profile.n == 150
    assert set(profile.targets) == set(TARGETS)
    assert set(profile.texts) == {"benefits", "side_effects", "comments"}
    assert profile.ratings is not None
    assert profile.ratings["1"] == 150
    assert profile.conditions is None


def test_measuring_part_may_lack_a_target(held: HeldOut) -> None:
    part = make_part(60, 4, targets=("overall",))
    found = HeldOut("the evaluation source", held.fitting, part, seed=0)
    assert set(found.qualities) == {"overall"}
    assert found.calibration_errors()["benefits"] == {"ece_before": None, "ece_after": None}
    assert (
        found.calibrations["benefits"]
        == HeldOut("", held.fitting, held.fitting, 0).calibrations["benefits"]
    )
