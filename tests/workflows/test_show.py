from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from drugmon.cli.output import verdicts as cli_output
from drugmon.data.verdicts.columns import make_verdicts
from drugmon.errors import SourceError
from drugmon.workflows.show import show

Write = Callable[..., Path]
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def scored(rows: int, text_column: str = "comments") -> pa.Table:
    """Reviews scored in turn negative, neutral and positive; every fourth has no benefits."""
    labels = np.tile((np.arange(rows) % 3).astype(np.int8)[:, None], (1, 4))
    labels[::4, 0] = -1
    probabilities = np.full((rows, 4, 3), np.nan, np.float32)
    probabilities[labels >= 0] = 0.1
    for label in range(3):
        probabilities[labels == label, label] = 0.8
    prints = [f"{row:032x}" for row in range(rows)]
    verdicts = make_verdicts(labels, probabilities, "mine@0123", WHEN, prints)
    own = {"id": [f"r{row}" for row in range(rows)], text_column: ["secret words"] * rows}
    table = pa.table(own)
    for name in verdicts.schema.names:
        table = table.append_column(name, verdicts[name])
    return table


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.scored.parquet"
    pq.write_table(scored(30), path, row_group_size=4)
    return path


def test_first_rows_and_the_counts_of_all(path: Path) -> None:
    shown = show(path, 10)
    assert shown.total == 30
    assert len(shown.verdicts) == 10
    assert list(shown.context["id"]) == [f"r{row}" for row in range(10)]
    second = shown.verdicts[1]["comments"]
    assert second is not None
    assert second[0] == "neutral"
    assert second[1] == pytest.approx(0.8)
    assert shown.verdicts[4]["benefits"] is None
    assert shown.counts["overall"] == {"negative": 10, "neutral": 10, "positive": 10}
    assert sum(shown.counts["benefits"].values()) == 22
    assert shown.adapters == ("mine@0123",)


def test_limit_beyond_the_end_shows_all(path: Path) -> None:
    shown = show(path, 500)
    assert len(shown.verdicts) == len(shown.context["id"]) == 30


def test_columns_of_any_name_are_fine(tmp_path: Path) -> None:
    """What --column named when it was scored need not be named again."""
    path = tmp_path / "odd.scored.parquet"
    pq.write_table(scored(3, "pros"), path)
    assert list(show(path, 5).context) == ["id"]


def test_text_formats_are_shown_too(tmp_path: Path) -> None:
    path = tmp_path / "reviews.scored.csv"
    pa.csv.write_csv(scored(6), path)
    shown = show(path, 6)
    assert shown.counts["overall"] == {"negative": 2, "neutral": 2, "positive": 2}


def test_printed_table_has_no_texts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(cli_output, "Console", lambda **_options: Console(file=out, width=120))
    cli_output.print_shown(show(path, 10))
    assert "secret" not in out.getvalue()
    assert "... and 20 more rows" in out.getvalue()
    assert "scored by mine@0123" in out.getvalue()


def test_unscored_and_missing_files_are_told(tmp_path: Path) -> None:
    plain = tmp_path / "plain.parquet"
    pq.write_table(pa.table({"comments": ["fine"]}), plain)
    with pytest.raises(SourceError, match=r"plain\.parquet: has no verdicts; score it first"):
        show(plain, 5)
    with pytest.raises(SourceError, match=r"gone\.parquet: no such file"):
        show(tmp_path / "gone.parquet", 5)
