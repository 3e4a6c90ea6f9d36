from pathlib import Path

import pyarrow.parquet as pq

from drugmon.data.sample import write_sample
from drugmon.workflows.score import ScoreConfig, score


def test_score(adapter: Path, tmp_path: Path) -> None:
    path = tmp_path / "reviews.parquet"
    write_sample(path)
    result = score(ScoreConfig(str(path), adapter=str(adapter)))
    assert result.total == 64
    again = score(ScoreConfig(str(path), adapter=str(adapter)))
    assert again.scored == 0
    assert pq.read_table(tmp_path / "reviews.scored.parquet").num_rows == 64
