from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drugmon.errors import AdapterError
from drugmon.labels import TARGETS
from drugmon.models.adapters.calibration import Form
from drugmon.scoring.cascade.pair import HeldOutPair, fit_pair
from drugmon.statistics.reliability import calibration_error, top_label
from tests.cascades import LONE, held_out

pytestmark = pytest.mark.usefixtures("coarse")

OVERALL = TARGETS.index("overall")


@pytest.fixture(name="pair", scope="module")
def _pair() -> HeldOutPair:
    """The first adapter knows little, the second much."""
    return HeldOutPair.of(held_out(1, 0.5), held_out(2, 3.0))


def test_reviews_that_both_held_out_are_found_in_any_order() -> None:
    first, second = held_out(1, 0.5), held_out(2, 3.0)
    turned = second.take(np.arange(len(second))[::-1][:500])
    pair = HeldOutPair.of(first, turned)
    assert len(pair) == 500
    rows = second.rows_of(pair.hashes)
    for target in TARGETS:
        np.testing.assert_array_equal(
            pair.second.model[target], second.evidence.model[target][rows]
        )
        np.testing.assert_array_equal(pair.first.model[target], first.evidence.model[target][rows])


def test_a_label_that_the_first_does_not_know_is_the_seconds() -> None:
    first, second = held_out(1, 0.5), held_out(2, 3.0)
    unknown = replace(first, labels={"overall": np.full(len(first), -1, np.int8)})
    pair = HeldOutPair.of(unknown, second)
    for target, labels in second.labels.items():
        np.testing.assert_array_equal(pair.labels[target], labels)


def test_the_one_that_is_right_gets_the_weight(pair: HeldOutPair) -> None:
    fitted = fit_pair(pair)
    for target in TARGETS:
        weights = fitted.mixtures[target][Form.SOME].weights
        assert set(weights) == {f"first {target}", f"second {target}"}
        assert weights[f"second {target}"][0] > 2 * weights[f"first {target}"][0]
    overall = fitted.mixtures["overall"]
    assert len(overall[Form.EVERY_ASPECT].weights) == 8
    assert set(overall[Form.LONE].weights) == {
        *(
            f"{which} {target}"
            for which in ("first", "second")
            for target in ("comments", "overall")
        )
    }
    assert min(min(own) for own in overall[Form.EVERY_ASPECT].weights.values()) >= 0


def test_both_together_are_right_where_the_second_is_and_honest(pair: HeldOutPair) -> None:
    half = np.arange(len(pair)) % 2 == 0
    # Fitted on one half, with every review twice to have enough of them; measured on the other.
    fitting = pair.take(np.repeat(np.flatnonzero(half), 2))
    measured = pair.take(~half)
    scores = fit_pair(fitting).judge(measured.texts, measured.first, measured.second)
    labels = measured.labels["overall"]
    right = (scores.labels[:, OVERALL] == labels).mean()
    alone = (measured.second.model["overall"].argmax(axis=1) == labels).mean()
    poor = (measured.first.model["overall"].argmax(axis=1) == labels).mean()
    assert poor < 0.65 < 0.9 < alone <= right + 0.02
    shares = scores.probabilities[:, OVERALL].astype(np.float64)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert calibration_error(top_label(labels.astype(np.int64), shares)) < 0.05


def test_a_target_without_a_text_gets_no_verdict(pair: HeldOutPair) -> None:
    scores = fit_pair(pair).judge(pair.texts, pair.first, pair.second)
    lone = Form.rows(pair.texts)[Form.LONE]
    assert lone.sum() == LONE
    assert (scores.labels[lone, :OVERALL] == -1).all()
    assert np.isnan(scores.probabilities[lone, :OVERALL]).all()
    assert (scores.labels[~lone] >= 0).all()
    assert (scores.labels[:, OVERALL] >= 0).all()


def test_the_likeliest_label_moves_no_probability(pair: HeldOutPair) -> None:
    fitted = fit_pair(pair)
    balanced = fitted.judge(pair.texts, pair.first, pair.second)
    likeliest = fitted.likeliest().judge(pair.texts, pair.first, pair.second)
    np.testing.assert_array_equal(balanced.probabilities, likeliest.probabilities)
    shares = likeliest.probabilities[:, OVERALL]
    np.testing.assert_array_equal(likeliest.labels[:, OVERALL], shares.argmax(axis=1))


def test_without_lone_texts_these_are_judged_by_the_targets_own_evidence() -> None:
    fitted = fit_pair(HeldOutPair.of(held_out(1, 0.5, lone=0), held_out(2, 3.0, lone=0)))
    overall = fitted.mixtures["overall"]
    assert overall[Form.LONE] == overall[Form.SOME] != overall[Form.EVERY_ASPECT]


def test_adapters_without_n_grams_and_of_lone_texts_alone_can_be_joined() -> None:
    one = held_out(1, 0.5, parts=0, targets=("overall",), lexical=False)
    other = held_out(2, 3.0, parts=0, targets=("overall",))
    pair = HeldOutPair.of(one, other)
    pair.check("one@0", "other@0")
    (mixtures,) = fit_pair(pair).mixtures.values()
    assert mixtures[Form.LONE].weights["first overall"][1] == 0
    assert mixtures[Form.LONE].weights["second overall"][0] > 0.5


def test_too_few_common_reviews_are_refused_with_what_to_do() -> None:
    few = HeldOutPair.of(held_out(1, 0.5), held_out(2, 3.0).take(np.arange(250)))
    with pytest.raises(
        AdapterError,
        match=r"a@1 and b@2 held out 250 of the same reviews with a label of benefits, and it "
        r"takes 300 .*train both on the same target source",
    ):
        few.check("a@1", "b@2")


def test_adapters_of_different_targets_are_refused() -> None:
    pair = HeldOutPair.of(held_out(1, 0.5), held_out(2, 3.0, targets=("comments", "overall")))
    with pytest.raises(AdapterError, match=r"same targets: a@1 judges benefits.* b@2 comments, ov"):
        pair.check("a@1", "b@2")
