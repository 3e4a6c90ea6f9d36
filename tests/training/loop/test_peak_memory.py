from __future__ import annotations

import json
import subprocess
import sys

import pytest

PEAKS = """
import json, mmap, torch
from drugmon.training.loop.peak_memory import PeakMemory

first = PeakMemory(torch.device("cpu"))
at_rest = first.value
held = mmap.mmap(-1, 100 * 2**20)
held.write(bytes(100 * 2**20))
raised = first.value
held.close()
print(json.dumps([at_rest, raised, first.value, PeakMemory(torch.device("cpu")).value]))
"""
"""In a process of its own, with memory that goes back to the system at once."""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not begin a new mark")
def test_the_peak_is_of_the_work_since_it_was_made() -> None:
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True)
    at_rest, raised, after, anew = (peak / 2**20 for peak in json.loads(done.stdout))
    assert 80 < raised - at_rest < 260
    assert after > raised - 1, "it is the most that was in use, not what is"
    assert anew < raised - 50, "another piece of work begins anew"
