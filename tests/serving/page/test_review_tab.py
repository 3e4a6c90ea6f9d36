"""The tab for one review: what its boxes are judged as."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("gradio", reason="the extra `ui` is not installed")

from drugmon.config import EngineConfig
from drugmon.data.reviews import Texts
from drugmon.serving.page import html
from drugmon.serving.page.models import LoadedModels
from drugmon.serving.page.review_tab import LONGEST, _explain, _judge
from drugmon.workflows.predict import verdicts_of

TEXT = "wonderful, but awful nausea"


@pytest.fixture(scope="module", name="loaded")
def _models(adapter: Path) -> Iterator[LoadedModels]:
    models = LoadedModels(str(adapter), EngineConfig(device="cpu", dtype="fp32", threads=1))
    yield models
    models.close()


@pytest.mark.parametrize(
    ("texts", "review"),
    [
        (("", "", "", TEXT), Texts(None, None, None, TEXT)),
        ((TEXT, " ", "", ""), Texts(TEXT, None, None, None)),
        ((TEXT, "none", "fine", "\n"), Texts(TEXT, "none", "fine", None)),
    ],
)
def test_a_review_is_judged_in_the_form_that_it_has_in_files(
    loaded: LoadedModels, texts: tuple[str, ...], review: Texts
) -> None:
    model = loaded.get(loaded.first, "balanced")
    scores = model._engine.score([review])
    expected = {v.target: v for v in verdicts_of(scores, model.identity)}
    shown, spoken = _judge(loaded, loaded.first, "balanced", texts)
    assert spoken == html.spoken(expected)
    assert shown == html.verdicts(expected, "balanced", calibrated=True)
    assert "The review" in _explain(loaded, loaded.first, "balanced", ("", "", "", TEXT))


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (("a", "", "", "b"), "give the review as one text, or by its aspects, not both"),
        (("a" * (LONGEST + 1), "", "", ""), "a text has 20,001 characters and the page takes"),
    ],
)
def test_what_is_not_judged_is_told(
    loaded: LoadedModels, texts: tuple[str, ...], says: str
) -> None:
    shown, spoken = _judge(loaded, loaded.first, "balanced", texts)
    assert says in shown and "dm-wrong" in shown
    assert spoken == ""
    assert _explain(loaded, loaded.first, "balanced", texts) == ""
