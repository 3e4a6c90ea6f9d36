from __future__ import annotations

from unicodedata import category, name

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmon.data.reviews import clean, is_invisible


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        (None, None),
        ("", None),
        (" \t\r\n\u00a0\u2003", None),
        ("&nbsp; &#160;", None),
        *((text, None) for text in ("\u200b", "\ufeff", "\u00ad\u2060 \u200d", "&#8203;&shy;")),
        *((text, None) for text in ("\0", "\x7f\x85", "\u3164", "\u2800", "\ufe0f", "\U000e0020")),
        ("\u200b.", "\u200b."),
        ("💊", "💊"),
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
    assert not (is_invisible(text) and once)


def test_what_is_invisible_is_neither_blank_nor_seen() -> None:
    assert [is_invisible(text) for text in (None, "", " \u00a0", "&nbsp;", "a", "&amp;")] == [
        False
    ] * 6
    assert all(map(is_invisible, ("\u200b", " \ufeff", "&#8203;", "&amp;shy;")))


def test_of_all_characters_those_that_show_nothing_are_invisible() -> None:
    seen = [chr(code) for code in range(0x110000) if clean(chr(code))]
    kinds = {category(character) for character in seen}
    assert kinds.isdisjoint({"Cc", "Zs", "Zl", "Zp"})
    formats = [character for character in seen if category(character) == "Cf"]
    assert all(
        name(character).startswith(("ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN"))
        for character in formats
    )
