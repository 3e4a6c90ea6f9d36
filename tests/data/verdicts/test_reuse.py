from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from drugmon.data.formats.parquet import ArrowRows
from drugmon.data.verdicts.arrivals import NEW, ArrivalsByCount
from drugmon.data.verdicts.columns import VERDICT_SCHEMA
from drugmon.data.verdicts.reuse import Reuse
from drugmon.errors import SourceError

Make = Callable[..., pa.RecordBatch]


def test_what_was_stored_is_found_bit_for_bit(make_some_verdicts: Make) -> None:
    batches = [make_some_verdicts(50, seed) for seed in (0, 100)]
    reuse = Reuse(batches)
    prints = [*batches[1]["drugmon_fingerprint"].to_pylist(), "e" * 32]
    found = reuse.lookup(prints)
    assert len(reuse) == 100
    assert found[-1] == -1
    assert reuse.take(found[:-1]).equals(batches[1])


def test_of_equal_fingerprints_the_last_wins(make_some_verdicts: Make) -> None:
    older, newer = make_some_verdicts(5), make_some_verdicts(5)
    newer = newer.set_column(20, "drugmon_adapter", pa.array(["newer@1"] * 5))
    reuse = Reuse([older, newer])
    found = reuse.lookup(older["drugmon_fingerprint"].to_pylist())
    assert len(reuse) == 5
    assert reuse.take(found)["drugmon_adapter"].to_pylist() == ["newer@1"] * 5


def test_fingerprints_that_end_or_start_in_zeros_are_told_apart() -> None:
    prints = ["0" * 32, "ab" + "0" * 30, "0" * 30 + "ab", "ab" * 16]
    table = pa.table({"drugmon_fingerprint": prints, "overall_sentiment": [None] * 4})
    for field in VERDICT_SCHEMA:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(4, field.type))
    reuse = Reuse([table])
    taken = reuse.take(reuse.lookup(prints[::-1]))
    assert taken["drugmon_fingerprint"].to_pylist() == prints[::-1]


def test_rows_without_a_fingerprint_and_tables_without_verdicts_count_for_nothing(
    make_some_verdicts: Make,
) -> None:
    batch = make_some_verdicts(3)
    batch = batch.set_column(22, "drugmon_fingerprint", pa.array([None, "", "rubbish"]))
    reuse = Reuse([batch, pa.table({"a": [1]})])
    assert len(reuse) == 0
    assert reuse.lookup(["0" * 32]).tolist() == [-1]
    assert reuse.take(np.empty(0, np.int64)).equals(
        pa.RecordBatch.from_pylist([], schema=VERDICT_SCHEMA)
    )


def test_it_says_where_damaged_verdicts_stand(make_some_verdicts: Make) -> None:
    batch = make_some_verdicts(1).set_column(16, "overall_confidence", pa.array(["high"]))
    with pytest.raises(SourceError, match=r"^old\.csv: column overall_confidence"):
        Reuse([batch], "old.csv")


def test_a_row_takes_at_most_120_bytes(make_some_verdicts: Make) -> None:
    reuse = Reuse([make_some_verdicts(20_000)])
    held = reuse._verdicts.nbytes + reuse._keys.nbytes + reuse._rows.nbytes
    assert held / len(reuse) <= 120


def test_rows_of_the_run_that_is_gone_on_with_keep_their_time(make_some_verdicts: Make) -> None:
    earlier, unfinished = make_some_verdicts(2), make_some_verdicts(2, 100)
    prints = [*earlier["drugmon_fingerprint"].to_pylist(), "e" * 32]
    moment = earlier["drugmon_scored_at"][0].as_py()
    for since, expected in ((None, NEW), (moment, int(moment.timestamp() * 1e6))):
        reuse = Reuse([unfinished, earlier], arrivals=ArrivalsByCount(), since=since)
        rows = ArrowRows(pa.table({"n": [1, 2, 3]}))
        arrived = reuse.arrived(reuse.lookup(prints), rows, prints)
        assert arrived.tolist() == [expected, expected, NEW]
