"""A loaded model that is a cascade: what the command gives, for frames and single reviews.

What a model of one adapter does is in tests/test_api.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import drugmon
from drugmon.config import CascadeOptions
from drugmon.data.reviews import Texts
from drugmon.data.verdicts.columns import VERDICT_COLUMNS
from drugmon.errors import AdapterError, UsageError
from drugmon.labels import ASPECTS, LABELS, TARGETS
from drugmon.models.adapters.adapter import open_adapter
from drugmon.models.adapters.calibration import Form
from drugmon.options import build
from drugmon.scoring.attribution import Attributor, Quadrature
from drugmon.scoring.cascade.cascade import open_cascade
from drugmon.scoring.engine import Engine
from drugmon.workflows.model import Model
from drugmon.workflows.score.config import ScoreConfig
from drugmon.workflows.score.score import score
from tests.cascades import Pair

pytestmark = pytest.mark.usefixtures("coarse")

ROWS = 60


@pytest.fixture(name="source")
def _source(tmp_path: Path, reviews: Any, to_csv: Any) -> Path:
    path: Path = to_csv(tmp_path / "r.csv", reviews(ROWS))
    return path


@pytest.fixture(name="frame")
def _frame(source: Path) -> pl.DataFrame:
    return pl.read_csv(source, infer_schema=False)


@pytest.fixture(name="below")
def _below(pair: Pair, frame: pl.DataFrame) -> float:
    """A confidence below which the first adapter is of a third of the reviews."""
    with load(pair) as alone:
        shares = alone.score(frame).select(f"overall_p_{label}" for label in LABELS)
    ordered = sorted(max(row) for row in shares.iter_rows())
    return float(ordered[ROWS // 3 - 1] + ordered[ROWS // 3]) / 2


def load(pair: Pair, **options: Any) -> Model:
    return drugmon.load(str(pair.first), device="cpu", dtype="fp32", **options)


def load_both(pair: Pair, **options: Any) -> Model:
    return load(pair, then=str(pair.second), **options)


def one_of(scored: pl.DataFrame, judge: str) -> dict[str, str]:
    """The texts of the first review that `judge` has judged."""
    row = scored.filter(pl.col("drugmon_adapter") == judge).row(0, named=True)
    return {aspect: row[aspect] for aspect in ASPECTS}


@pytest.mark.parametrize("rule", [None, "likeliest"])
def test_a_frame_gets_what_the_command_writes(
    source: Path, frame: pl.DataFrame, pair: Pair, below: float, rule: str | None
) -> None:
    out = source.with_name("r.scored.parquet")
    options = {"then": str(pair.second), "below": below, "rule": rule}
    engine = {"device": "cpu", "dtype": "fp32"}
    result = score(
        build(
            ScoreConfig,
            source=str(source),
            out=str(out),
            adapter=str(pair.first),
            **options,
            **engine,
        )
    )
    with load_both(pair, below=below, rule=rule) as both:
        scored = both.score(frame)
        assert both.identity == result.adapter
    written = pl.read_parquet(out)
    assert scored.columns == written.columns == [*frame.columns, *VERDICT_COLUMNS]
    judges = Counter(scored["drugmon_adapter"])
    assert sorted(judges.values()) == [ROWS // 3, ROWS - ROWS // 3]
    assert judges[result.adapter] == ROWS // 3
    for name in VERDICT_COLUMNS:
        if scored[name].dtype == pl.Float32:
            assert scored[name].to_list() == pytest.approx(written[name].to_list(), abs=1e-4)
        elif name != "drugmon_scored_at":
            assert scored[name].to_list() == written[name].to_list()


def test_a_share_means_what_it_means_to_the_command(frame: pl.DataFrame, pair: Pair) -> None:
    options = {"source": "r.csv", "adapter": str(pair.first), "then": str(pair.second)}
    for share in (None, 0.7):
        config = build(ScoreConfig, **options, share=share)
        cascade = open_cascade(open_adapter(str(pair.first)), config.cascade)
        assert cascade is not None
        below = cascade.doubt.below[Form.EVERY_ASPECT]
        with load_both(pair, share=share) as by_share, load_both(pair, below=below) as by_below:
            ways = [each.score(frame)["drugmon_adapter"].to_list() for each in (by_share, by_below)]
        assert ways[0] == ways[1]


def test_one_review_says_who_judged_it(frame: pl.DataFrame, pair: Pair, below: float) -> None:
    with load_both(pair, below=below) as both, load(pair) as alone:
        scored = both.score(frame)
        for judge in (pair.alone, pair.both):
            review = one_of(scored, judge)
            verdicts = both.predict(**review)
            assert {verdict.adapter for verdict in verdicts.values()} == {judge}
            by_the_first = alone.predict(**review)
            assert {verdict.adapter for verdict in by_the_first.values()} == {pair.alone}
            same = [
                verdicts[target].probabilities == pytest.approx(own.probabilities, abs=1e-4)
                for target, own in by_the_first.items()
            ]
            assert all(same) if judge == pair.alone else not any(same)


def test_probabilities_are_those_of_the_verdicts(frame: pl.DataFrame, pair: Pair) -> None:
    texts = [*frame["benefits"], None]
    with load(pair) as alone:
        below = float(np.nanmedian(alone.predict_proba(texts).max(axis=1)))
    with load_both(pair, below=below) as both:
        shares = both.predict_proba(texts)
        judged = [both.predict(text)["overall"] for text in texts if text]
    told = [list(verdict.probabilities.values()) for verdict in judged]
    np.testing.assert_allclose(shares[:-1], told, atol=1e-4)
    assert np.isnan(shares[-1]).all()
    assert {verdict.adapter for verdict in judged} == {pair.alone, pair.both}


def test_each_is_explained_by_what_judged_it(frame: pl.DataFrame, pair: Pair, below: float) -> None:
    with load_both(pair, below=below) as both, load(pair) as alone:
        scored = both.score(frame)
        review = one_of(scored, pair.alone)
        assert both.explain(**review) == alone.explain(**review)
        review = one_of(scored, pair.both)
        verdicts, explanations = both.predict(**review), both.explain(**review)
        of_the_first = alone.explain(**review)
    assert set(explanations) == set(verdicts)
    for target, explanation in explanations.items():
        assert explanation.adapter == pair.both
        assert explanation.label == verdicts[target].label
        assert explanation.probability == pytest.approx(verdicts[target].confidence, abs=1e-4)
        pushes = [word.push for word in explanation.words]
        added = explanation.probability - explanation.baseline
        assert sum(pushes) == pytest.approx(added, abs=1e-6)
        assert [word.text for word in explanation.words] == " ".join(review.values()).split()
        assert pushes != pytest.approx([word.push for word in of_the_first[target].words], abs=1e-3)


def test_the_line_through_both_adapters_is_complete(frame: pl.DataFrame, pair: Pair) -> None:
    first = open_adapter(str(pair.first))
    cascade = open_cascade(first, CascadeOptions(then=str(pair.second), share=1))
    attributor = Attributor(first, cascade)
    row = frame.row(1, named=True)
    review = Texts(**{aspect: row[aspect] for aspect in ASPECTS}, text=None)
    labels = dict.fromkeys(TARGETS, 2)
    of_both = attributor.attribute(review, labels, Quadrature.gauss(32), both=True)
    of_first = attributor.attribute(review, labels, Quadrature.gauss(32))
    for target in TARGETS:
        assert abs(of_both[target].rest) < 1e-3
        assert len(of_both[target].tokens) == 2
        assert all(np.abs(tokens).max() > 0 for tokens in of_both[target].tokens)
        assert of_both[target].end != pytest.approx(of_first[target].end, abs=1e-4)


def test_it_tells_what_it_is(pair: Pair) -> None:
    with load_both(pair) as both, load(pair) as alone:
        assert (both.identity, alone.identity) == (pair.both, pair.alone)
        assert repr(both) == f"<drugmon.Model {pair.both} on cpu fp32>"
        assert both.targets == alone.targets
        second = (pair.second / "README.md").read_text(encoding="utf-8")
        assert both.card == f"{alone.card}\n{second}"


def test_weights_are_loaded_when_asked_for_and_all_is_closed(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str]] = []

    def watch(name: str, whole: Callable[[Engine], None]) -> None:
        def watched(self: Engine) -> None:
            told.append((name, self._adapter.manifest.name))
            whole(self)

        monkeypatch.setattr(Engine, name, watched)

    watch("load", Engine.load)
    watch("close", Engine.close)
    both = load_both(pair)
    assert told == []
    both.load()
    assert told == [("load", "small"), ("load", "large")]
    both.close()
    assert told[2:] == [("close", "small"), ("close", "large")]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"share": 0.3}, "--share is for a cascade; add --then"),
        ({"then": "{second}", "share": 0.3, "below": 0.6}, "give one of them"),
        ({"then": "{second}", "share": 3}, "give a number from 0.001 to 1"),
        ({"then": "{first}"}, "is the adapter that judges first; name another one"),
        ({"then": "{second}", "base": "tiny-t5"}, "leave out --base"),
    ],
)
def test_what_does_not_fit_is_told(pair: Pair, options: dict[str, Any], says: str) -> None:
    if "then" in options:
        then = options["then"].format(first=pair.first, second=pair.second)
        options = {**options, "then": then}
    adapter = None if "base" in options else str(pair.first)
    with pytest.raises(UsageError, match=says):
        drugmon.load(adapter, device="cpu", **options)


def test_an_adapter_without_held_out_reviews_is_no_second_one(adapter: Path, pair: Pair) -> None:
    with pytest.raises(AdapterError, match="held out 0 of the same reviews"):
        load(pair, then=str(adapter))
