"""What a share gains is measured on reviews that both held out, and nothing is fitted on them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from drugmon.cli.output.schemas import misfit
from drugmon.errors import AdapterError, SinkError, UsageError
from drugmon.labels import TARGETS
from drugmon.models.adapters.adapter import Adapter, folder_digests, open_adapter
from drugmon.models.adapters.manifest import Manifest
from drugmon.models.files import CARD
from drugmon.reports.comparison import CascadeCurve
from drugmon.scoring.cascade.pair import HeldOutPair
from drugmon.workflows.compare.cascade_curve import (
    FOLDS,
    SHARES,
    check_card,
    draw_curve,
    folds_of,
    keep_in_card,
    open_pair,
)
from drugmon.workflows.compare.config import CompareConfig
from tests.cascades import held_out, with_held_out

pytestmark = pytest.mark.usefixtures("coarse")

ROWS = 500
SPEEDS = {"one@1": 100.0, "other@2": 10.0}


def named(identity: str, rule: str = "balanced") -> Adapter:
    return cast(Adapter, SimpleNamespace(manifest=SimpleNamespace(identity=identity, rule=rule)))


def curve_of(pair: HeldOutPair, rule: str = "balanced") -> CascadeCurve:
    return draw_curve(pair, named("one@1", rule), named("other@2", rule), SPEEDS)


def make_pair(skill: float, other: float) -> HeldOutPair:
    """What an adapter of some skill and another one said of the same reviews."""
    one, two = (held_out(seed, own, parts=ROWS, lone=0) for seed, own in ((1, skill), (2, other)))
    return HeldOutPair.of(one, two)


def test_progress_is_told_to_the_end() -> None:
    steps: list[tuple[int, int]] = []
    pair = make_pair(0.7, 3.0)
    draw_curve(pair, named("one@1"), named("other@2"), SPEEDS, lambda *step: steps.append(step))
    total = FOLDS + len(SHARES)
    assert steps == [(done, total) for done in range(1, total + 1)]


def test_a_better_second_adapter_gains_by_the_share() -> None:
    curve = curve_of(make_pair(0.7, 3.0))
    assert (curve.first, curve.second, curve.rows, curve.folds) == ("one@1", "other@2", ROWS, 5)
    assert [point.share for point in curve.points] == list(SHARES)
    sent = [point.sent for point in curve.points]
    assert sent == sorted(sent)
    assert (sent[0], sent[-1]) == (0, 1)
    np.testing.assert_allclose(sent, SHARES, atol=0.06)
    for target in TARGETS:
        reached = [cast(float, point.qualities[target].macro_f1.value) for point in curve.points]
        assert reached[0] + 0.1 < reached[5] < reached[-1]
        assert curve.points[-1].qualities[target].n == ROWS
        assert cast(float, curve.points[3].qualities[target].ece.value) < 0.1
    speeds = [point.speed for point in curve.points]
    assert speeds[0] == pytest.approx(100)
    assert speeds[-1] == pytest.approx(1 / (1 / 100 + 1 / 10))
    assert speeds == sorted(speeds, reverse=True)


def test_luck_in_the_reviews_that_are_measured_is_no_gain() -> None:
    """Labels that nobody can know: what was fitted on them would seem to be right."""
    pair = make_pair(0, 0)
    chance = np.random.default_rng(7).integers(0, 3, ROWS).astype(np.int8)
    curve = curve_of(replace(pair, labels=dict.fromkeys(TARGETS, chance)), "likeliest")
    for point in curve.points:
        assert cast(float, point.qualities["overall"].accuracy.value) < 0.42


def test_copies_are_in_one_fold() -> None:
    pair = make_pair(0.7, 3.0)
    twice = pair.take(np.concatenate([np.arange(ROWS), np.arange(ROWS)]))
    fold = folds_of(twice)
    np.testing.assert_array_equal(fold[:ROWS], fold[ROWS:])
    assert np.bincount(fold).tolist() == [2 * ROWS // FOLDS] * FOLDS


def test_compare_tells_it_in_text_json_and_on_the_page(
    drugmon: Any, adapter: Path, labelled: Path, tmp_path: Path
) -> None:
    first = with_held_out(
        adapter, tmp_path / "small", held_out(1, 0.7, parts=ROWS, lone=0), temperature=1.5
    )
    second = with_held_out(
        adapter, tmp_path / "large", held_out(2, 3.0, parts=ROWS, lone=0), temperature=0.7
    )
    page = tmp_path / "page.html"
    asked = ("compare", labelled, "--adapter", first, "--then", second)
    done = drugmon(*asked, "--html", page, "--json")
    assert done.code == 0, done.err
    printed = json.loads(done.out)
    assert misfit("compare", printed) is None
    assert [stage["title"] for stage in printed["stages"]] == ["small", "large"]
    cascade = printed["cascade"]
    assert (cascade["first"], cascade["rows"]) == (printed["stages"][0]["model"], ROWS)
    one, other = (stage["reviews_per_second"] for stage in printed["stages"])
    for point in cascade["points"]:
        assert point["reviews_per_second"] == pytest.approx(1 / (1 / one + point["sent"] / other))
    html = page.read_text(encoding="utf-8")
    assert html.count("sent on: macro-F1") == len(SHARES) * len(TARGETS)
    assert f"Measured on {ROWS} reviews that both held out" in html
    digest = open_adapter(str(first)).manifest.digest
    open_adapter(str(second)).manifest.under("likeliest").write(second)  # timed under its own rule
    said = drugmon(*asked, "--card").out
    opened = open_adapter(str(first))
    assert (opened.verify() > 5, opened.manifest.digest) == (True, digest)
    assert "\n## With large behind it\n" in opened.card
    assert open_adapter(str(second)).card.count("behind it") == 0
    assert f"on {ROWS} reviews that both held out" in " ".join(said.split())
    for target in TARGETS:
        assert f"{target}, sent on" in said
    assert said.count("100.0%") == len(TARGETS)


def test_a_card_tells_the_curve_once_and_the_adapter_stays_what_it_is(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_adapter(
        str(with_held_out(adapter, tmp_path / "one", held_out(1, 1, lone=0), temperature=1.5))
    )
    plain, curve = first.card, curve_of(make_pair(0.7, 3.0), "likeliest")
    keep_in_card(first.under("likeliest"), curve, "cpu bf16")
    told = first.card
    lines = [line for line in told.splitlines() if line not in plain.splitlines()]
    assert lines[0] == "## With other behind it"
    assert "`one@1` and `other@2` on 500 reviews that both held out" in told
    assert "as both were timed on cpu bf16" in told
    rows = [line.split("|") for line in lines if line.startswith("| Overall | ")]
    assert len(rows) == len(SHARES)
    first_row, last_row = ([cell.strip() for cell in rows[at][2:4]] for at in (0, -1))
    assert (first_row, last_row) == (["0\xa0%", "100\xa0%"], ["100\xa0%", "9\xa0%"])
    last = curve.points[-1].qualities["overall"]
    assert f"{last.macro_f1.value:.3f} (" in rows[-1][5]
    assert told.index("## Calibration") < told.index(lines[0]) < told.index("## Training data")
    keep_in_card(first, curve, "cpu bf16")
    assert first.card == told, "what it told before is replaced"

    again = open_adapter(str(first.folder))
    assert (again.verify() > 5, again.manifest.rule) == (True, "balanced")
    assert list(again.manifest.files) == list(first.manifest.files)
    assert again.manifest.identity == first.manifest.identity

    whole = Manifest.write

    def killed(self: Manifest, folder: Path) -> None:
        if CARD in self.files:
            raise KeyboardInterrupt
        whole(self, folder)

    monkeypatch.setattr(Manifest, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        again.write_card("another")
    monkeypatch.undo()
    cut = open_adapter(str(first.folder))
    cut.verify()
    cut.write_card(plain)
    assert open_adapter(str(first.folder)).manifest.files == folder_digests(first.folder)


def test_a_card_that_cannot_be_written_is_told_first(
    adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_given: False)
    with pytest.raises(SinkError, match="copy the adapter to a folder of your own and name that"):
        check_card(open_adapter(str(adapter)))


def test_a_pair_that_has_too_few_reviews_in_common_is_refused(
    adapter: Path, tmp_path: Path
) -> None:
    made = [
        with_held_out(adapter, tmp_path / name, held_out(1, 1, lone=0), temperature=own)
        for name, own in (("small", 1.5), ("large", 0.7))
    ]
    with pytest.raises(AdapterError, match=r"held out 400 of the same reviews .* it takes 450"):
        open_pair(*(open_adapter(str(folder)) for folder in made))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"then": "b", "bases": ("x",)}, "stands behind an adapter that judges first; add"),
        ({"then": "a", "adapters": ("a",)}, "--then a is the adapter that judges first"),
        ({"card": True, "adapters": ("a", "b")}, "--card tells what --then gains; add it"),
    ],
)
def test_what_does_not_fit_is_told(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        CompareConfig("reviews.tsv", **options)
    assert CompareConfig("reviews.tsv", adapters=("a",), then="b").compared == ("a", "b")
