from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmon.data.reviews import clean


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        (None, None),
        ("", None),
        (" \t\r\n\u00a0\u2003", None),
        ("&nbsp; &#160;", None),
        ("None", "None"),
        ("N/A", "N/A"),
        (" it&#039;s\n fine ", "it's\n fine"),
        ("&amp;amp;#039;", "'"),
        ("&quot;so &amp; so&quot;", '"so & so"'),
        ("AT&T 5 < 6", "AT&T 5 < 6"),
    ],
)
def test_clean(raw: str | None, cleaned: str | None) -> None:
    assert clean(raw) == cleaned


@given(
    st.text()
    | st.lists(st.sampled_from(["&", "amp;", "#3", "9;", "lt", ";", " ", "x"])).map("".join)
)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert once is None or (once and once == once.strip())
