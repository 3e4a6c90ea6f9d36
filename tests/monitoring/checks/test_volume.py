"""How many reviews there are, beside those of earlier reports."""

from __future__ import annotations

import pytest

from drugmon.monitoring.checks.gate import Gate
from drugmon.monitoring.checks.volume import volume


@pytest.mark.parametrize(("rows", "called"), [(1, "1 review"), (1_200, "1,200 reviews")])
def test_how_many_are_usual_takes_some_reports_that_had_any(rows: int, called: str) -> None:
    finding, expected = volume(rows, [9, 0], Gate())
    assert expected is None
    assert finding.says == (
        f"{called}; to say how many are usual takes 5 earlier reports that had any (known: 1)."
    )
    finding, expected = volume(rows, [rows] * 5, Gate())
    assert expected is not None and expected.value == pytest.approx(rows)
    assert finding.says.startswith(f"{called}, 100.0 % of the usual {rows:,} (")
