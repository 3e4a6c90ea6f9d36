from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from drugmon.config import EngineConfig
from drugmon.data.reviews import Texts
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.adapter import open_adapter
from drugmon.scoring.engine import Engine
from drugmon.scoring.held_out import HeldOutEvidence, review_hashes
from drugmon.scoring.scores import Evidence
from drugmon.training.reviews.dataset import LabelledReviews
from drugmon.workflows.compare.evaluate import measure_scores
from drugmon.workflows.train.calibrate import Part
from drugmon.workflows.train.fitted import Fitted
from drugmon.workflows.train.held_out import HeldOut, Measured

JUDGED = ("benefits", "overall")


def make_part(
    n: int,
    seed: int,
    *,
    targets: tuple[str, ...] = JUDGED,
    judged: tuple[str, ...] = JUDGED,
) -> Part:
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
    return Part(reviews, Evidence(dict.fromkeys(judged, evidence), None))


def once(fitting: Part, measuring: Part, refit: bool = True) -> HeldOut:
    return HeldOut.once("test split", [fitting], measuring, seed=0, refit=refit)


def fitting_of(held: HeldOut) -> Part:
    (part,) = held.rounds[0].fitting
    return part


@pytest.fixture(name="held")
def _held() -> HeldOut:
    return once(make_part(150, 1), make_part(150, 2))


def test_calibration_is_measured_on_what_it_was_not_fitted_on(held: HeldOut) -> None:
    errors = held.calibration_errors()["overall"]
    assert errors["ece_after"] is not None
    assert errors["ece_before"] is not None
    assert errors["ece_after"] < errors["ece_before"]
    assert held.qualities()["overall"].ece.value == pytest.approx(errors["ece_after"])


def test_kept_calibration_is_fitted_on_both_parts(held: HeldOut) -> None:
    alone = once(fitting_of(held), fitting_of(held))
    assert held.calibrations != alone.calibrations
    assert held.calibrations["overall"].temperature > 1.5


def test_without_a_refit_what_was_measured_is_kept(held: HeldOut) -> None:
    fitting = fitting_of(held)
    kept = once(fitting, held.rounds[0].measuring, refit=False).calibrations
    assert kept == once(fitting, fitting).calibrations
    assert kept != held.calibrations


def test_figures_come_from_a_calibration_that_never_saw_them(held: HeldOut) -> None:
    alone = once(fitting_of(held), fitting_of(held)).calibrations
    measuring = held.rounds[0].measuring
    expected = measure_scores(measuring.scores(alone), measuring.reviews)
    assert held.qualities() == expected


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
    found = once(fitting_of(held), part)
    assert set(found.qualities()) == {"overall"}
    assert found.calibration_errors()["benefits"] == {"ece_before": None, "ece_after": None}
    assert (
        found.calibrations["benefits"]
        == once(fitting_of(held), fitting_of(held)).calibrations["benefits"]
    )


def in_turns(parts: list[Part], **changed: Any) -> HeldOut:
    """Parts of the same reviews, in turns; `changed` replaces a part by its number."""
    parts = [changed.get(f"part{number}", part) for number, part in enumerate(parts)]
    n = sum(len(part.reviews) for part in parts)
    labels = {
        target: np.concatenate([part.reviews.labels[target] for part in parts])
        for target in parts[0].reviews.labels
    }
    whole = LabelledReviews(
        [Texts("a", "b", "c", None)] * n, labels, labels, np.zeros(n, bool), {"drug": ["x"] * n}
    )
    return HeldOut.in_turns("all reviews", whole, parts, seed=0)


def test_in_turns_every_review_is_measured_once() -> None:
    held = in_turns([make_part(n, n) for n in (60, 70, 80)])
    assert held.qualities()["overall"].n == 210
    assert held.profile().n == 210
    errors = held.calibration_errors()["overall"]
    assert errors["ece_after"] == pytest.approx(held.qualities()["overall"].ece.value)


def test_in_turns_a_part_never_calibrates_its_own_figures() -> None:
    """With its labels turned round, a part's verdicts stay the same; those of others do not."""
    parts = [make_part(n, n) for n in (60, 70, 80)]
    reviews = parts[1].reviews
    turned = {target: 2 - own for target, own in reviews.labels.items()}
    liar = Part(replace(reviews, labels=turned, levels=turned), parts[1].evidence)
    plain, lied = in_turns(parts), in_turns(parts, part1=liar)

    def verdicts(held: HeldOut, number: int) -> Any:
        own = held.rounds[number].measuring
        return own.scores(held._of_round[number]).probabilities[:, TARGETS.index("overall")]

    assert np.array_equal(verdicts(plain, 1), verdicts(lied, 1))
    assert not np.array_equal(verdicts(plain, 0), verdicts(lied, 0))


def test_kept_calibration_is_fitted_on_all_parts() -> None:
    parts = [make_part(n, n) for n in (60, 70, 80)]
    first, again = in_turns(parts).calibrations, in_turns(parts[::-1]).calibrations
    assert first["overall"].temperature == pytest.approx(again["overall"].temperature, rel=0.01)
    assert first != in_turns(parts[:2]).calibrations


def test_overall_is_combined_where_all_targets_are_known() -> None:
    parts = [make_part(250, seed, targets=TARGETS, judged=TARGETS) for seed in (1, 2)]
    held = in_turns(parts)
    combination = held.calibrations["overall"].combination
    assert combination is not None
    assert set(combination.weights) == set(TARGETS)
    assert all(held.calibrations[target].combination is None for target in TARGETS[:3])
    judged = parts[0].scores(held.calibrations).probabilities[:, TARGETS.index("overall")]
    expected = combination.probabilities(parts[0].evidence.experts(np.arange(250)))
    assert np.array_equal(judged, expected)
    assert judged.shape[1] == len(LABELS)


