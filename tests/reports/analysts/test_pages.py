from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pytest

from drugmon.monitoring.profiles.profile import build_profile
from drugmon.monitoring.profiles.reference import Profile
from drugmon.reports.analysts import evidently_reports
from drugmon.reports.analysts import pages as analysts
from drugmon.reports.analysts.evidently_reports import harmless
from drugmon.reports.analysts.pages import EvidentlyInput, write_analyst_pages
from drugmon.reports.analysts.profile_rows import rebuilt_sides

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
SCRIPT = "<script>alert(1)</script>"


def test_both_pages_are_made_and_say_which_night_they_belong_to(
    samples: EvidentlyInput, tmp_path: Path
) -> None:
    drift, quality = write_analyst_pages(samples, tmp_path, "FAIL: reviews, run 1")
    assert drift.problem is quality.problem is None
    assert drift.says == "200 rows against 400. Left out for want of values: gone."
    assert quality.says == "Overall: 200 rows against 400."
    for page in (drift, quality):
        html = (tmp_path / page.file).read_text(encoding="utf-8")
        assert f"<title>{page.title}: FAIL: reviews, run 1</title>" in html
        assert "default-src 'none'" in html
        assert "<script>alert" not in html
        assert len(html.encode()) < 5_000_000
    assert r"\u2039/script\u203a" in (tmp_path / "drift.html").read_text(encoding="utf-8")


def test_names_of_columns_are_made_harmless_too() -> None:
    frame = pd.DataFrame({SCRIPT: ["a", None], "n": [1.0, 2.0]})
    safe = harmless(EvidentlyInput(frame, None, ("n",), (SCRIPT,)))
    assert safe.categorical == tuple(safe.current.columns[:1])
    assert "<" not in safe.categorical[0]
    assert safe.current[safe.categorical[0]].isna().tolist() == [False, True]


def test_one_page_that_fails_leaves_the_other(samples: EvidentlyInput, tmp_path: Path) -> None:
    def broken(_data: EvidentlyInput) -> NoReturn:
        raise ZeroDivisionError("the private words of a review")

    makers = ((analysts.MAKERS[0][0], broken), analysts.MAKERS[1])
    (tmp_path / "drift.html").write_text("of before")
    drift, quality = write_analyst_pages(samples, tmp_path, "", makers)
    assert drift.problem == "evidently stopped (ZeroDivisionError)."
    assert quality.problem is None
    assert [path.name for path in tmp_path.iterdir()] == ["quality.html"]


def without(samples: EvidentlyInput, label: str) -> EvidentlyInput:
    kept = samples.current[samples.current["overall_true"] != label]
    return replace(samples, current=kept)


def test_what_evidently_cannot_take_is_said(samples: EvidentlyInput, tmp_path: Path) -> None:
    cases = {
        "There are no reviews now.": replace(samples, current=samples.current.head(0)),
        "There are no rows to compare with.": replace(samples, reference=None),
        "No column has values on both sides.": replace(
            samples, numerical=("gone",), categorical=()
        ),
    }
    for problem, data in cases.items():
        with pytest.raises(evidently_reports.NotMadeError, match=problem):
            evidently_reports.drift_widgets(data)
    with pytest.raises(evidently_reports.NotMadeError, match="needs each of negative, neutral"):
        evidently_reports.quality_widgets(without(samples, "neutral"))
    with pytest.raises(evidently_reports.NotMadeError, match="There are no true labels"):
        evidently_reports.quality_widgets(replace(samples, tasks=()))
    assert write_analyst_pages(None, tmp_path, "")[0].problem
    assert list(tmp_path.iterdir()) == []


def test_quality_stands_without_a_reference(samples: EvidentlyInput) -> None:
    widgets, says = evidently_reports.quality_widgets(replace(samples, reference=None))
    assert len(widgets) == 1
    assert says == "Overall: 200 rows."


def profile(n: int) -> Profile:
    random = np.random.default_rng(1)
    probabilities = random.dirichlet((1, 1, 2), (n, 4))
    return build_profile(
        probabilities.argmax(axis=2),
        probabilities,
        {"benefits": random.integers(0, 900, n)},
        drugs=[("Zoloft", "lexapro", None)[i % 3] for i in range(n)],
    )


@pytest.mark.parametrize("n", [300, 10_000])
def test_rows_of_a_profile_have_its_shares(n: int) -> None:
    known = profile(n)
    current = pd.DataFrame(
        {
            "overall_sentiment": ["negative", None],
            "overall_confidence": [0.61, np.nan],
            "benefits_characters": [0.0, 100.0],
            "drug": ["  ZOLOFT", "unheard of"],
            "other": [1, 2],
        }
    )
    now, before = rebuilt_sides(current, known)
    assert list(now) == list(before) == list(current)[:4]
    assert len(before) == min(n, 3000)
    for label, count in Counter(before["overall_sentiment"]).items():
        wanted = known.targets["overall"].counts[label] / n
        assert count / len(before) == pytest.approx(wanted, abs=1 / len(before))
    assert before["drug"].isna().mean() == pytest.approx(1 / 3, abs=0.01)
    assert now["drug"].tolist() == ["zoloft", "other"]
    assert now["overall_confidence"][0] == pytest.approx(0.625)
    assert set(now["overall_confidence"].dropna()) <= {*before["overall_confidence"]}
    assert now["benefits_characters"].isna().tolist() == [True, False]
    assert now["overall_sentiment"].isna().tolist() == [False, True]


def test_drift_page_falls_back_on_the_totals(samples: EvidentlyInput) -> None:
    current = samples.current.rename(columns={"overall": "overall_sentiment"})
    data = EvidentlyInput(current, None, (), ("overall_sentiment", "drug"), profile=profile(500))
    widgets, says = evidently_reports.drift_widgets(data)
    assert widgets
    assert re.match(r"200 rows against 500\. The reference is rebuilt from its totals", says)
