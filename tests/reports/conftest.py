"""What the tests of the pages share: invented nights, their history, and rows of both sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest

from drugmon.data.history.records import ReportRecord
from drugmon.labels import LABELS
from drugmon.monitoring.checks.summary import Summary
from drugmon.reports.analysts.pages import ClassTask, EvidentlyInput
from tests.reports.invented_history import history
from tests.reports.invented_nights import NIGHTS, SCRIPT


@pytest.fixture(params=NIGHTS)
def night(request: pytest.FixtureRequest) -> Summary:
    """Each of the invented nights in turn."""
    return NIGHTS[request.param]()


@pytest.fixture
def nights() -> Mapping[str, Callable[[], Summary]]:
    """The makers of the invented nights by name."""
    return NIGHTS


@pytest.fixture(name="history")
def _history() -> Callable[[int], list[ReportRecord]]:
    """The maker of a history."""
    return history


@pytest.fixture(scope="session")
def samples() -> EvidentlyInput:
    """Invented rows of both sides, with a drug whose name would end a script element."""
    random = np.random.default_rng(0)

    def side(n: int, negative: float) -> pd.DataFrame:
        weights = (negative, 0.2, 0.8 - negative)
        true = random.choice(LABELS, n, p=weights)
        guess = np.where(random.random(n) < 0.7, true, random.choice(LABELS, n, p=weights))
        return pd.DataFrame(
            {
                "overall": guess,
                "overall_true": true,
                "confidence": random.random(n),
                "length": random.integers(1, 900, n).astype(float),
                "drug": random.choice(["Lexapro", "Zoloft", f"</script>{SCRIPT}"], n),
                "gone": np.full(n, np.nan),
            }
        )

    return EvidentlyInput(
        current=side(200, 0.4),
        reference=side(400, 0.2),
        numerical=("confidence", "length", "gone"),
        categorical=("overall", "drug"),
        tasks=(ClassTask("overall", "overall_true", "overall"),),
    )
