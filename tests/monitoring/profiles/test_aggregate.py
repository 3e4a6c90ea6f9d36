"""Counts over scored rows as SQL makes them, against what Python says of the same texts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from drugmon.data.duckdb.database import in_memory
from drugmon.data.reviews import clean
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.columns import make_verdicts
from drugmon.data.verdicts.scored import Reading
from drugmon.data.verdicts.scored_views import scored_files
from drugmon.grading import Grading
from drugmon.monitoring.profiles.aggregate import count_scored
from drugmon.monitoring.profiles.profile import text_profile

TEXTS = (
    *("helped", "", "   ", "\u200b\u200b", "\ufeff", "\xad \u2060", "\u3000", "\x01", "a\u200bb"),
    *("\u00e9", "\U0001f48a", "no &amp; none", None, "\u200b-\u200b", "[", "\\", "\u2028x\u2028"),
    *("&nbsp;", "&nbsp &amp;amp;shy;", "&#160;&#x00A0;", "&#8203;", "&#133;", "&Tab;"),
)
BLANKS = [text for text in TEXTS if clean(text) is None]


def test_lengths_are_those_of_the_cleaned_texts(tmp_path: Path) -> None:
    labels = np.array([[-1, -1, -1, 2 if clean(text) else -1] for text in TEXTS], np.int8)
    probabilities = np.full((len(TEXTS), 4, 3), 1 / 3, np.float32)
    prints = [f"{row:032x}" for row in range(len(TEXTS))]
    verdicts = make_verdicts(labels, probabilities, "a@1", datetime(2026, 1, 1, tzinfo=UTC), prints)
    columns = [pa.array(TEXTS, pa.string()), *verdicts.columns]
    path = tmp_path / "r.parquet"
    pq.write_table(pa.table(columns, ["review", *verdicts.schema.names]), path)
    with in_memory(None) as connection:
        scored = scored_files(
            connection, [FileSource.of(path)], Reading(), aside=tmp_path, view="v"
        )
        counted = count_scored(scored, Grading(), None)
    lengths: dict[int, int] = {}
    for text in TEXTS:
        characters = len(clean(text) or "")
        lengths[characters] = lengths.get(characters, 0) + 1
    assert counted.profile.texts["text"] == text_profile(lengths)
    assert counted.empty == sum(clean(text) is None for text in TEXTS)


def test_a_text_beside_aspects_that_show_nothing_is_a_lone_one(tmp_path: Path) -> None:
    """As scoring has it, whatever it is that shows nothing."""
    rows: list[tuple[str | None, ...]] = [
        (blank, None, None) for blank in [*BLANKS, "\n", "\t \r\n"]
    ]
    rows += [(None, "\n", "\u200b"), (None, "&", "nbsp;"), ("\n", "x", None)]
    labels = np.array([[-1, -1, -1, 2]] * len(rows), np.int8)
    probabilities = np.full((len(rows), 4, 3), 1 / 3, np.float32)
    prints = [f"{row:032x}" for row in range(len(rows))]
    verdicts = make_verdicts(labels, probabilities, "a@1", datetime(2026, 1, 1, tzinfo=UTC), prints)
    columns = [pa.array(texts, pa.string()) for texts in zip(*rows, strict=True)]
    names = ["benefits", "side_effects", "comments", "review"]
    columns.append(pa.array([f"lone {row}" for row in range(len(rows))]))
    path = tmp_path / "r.parquet"
    table = pa.table([*columns, *verdicts.columns], [*names, *verdicts.schema.names])
    pq.write_table(table, path)
    with in_memory(None) as connection:
        scored_files(connection, [FileSource.of(path)], Reading(), aside=tmp_path, view="v")
        found = connection.execute("SELECT text FROM v WHERE text IS NOT NULL").fetchall()
    lone = [row for row, texts in enumerate(rows) if not any(map(clean, texts))]
    assert len(lone) == len(rows) - 2
    assert [text for (text,) in found] == [f"lone {row}" for row in lone]
