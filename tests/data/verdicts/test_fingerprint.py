from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmon.data.reviews import Texts
from drugmon.data.verdicts import fingerprint
from drugmon.data.verdicts.fingerprint import Fingerprinter

CELLS = st.none() | st.text(st.characters(), max_size=4)
REVIEWS = st.builds(Texts, CELLS, CELLS, CELLS, CELLS)


@given(REVIEWS, REVIEWS)
def test_only_equal_reviews_have_equal_fingerprints(one: Texts, other: Texts) -> None:
    of = Fingerprinter("adapter").of
    assert (of(one) == of(other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Texts("ab", None, None, None), Texts("a", "b", None, None)),
        (Texts(None, "a", None, None), Texts("", "a", None, None)),
        (Texts("a", None, None, None), Texts(None, "a", None, None)),
    ],
)
def test_null_empty_and_shifted_texts_differ(one: Texts, other: Texts) -> None:
    of = Fingerprinter("adapter").of
    assert of(one) != of(other)


def test_only_texts_that_lost_their_verdict_have_new_fingerprints() -> None:
    of = Fingerprinter("adapter").of
    kept = Texts("good & &nbsp; \u200b", None, "None", " \u00a0")
    assert of(kept) == "43301e7bfe955d2a846992b3d1608351"
    lost = Texts("\u200b", None, "None", None)
    digest = Fingerprinter("adapter")._start.copy()
    digest.update(fingerprint._LENGTHS.pack(1, -1, 4, -1) + "\u200bNone".encode())
    assert of(lost) != digest.hexdigest()


def test_it_has_32_hex_characters_and_follows_context_and_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    review = Texts("I \ud800 slept", None, "None", None)
    first = Fingerprinter("a").of(review)
    assert len(first) == 32
    assert int(first, 16) >= 0
    assert Fingerprinter("b").of(review) != first
    monkeypatch.setattr(fingerprint, "SCORING_VERSION", fingerprint.SCORING_VERSION + 1)
    assert Fingerprinter("a").of(review) != first
