"""The page with two adapters, one behind the other; what it shows in a browser is in test_page."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drugmon.config import CascadeOptions, EngineConfig
from drugmon.options import build
from drugmon.serving.page.config import PageConfig
from drugmon.serving.page.models import LoadedModels
from drugmon.serving.page.uploads import Uploads
from tests.cascades import Pair

pytestmark = pytest.mark.usefixtures("coarse")

ENGINE = EngineConfig(device="cpu", dtype="fp32", threads=1)
ROWS = 30


def review(number: int) -> dict[str, str]:
    """One of `ROWS` reviews, some of which the first adapter is sure of."""
    benefits = "useless" if number % 2 else "so so"
    return {
        "benefits": benefits,
        "side_effects": f"nausea {number}",
        "comments": "mixed feelings",
    }


@pytest.fixture(name="offered")
def _offered(pair: Pair) -> Iterator[LoadedModels]:
    """What the page offers of a pair whose second adapter judges less than .6 of confidence."""
    behind = CascadeOptions(then=str(pair.second), below=0.6)
    models = LoadedModels(str(pair.first), ENGINE, behind)
    yield models
    models.close()


def test_both_together_are_the_first_choice_and_each_is_there(
    offered: LoadedModels, pair: Pair
) -> None:
    assert offered.choices[0] == ("small, then large", offered.first)
    assert ("small", str(pair.first)) in offered.choices
    both, alone = offered.get(offered.first, "balanced"), offered.get(str(pair.first), "balanced")
    assert (both.identity, alone.identity) == (pair.both, pair.alone)
    assert offered.rule_of(offered.first) == "balanced"
    assert offered.get(offered.first, "likeliest").identity == f"{pair.both}+likeliest"


def test_the_first_visitor_waits_for_nothing_to_be_loaded_or_fitted(
    offered: LoadedModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered.load_first()
    for late in (
        "drugmon.scoring.cascade.cascade.fit_pair",
        "drugmon.models.adapters.adapter.Adapter.model",
    ):
        monkeypatch.delattr(late)
    model = offered.get(offered.first, "balanced")
    verdicts = [model.predict(**review(number))["overall"] for number in range(ROWS)]
    assert model.identity in {verdict.adapter for verdict in verdicts}


def test_a_review_is_told_by_whom_it_was_judged_and_why(offered: LoadedModels, pair: Pair) -> None:
    pytest.importorskip("gradio", reason="the extra `ui` is not installed")
    from drugmon.serving.page.review_tab import _both_judge, _explain, _judge

    model, seen = offered.get(offered.first, "balanced"), Counter[str]()
    for number in range(ROWS):
        judge = model.predict(**review(number))["overall"].adapter
        texts = (*review(number).values(), "")
        seen[judge] += 1
        if seen[judge] == 1:
            told, _ = _judge(offered, offered.first, "balanced", texts)
            assert f"Judged by <code>{judge}</code>" in told
            both = _both_judge(offered, offered.first, "balanced", texts)
            assert both == (judge == pair.both)
            assert not _both_judge(offered, str(pair.first), "balanced", texts)
            assert "Why overall is" in _explain(offered, offered.first, "balanced", texts)
    assert set(seen) == {pair.alone, pair.both}


def test_a_file_is_scored_by_both_and_tells_how_many_rows(
    offered: LoadedModels, pair: Pair, tmp_path: Path
) -> None:
    pytest.importorskip("gradio", reason="the extra `ui` is not installed")
    from drugmon.serving.page.file_tab import _run

    source = tmp_path / "mine.csv"
    rows = [f"{n},{'useless' if n % 2 else 'so so'} {n},nausea {n},mixed" for n in range(ROWS)]
    source.write_text("\n".join(["id,benefits,side_effects,comments", *rows]), encoding="utf-8")
    config = build(PageConfig, adapter=str(pair.first), engine=ENGINE)
    with Uploads() as uploads:
        session = uploads.session("visitor")
        *_, last = _run(str(source), offered.first, "balanced", session, offered, config)
        summary, download = str(last[2]), last[3]
        assert isinstance(download, dict)
        with Path(str(download["value"])).open(encoding="utf-8", newline="") as stream:
            judges = Counter(row["drugmon_adapter"] for row in csv.DictReader(stream))
        *_, alone = _run(str(source), str(pair.first), "balanced", session, offered, config)
    assert set(judges) == {pair.alone, pair.both}
    assert f"Judged by <code>{pair.alone}</code>; the {judges[pair.both]} of {ROWS} rows" in summary
    assert f"by both, <code>{pair.both}</code>" in summary
    assert f"Judged by <code>{pair.alone}</code>.</p>" in str(alone[2])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--share", ".3"), "--share is for a cascade; add --then and its second adapter"),
        (("--then", "{first}"), "is the adapter that judges first; name another one"),
    ],
)
def test_what_does_not_fit_is_told_before_the_page_is_there(
    drugmon: Any, pair: Pair, options: tuple[str, ...], says: str
) -> None:
    pytest.importorskip("gradio", reason="the extra `ui` is not installed")
    given = [each.format(first=pair.first) for each in options]
    done = drugmon("ui", "--port", 0, "--adapter", pair.first, *given)
    assert done.code == 2
    assert says in " ".join(done.err.split())
