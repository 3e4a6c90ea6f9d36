"""Explanations: words, all of them, that add up to what they explain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import drugmon
from drugmon.config import EngineConfig
from drugmon.data.reviews import Texts
from drugmon.errors import UsageError
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.adapter import open_adapter
from drugmon.models.adapters.combination import Combination
from drugmon.scoring.attribution import PLAIN, Attributor, Quadrature
from drugmon.scoring.engine import Engine
from drugmon.workflows.explain import explain
from drugmon.workflows.model import Model
from drugmon.workflows.predict import Verdict

REVIEW = {
    "benefits": "wonderful, no more pain",
    "side_effects": "awful nausea and I slept badly",
    "comments": "mixed feelings about it",
}


@pytest.fixture(scope="module", name="model")
def _model(adapter: Path) -> Model:
    return drugmon.load(str(adapter), device="cpu", dtype="fp32")


def test_the_parts_add_up_to_what_they_explain(model: Model) -> None:
    verdicts = model.predict(**REVIEW)
    explanations = model.explain(**REVIEW)
    assert tuple(explanations) == TARGETS
    for target, found in explanations.items():
        assert found.label == verdicts[target].label
        assert found.probability == pytest.approx(verdicts[target].confidence, abs=1e-4)
        total = sum(word.push for word in found.words)
        assert total == pytest.approx(found.probability - found.baseline, abs=1e-6)
        assert [w.text for w in found.words if w.field == "benefits"] == [
            "wonderful,",
            "no",
            "more",
            "pain",
        ]
        assert all(w.text == found.texts[w.field][w.start : w.end] for w in found.words)
        assert [w.push for w in found.strongest] == sorted(w.push for w in found.words)[::-1]


def test_the_integral_itself_is_complete(adapter: Path) -> None:
    attributor = Attributor(open_adapter(str(adapter)))
    review = Texts(**REVIEW, text=None)
    labels = dict.fromkeys(TARGETS, 0)
    found = attributor.attribute(review, labels, Quadrature.gauss(32))
    plain = attributor.attribute(review, labels, PLAIN)
    for target in TARGETS:
        assert abs(found[target].rest) < 1e-3
        assert (found[target].start, found[target].end) == (plain[target].start, plain[target].end)
    # The gradient at one place is no integral: it need not add up, and here it does not.
    assert max(abs(plain[target].rest) for target in TARGETS) > 1e-3


def test_overall_is_explained_by_all_targets_where_all_judge_it(adapter: Path) -> None:
    opened = open_adapter(str(adapter))
    attributor = Attributor(opened)
    before = attributor.attribute(Texts(**REVIEW, text=None), {"overall": 2}, Quadrature.gauss(16))
    weights = dict.fromkeys(TARGETS, (1.5, 0.5))
    combined = Combination(weights, (0.1, 0.2, 0.0), (0.0, 0.0, 0.0)).to_dict()
    opened.manifest.calibration["overall"]["combination"] = combined  # type: ignore[index]
    after = Attributor(opened).attribute(
        Texts(**REVIEW, text=None), {"overall": 2}, Quadrature.gauss(32)
    )["overall"]
    assert abs(after.rest) < 1e-2
    assert after.end != pytest.approx(before["overall"].end, abs=1e-3)
    scored = Engine(opened, EngineConfig("cpu", "fp32"), print).score([Texts(**REVIEW, text=None)])
    assert scored.probabilities[0, 3, 2] == pytest.approx(after.end, abs=1e-4)


def test_a_lone_text_is_explained_by_what_judges_it(adapter: Path) -> None:
    opened, lone = open_adapter(str(adapter)), Texts(None, None, None, REVIEW["comments"])
    weights = {"comments": (1.5, 0.5), "overall": (0.5, 0.5)}
    judging = Combination(weights, (0.1, 0.2, 0.0), (0.0, 0.0, 0.0)).to_dict()
    opened.manifest.calibration["overall"]["lone"] = judging  # type: ignore[index]
    found = Attributor(opened).attribute(lone, {"overall": 2}, Quadrature.gauss(32))["overall"]
    assert abs(found.rest) < 1e-2
    scored = Engine(opened, EngineConfig("cpu", "fp32"), print).score([lone])
    assert scored.probabilities[0, 3, 2] == pytest.approx(found.end, abs=1e-4)


def test_the_n_grams_part_is_in_it(adapter: Path) -> None:
    opened = open_adapter(str(adapter))
    lexical = opened.lexical()
    assert lexical
    tokens = opened.classifier().prepare([Texts(**REVIEW, text=None)]).tokens[0]
    found = lexical.occurrences(tokens)
    n = sum(map(len, tokens))
    parts = found.values.astype(np.float64) * lexical.weights["overall"][found.columns, 2]
    spread = found.spread(parts, n)
    assert spread.shape == (n,)
    assert spread.sum() == pytest.approx(parts.sum())
    assert np.abs(spread).max() > 0
    # A pair's part is both tokens', a lone token's part its own.
    first, last = found.tokens[-1]
    one = found.spread(np.eye(len(parts))[found.ngram[-1]], n)
    assert one[first] == pytest.approx(one[last])
    assert one.sum() == pytest.approx(1)


def test_a_text_in_one_piece_and_texts_that_are_cut(model: Model) -> None:
    lone = model.explain("good &amp; cheap")["overall"]
    assert lone.texts == {"text": "good & cheap"}
    assert [w.text for w in lone.words] == ["good", "&", "cheap"]
    long = model.explain(benefits="word " * 300, comments="bad")
    assert len(long["overall"].words) == 301
    total = sum(word.push for word in long["overall"].words)
    assert total == pytest.approx(long["overall"].probability - long["overall"].baseline, abs=1e-6)


def test_a_base_that_answers_in_words_is_explained(tiny_t5: Path) -> None:
    with drugmon.load(base=str(tiny_t5), device="cpu", dtype="fp32") as model:
        verdicts, found = model.predict(**REVIEW), model.explain(**REVIEW)
    for target, explanation in found.items():
        assert explanation.probability == pytest.approx(verdicts[target].confidence, abs=1e-4)
        total = sum(word.push for word in explanation.words)
        assert total == pytest.approx(explanation.probability - explanation.baseline, abs=1e-6)
    # An aspect's prompt holds its own text alone.
    others = [w.push for w in found["benefits"].words if w.field != "benefits"]
    assert others == [0.0] * len(others)


def test_what_is_explained_is_the_verdict_that_is_given(adapter: Path) -> None:
    attributor = Attributor(open_adapter(str(adapter)))
    shares = dict.fromkeys(LABELS, 1 / 3)
    verdict = Verdict("overall", "neutral", 1 / 3, shares)
    found = explain(Texts(None, None, None, "good"), {"overall": verdict}, attributor)
    assert found["overall"].label == "neutral"


def test_nothing_to_explain_is_told(model: Model) -> None:
    with pytest.raises(UsageError, match="has no text"):
        model.explain(" ")
    with pytest.raises(UsageError, match="not both"):
        model.explain("a", benefits="b")
