from __future__ import annotations

import pytest

from drugmon.serving.page.html import explanation, verdicts
from drugmon.workflows.explain import Explanation, Word
from drugmon.workflows.predict import Verdict


def test_where_the_label_is_not_the_longest_bar_it_says_so_in_place() -> None:
    shares = {"negative": 0.40, "neutral": 0.14, "positive": 0.46}
    odd = Verdict("overall", "negative", 0.40, shares)
    plain = Verdict("comments", "positive", 0.46, shares)
    html = verdicts({"comments": plain, "overall": odd}, "balanced", True)
    first, second = html.split("<section")[1:]
    assert "The balanced rule says <b>negative</b> although <b>positive</b> has the longer" in first
    assert "the longer bar" not in second


@pytest.mark.parametrize(
    ("target", "title"),
    [("overall", "Why overall is positive"), ("side_effects", "Why side effects are positive")],
)
def test_what_is_explained_and_what_its_marks_mean_is_said(target: str, title: str) -> None:
    words = (Word("side_effects", 0, 4, "None", 0.2), Word("side_effects", 5, 7, "at", -0.05))
    html = explanation(
        Explanation(target, "positive", 0.9, 0.75, words, {"side_effects": "None at"})
    )
    assert f"<h3>{title}</h3>" in html
    assert '<mark class="dm-positive dm-strong" title="+20 points">None</mark>' in html
    assert '<u title="-5 points">at</u>' in html
    assert "Words in bold speak for the label, those over a wavy line against it." in html
