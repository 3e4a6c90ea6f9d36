from __future__ import annotations

import numpy as np

from drugmon.data.reviews import Texts
from drugmon.labels import TARGETS
from drugmon.models.adapters.calibration import Calibration
from drugmon.models.adapters.combination import Combination
from drugmon.scoring.scores import NO_VERDICT, Evidence, judge

REVIEWS = [
    Texts("good", None, " ", None),
    Texts(None, None, None, "lone"),
    Texts(None, "", None, None),
    Texts("a", "None", "c", None),
]
POSITIVE = np.log(np.tile(np.array([[0.1, 0.2, 0.7]], np.float32), (4, 1)))


def test_verdicts_only_where_there_is_a_text() -> None:
    evidence = Evidence(dict.fromkeys(TARGETS, POSITIVE), None)
    scores = judge(REVIEWS, evidence, dict.fromkeys(TARGETS, Calibration()))
    assert scores.labels.tolist() == [[2, -1, -1, 2], [-1, -1, -1, 2], [-1] * 4, [2] * 4]
    there = scores.labels != NO_VERDICT
    assert np.isnan(scores.probabilities[~there]).all()
    np.testing.assert_allclose(
        scores.probabilities[there], np.tile([0.1, 0.2, 0.7], (there.sum(), 1)), rtol=1e-5
    )


def test_untrained_targets_get_none() -> None:
    scores = judge(REVIEWS, Evidence({"overall": POSITIVE}, None), {"overall": Calibration()})
    assert (scores.labels[:, :3] == NO_VERDICT).all()
    assert scores.labels[:, 3].tolist() == [2, 2, -1, 2]


def test_lexical_model_is_weighed_in() -> None:
    negative = POSITIVE[:, ::-1].copy()
    evidence = Evidence({"overall": POSITIVE}, {"overall": negative})
    scores = judge(REVIEWS, evidence, {"overall": Calibration(lexical_weight=2.0)})
    assert scores.labels[:, 3].tolist() == [0, 0, -1, 0]


def test_evidence_of_rows() -> None:
    evidence = Evidence({"overall": POSITIVE}, {"overall": POSITIVE})
    for rows in (np.array([0, 2]), np.array([True, False, True, False])):
        encoder, lexical = evidence.of("overall", rows)
        assert lexical is not None
        assert encoder.shape == lexical.shape == (2, 3)


def test_no_reviews_no_verdicts() -> None:
    empty = np.empty((0, 3), np.float32)
    scores = judge([], Evidence({"overall": empty}, None), {"overall": Calibration()})
    assert scores.labels.shape == (0, 4)
    assert scores.probabilities.shape == (0, 4, 3)


def test_a_combination_judges_reviews_that_have_a_text_for_every_aspect() -> None:
    negative = POSITIVE[:, ::-1].copy()
    evidence = Evidence({**dict.fromkeys(TARGETS, POSITIVE), "benefits": negative}, None)
    combination = Combination({"benefits": (2.0, 0.0), "overall": (1.0, 0.0)}, (0, 0, 0), (0, 0, 0))
    overall = Calibration(combination=combination)
    plain = dict.fromkeys(TARGETS, Calibration())
    scores, before = (
        judge(REVIEWS, evidence, own) for own in ({**plain, "overall": overall}, plain)
    )
    assert scores.labels[:, 3].tolist() == [2, 2, -1, 0]
    assert np.array_equal(scores.probabilities[:3], before.probabilities[:3], equal_nan=True)
    np.testing.assert_allclose(scores.probabilities.sum(axis=2)[3], 1, rtol=1e-6)


def test_a_lone_text_is_judged_by_what_was_fitted_on_lone_texts() -> None:
    negative = POSITIVE[:, ::-1].copy()
    evidence = Evidence({**dict.fromkeys(TARGETS, POSITIVE), "comments": negative}, None)
    lone = Combination({"comments": (2.0, 0.0), "overall": (1.0, 0.0)}, (0, 0, 0), (0, 0, 0))
    calibrations = {**dict.fromkeys(TARGETS, Calibration()), "overall": Calibration(lone=lone)}
    scores = judge(REVIEWS, evidence, calibrations)
    assert scores.labels.tolist() == [[2, -1, -1, 2], [-1, -1, -1, 0], [-1] * 4, [2, 2, 0, 2]]
