from __future__ import annotations

from drugmon.serving.page.html import verdicts
from drugmon.workflows.predict import Verdict


def test_where_the_label_is_not_the_longest_bar_it_says_so_in_place() -> None:
    shares = {"negative": 0.40, "neutral": 0.14, "positive": 0.46}
    odd = Verdict("overall", "negative", 0.40, shares)
    plain = Verdict("comments", "positive", 0.46, shares)
    html = verdicts({"comments": plain, "overall": odd}, "balanced", True)
    first, second = html.split("<section")[1:]
    assert "The balanced rule says <b>negative</b> although <b>positive</b> has the longer" in first
    assert "the longer bar" not in second