def unable(n: int, seed: int) -> Part:
    """Reviews of which the encoder knows nothing."""
    part = make_part(n, seed, targets=("overall",), judged=("overall",))
    raw = np.random.default_rng(seed + 100).normal(0, 1, (n, 3))
    evidence = (raw - np.log(np.exp(raw).sum(axis=1, keepdims=True))).astype(np.float32)
    texts = [Texts(f"{row}", "b", "c", None) for row in range(n)]
    return Part(part.reviews.with_texts(texts), Evidence({"overall": evidence}, None))


def test_what_measures_itself_in_fifths_is_not_flattered_by_its_own_calibration() -> None:
    """By luck in what it was fitted to, a calibration and its rule seem to be worth something."""
    parts = [unable(120, seed) for seed in range(3)]
    fifths = [HeldOut.fifths("dev", part, seed=0) for part in parts]

    def accuracy(measured: list[HeldOut]) -> float:
        figures = [held.qualities()["overall"].accuracy.value for held in measured]
        return float(np.mean(np.array(figures, np.float64)))

    assert accuracy([once(part, part) for part in parts]) > 0.37
    assert accuracy(fifths) < 1 / 3 + 0.02
    assert {number for number, _ in fifths[0].judged()} == {0}
    whole = once(parts[0], parts[0]).calibrations["overall"].bias
    assert fifths[0].calibrations["overall"].bias == pytest.approx(whole, abs=0.02)


def test_what_is_measured_apart_leaves_nothing_behind() -> None:
    fitting, measuring = make_part(150, 1), make_part(150, 2)
    apart = HeldOut.once("new", [fitting], measuring, seed=0, refit=True, apart=True)
    assert apart.calibrations == once(fitting, fitting).calibrations
    assert apart.judged() == [(0, fitting)]
    assert once(fitting, measuring).judged() == [(0, fitting), (1, measuring)]
    assert apart.qualities() == once(fitting, measuring).qualities()


def lone(n: int, seed: int) -> Part:
    part = make_part(n, seed, targets=("overall",), judged=("comments", "overall"))
    texts = [Texts(None, None, None, f"text {row}") for row in range(n)]
    return replace(part, reviews=replace(part.reviews, texts=texts))


def test_lone_texts_are_calibrated_and_measured_in_turns(held: HeldOut) -> None:
    told = HeldOut.lone_texts(lone(600, 3), seed=0)
    assert told is not None
    assert len(told.reviews) == 600
    assert {len(turn.measuring.reviews) for turn in told.rounds} == {120}
    errors = told.calibration_errors()["overall"]
    assert errors["ece_after"] is not None
    assert errors["ece_before"] is not None
    assert errors["ece_after"] < errors["ece_before"]
    assert told.qualities()["overall"].ece.value == pytest.approx(errors["ece_after"])
    assert told.qualities()["overall"].n == 600

    kept = Measured(cast(Fitted, None), [], held, told).calibrations
    assert kept["benefits"] == held.calibrations["benefits"]
    assert replace(kept["overall"], lone=None) == held.calibrations["overall"]
    assert kept["overall"].lone == told.calibrations["overall"].lone is not None


def test_a_few_lone_texts_give_no_calibration() -> None:
    assert HeldOut.lone_texts(lone(374, 3), seed=0) is None
    assert HeldOut.lone_texts(lone(375, 3), seed=0) is not None


def test_lone_texts_that_are_copies_are_measured_by_a_calibration_or_not_at_all() -> None:
    """The fifth with the copies was measured by the encoder as it is: the others were too few."""
    part = lone(400, 3)
    texts = [
        Texts(None, None, None, "great") if row < 150 else own
        for row, own in enumerate(part.reviews.texts)
    ]
    assert HeldOut.lone_texts(Part(part.reviews.with_texts(texts), part.evidence), seed=0) is None


def test_what_an_adapter_keeps_is_what_the_packed_engine_says(
    adapter: Path, labelled: Path
) -> None:
    """It was trained without a refit: the model in the folder is the one that was measured."""
    kept = HeldOutEvidence.load(adapter)
    with labelled.open(encoding="utf-8", newline="") as stream:
        reviews = [
            Texts(row["benefitsReview"], row["sideEffectsReview"], row["commentsReview"], None)
            for row in csv.DictReader(stream)
        ]
    rows = kept.rows_of(review_hashes(reviews))
    places = np.flatnonzero(rows >= 0)
    assert len(places) == len(kept) == 72
    # The first is the number format that training measured in.
    for dtype, rounding in (("auto", 1e-4), ("fp32", 0.03)):
        with Engine(open_adapter(str(adapter)), EngineConfig("cpu", dtype), print) as engine:
            said = engine.evidence([reviews[place] for place in places])
            packed = [type(own).__name__ for own in engine.model.modules()]
        assert "PackedBert" in packed
        assert said.lexical is not None
        assert kept.evidence.lexical is not None
        for target in TARGETS:
            there = kept.evidence.model[target][rows[places]]
            np.testing.assert_allclose(said.model[target], there, atol=rounding)
            lexical = kept.evidence.lexical[target][rows[places]]
            np.testing.assert_allclose(said.lexical[target], lexical, atol=1e-6)
