from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from drugmon.monitoring.checks.gate import read_gate
from drugmon.monitoring.checks.mixes import (
    mix_findings,
    movers,
    name_cells,
    new_names,
    word_cells,
    word_findings,
)
from drugmon.monitoring.profiles.names import NameMix, mix_of, name_mix
from drugmon.monitoring.profiles.words import WordCounts, kept_words

SHARES = 1 / np.arange(1, 400)
SHARES = SHARES / SHARES.sum()


def drawn(n: int, random: np.random.Generator, moved: float = 0.0) -> list[str]:
    shares = (1 - moved) * SHARES + moved * np.roll(SHARES, 200)
    return [f"drug {k}" for k in random.choice(len(SHARES), size=n, p=shares)]


def whole(names: list[str]) -> NameMix:
    return mix_of(Counter(names), top=None, rare=1)


def test_a_reference_that_keeps_the_commonest_names_alarms_no_more_than_chance() -> None:
    """Its kept names owe their places partly to luck: the trap that naive cells step into."""
    random, gate = np.random.default_rng(0), read_gate()
    found = []
    for _ in range(60):
        own, other = whole(drawn(200, random)), name_mix(drawn(466, random))
        (finding,) = mix_findings("drugs", "Drugs", own, other, gate, random)
        found.append(finding.p_value)
    assert np.mean(np.array(found) < 0.1) < 0.2


def test_a_mix_that_moved_is_found_and_says_which() -> None:
    random, gate = np.random.default_rng(0), read_gate()
    own = whole([*drawn(140, random), *["newdrug"] * 60])
    (finding,) = mix_findings("drugs", "Drugs", own, name_mix(drawn(466, random)), gate, random)
    assert finding.p_value is not None and finding.p_value < 0.001
    assert "newdrug most (0.2 % → 30.0 %)" in finding.says
    assert finding.effect is not None and 0.25 < (finding.effect.value or 0) < 0.35


def test_a_drug_that_is_gone_is_a_mover() -> None:
    random = np.random.default_rng(0)
    own = [name for name in drawn(500, random) if name != "drug 0"]
    cells = name_cells(whole(own), name_mix(drawn(1000, random)))
    (first, *_) = movers("drug", cells, 0.05)
    assert (first.name, first.current.value) == ("drug 0", 0)


def test_too_few_reviews_are_not_judged() -> None:
    random, gate = np.random.default_rng(0), read_gate()
    few = whole(drawn(5, random))
    (finding,) = mix_findings("drugs", "Drugs", few, name_mix(drawn(466, random)), gate, random)
    assert finding.p_value is None
    assert finding.says == "Too few reviews to judge: 5 on one side, 30 are needed."


def test_words_that_more_reviews_have_are_found() -> None:
    reference = kept_words(400, {"the": 390, "recall": 6, "dose": 100})
    current = WordCounts(200, 1, {"the": 195, "recall": 40, "dose": 50, "rare": 2})
    (finding,) = word_findings(current, reference, read_gate())
    assert "1 of 3 moved; reviews with “recall” 1.5 % → 20.0 %: +18.5 points" in finding.says
    (mover,) = movers("word", word_cells(current, reference), 0.05)
    assert mover.name == "recall"


def test_a_word_of_few_reviews_is_never_told() -> None:
    current, reference = WordCounts(40, 1, {"smith": 4}), WordCounts(4000, 1, {})
    assert movers("word", word_cells(current, reference), 0.05) == ()


def test_many_new_names_are_found_though_each_is_rare() -> None:
    random, gate = np.random.default_rng(0), read_gate()
    new = [f"new {k}" for k in range(30)] * 2
    own, other = whole([*drawn(140, random), *new]), whole(drawn(1000, random))
    (finding,) = mix_findings("drugs", "Drugs", own, other, gate, random)
    assert finding.p_value is not None and finding.p_value < 0.005
    assert finding.effect is not None and (finding.effect.value or 0) > 0.15


@pytest.mark.slow
def test_new_names_are_as_rare_as_chance_makes_them() -> None:
    random = np.random.default_rng(0)
    found = [
        new_names(whole(drawn(n, random)).names, whole(drawn(600, random)).names, random)[0]
        for n in (60, 200, 900)
        for _ in range(100)
    ]
    assert np.mean(np.array(found) < 0.1) < 0.15
