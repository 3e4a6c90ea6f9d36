from __future__ import annotations

from pathlib import Path

import pytest

from drugmon.config import CascadeOptions, EngineConfig, ModelOptions
from drugmon.data.reviews import Texts
from drugmon.errors import AdapterError, UsageError
from drugmon.labels import LABELS, TARGETS
from drugmon.workflows.predict import predict
from tests.cascades import Pair

ALONE = CascadeOptions()


def test_every_text_gets_its_verdict(adapter: Path) -> None:
    verdicts = predict(
        Texts("wonderful", "none", "ok", None), ModelOptions(str(adapter)), ALONE, EngineConfig()
    )
    assert tuple(verdict.target for verdict in verdicts) == TARGETS
    for verdict in verdicts:
        assert tuple(verdict.probabilities) == LABELS
        assert sum(verdict.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert verdict.confidence == verdict.probabilities[verdict.label]


def test_only_what_there_is_is_judged(adapter: Path) -> None:
    lone = predict(
        Texts(None, None, None, "wonderful"), ModelOptions(str(adapter)), ALONE, EngineConfig()
    )
    assert [verdict.target for verdict in lone] == ["overall"]
    one = predict(
        Texts("wonderful", " ", None, None), ModelOptions(str(adapter)), ALONE, EngineConfig()
    )
    assert [verdict.target for verdict in one] == ["benefits", "overall"]


@pytest.mark.parametrize("text", [None, "", "  \n", "&nbsp;"])
def test_review_without_text_names_the_options(text: str | None) -> None:
    with pytest.raises(UsageError, match="no text: give --benefits, --side-effects, --comments or"):
        predict(Texts(text, text, text, text), ModelOptions("never opened"), ALONE, EngineConfig())


def test_a_lone_text_beside_others_is_refused_and_not_left_out() -> None:
    with pytest.raises(UsageError, match="one text, or by its aspects, not both"):
        predict(Texts("a", None, None, "b"), ModelOptions("never opened"), ALONE, EngineConfig())


@pytest.mark.parametrize("blank", ["", " \n", "&nbsp;"])
def test_a_blank_text_beside_others_is_none(adapter: Path, blank: str) -> None:
    for texts, targets in (
        (Texts(blank, None, blank, "wonderful"), ["overall"]),
        (Texts("wonderful", None, None, blank), ["benefits", "overall"]),
    ):
        verdicts = predict(texts, ModelOptions(str(adapter)), ALONE, EngineConfig())
        assert [verdict.target for verdict in verdicts] == targets


def test_unknown_adapter_is_told() -> None:
    with pytest.raises(AdapterError, match="no adapter 'nope'"):
        predict(Texts("a", None, None, None), ModelOptions("nope"), ALONE, EngineConfig())


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize(("below", "both"), [(1.0, True), (0.001, False)])
def test_a_second_adapter_judges_what_the_first_is_not_sure_of(
    pair: Pair, below: float, both: bool
) -> None:
    behind = CascadeOptions(then=str(pair.second), below=below)
    texts = Texts("so so", "some", "mixed feelings", None)
    verdicts = predict(texts, ModelOptions(str(pair.first)), behind, EngineConfig())
    assert tuple(verdict.target for verdict in verdicts) == TARGETS
    assert {verdict.adapter for verdict in verdicts} == {pair.both if both else pair.alone}


def test_nothing_is_behind_a_base() -> None:
    behind = CascadeOptions(then="large")
    with pytest.raises(UsageError, match="--then goes on where an adapter is not sure"):
        predict(Texts("a", None, None, None), ModelOptions(base="any"), behind, EngineConfig())
