"""Hooks of schemathesis: what it sends to the stream, whose description says only that it is text.

Schemathesis loads this in an environment of its own, without drugmon.
"""

from __future__ import annotations

import json
from typing import Any

import schemathesis
from hypothesis import strategies as st

ODD: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
TEXTS = (
    st.none() | st.text(max_size=40) | st.sampled_from(["good", "bad \ud800", "\0", "x" * 60_000])
)
KEYS = st.sampled_from(
    ["id", "text", "benefits", "side_effects", "comments", "rating", "drug", "x"]
)

REVIEWS = st.fixed_dictionaries(
    {"text": st.text(max_size=40)},
    optional={"id": st.integers() | st.text(max_size=9), "rating": st.floats(1, 10)},
)
ASPECTS = st.fixed_dictionaries(
    {}, optional={"benefits": TEXTS, "side_effects": TEXTS, "comments": TEXTS, "drug": TEXTS}
)
ODD_REVIEWS = st.dictionaries(KEYS, ODD | st.lists(ODD, max_size=3), max_size=4)
WHOLE = (REVIEWS | ASPECTS | ODD_REVIEWS | ODD).map(lambda value: json.dumps(value).encode())


@st.composite
def cut(draw: st.DrawFn) -> bytes:
    """The beginning of a line."""
    line: bytes = draw(WHOLE)
    return line[: draw(st.integers(0, len(line)))]


LINES = st.lists(
    WHOLE | cut() | st.binary(max_size=20) | st.sampled_from([b"", b" \r"]), max_size=30
)
schemathesis.openapi.media_type("application/x-ndjson", LINES.map(b"\n".join))
