"""What dates a row: dates as people write them, and what looks like one and is none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from drugmon.data.duckdb.database import in_memory
from drugmon.data.sources import FileSource
from drugmon.data.verdicts.scored import Reading
from drugmon.data.verdicts.scored_views import scored_files

Make = Callable[..., pa.Table]

FIRST_OF_MAY = datetime(2024, 5, 1, tzinfo=UTC)


def moments(folder: Path, make: Make, cells: pa.Array) -> list[datetime | None]:
    """What each of the cells is taken for."""
    path = folder / "n.parquet"
    pq.write_table(make(len(cells)).append_column("seen", cells), path)
    with in_memory(folder / "spill") as connection:
        reading = Reading({}, "seen", ())
        scored = scored_files(
            connection, [FileSource.of(path)], reading, aside=folder, view="reviews"
        )
        rows = scored.execute("SELECT epoch_us(moment) FROM reviews")
    return [None if us is None else datetime.fromtimestamp(us / 1e6, UTC) for (us,) in rows]


@pytest.mark.parametrize(
    "cell",
    [
        "2024-05-01",
        " 2024-05-01 ",
        "2024-5-1",
        "2024-05",
        "2024/05/01",
        "2024/5",
        "20240501",
        "2024-05-01T02:00:00+02:00",
        "2024-05-01 00:00:00",
        "01-May-24",
        "1-May-2024",
        "1 May 2024",
        "May 1, 2024",
    ],
)
def test_dates_that_cannot_be_mistaken_are_read(
    tmp_path: Path, scored_reviews: Make, cell: str
) -> None:
    assert moments(tmp_path, scored_reviews, pa.array([cell])) == [FIRST_OF_MAY]


@pytest.mark.parametrize(
    "cell",
    [
        "5/12/20",
        "05/12/2020",
        "1/2/3",
        "20245-05-01",
        "0001-01-01",
        "9999-12-31",
        "99991231",
        "2024",
        "20241301",
        "2024-13",
        "1 May 20245",
        "infinity",
        "",
        "soon",
    ],
)
def test_what_may_be_several_days_or_none_has_no_date(
    tmp_path: Path, scored_reviews: Make, cell: str
) -> None:
    assert moments(tmp_path, scored_reviews, pa.array([cell])) == [None]


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        (pa.array([20240501, 7], pa.int32()), [FIRST_OF_MAY, None]),
        (pa.array([date(2024, 5, 1), date(9999, 1, 1), date(1, 1, 1)]), [FIRST_OF_MAY, None, None]),
        (pa.array([FIRST_OF_MAY, None]), [FIRST_OF_MAY, None]),
        (
            pa.array([datetime(2024, 5, 1), datetime(9999, 12, 31)], pa.timestamp("us")),
            [FIRST_OF_MAY, None],
        ),
        (pa.array([FIRST_OF_MAY], pa.timestamp("ns", "UTC")), [FIRST_OF_MAY]),
    ],
)
def test_columns_of_numbers_dates_and_times(
    tmp_path: Path, scored_reviews: Make, cells: Any, read: list[datetime | None]
) -> None:
    assert moments(tmp_path, scored_reviews, cells) == read
