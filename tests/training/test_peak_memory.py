from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from drugmon.training.peak_memory import PeakMemory

CPU = torch.device("cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not begin a new mark")
def test_the_peak_is_of_the_work_since_it_was_made() -> None:
    before = np.ones(50 * 2**20, np.uint8)
    del before
    first = PeakMemory(CPU)
    at_rest = first.value
    assert at_rest is not None
    held = np.ones(100 * 2**20, np.uint8)
    raised = first.value
    assert raised is not None
    assert 80 * 2**20 < raised - at_rest < 200 * 2**20
    del held
    after = first.value
    assert after is not None
    assert after > raised - 2**20, "it is the most that was in use, not what is"
    second = PeakMemory(CPU).value
    assert second is not None
    assert second < raised - 50 * 2**20, "another piece of work begins anew"
