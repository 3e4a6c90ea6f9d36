"""Training: seconds per epoch and peak memory of `drugmon train`, the whole command.

    python -m benchmarks.training reviews.tsv [--recipe minilm] [--set split.folds=0 ...]

The memory is that of the process, looked at every 50 ms: the kernel's own peak is begun anew by
the command for every model that it trains.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_EVERY_SECONDS = 0.05


def main() -> None:
    """Train once and print a line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training")
    parser.add_argument("source")
    parser.add_argument("--recipe", default="minilm")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "adapter"
        command = [sys.executable, "-m", "drugmon.cli.main", "train", arguments.source, "--json"]
        command += ["--recipe", arguments.recipe, "--out", str(out), "--device", "cpu"]
        for setting in arguments.settings:
            command += ["--set", setting]
        began = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as training:
            peak = _watch(training)
        seconds = time.perf_counter() - began
        if training.returncode:
            sys.exit(training.returncode)
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    notes = manifest["training"]
    kept = notes["rows_kept"]
    seen = notes["measured_models"] * notes["rows_measured"] * len(notes["epochs"])
    if manifest["recipe"]["split"]["refit"]:
        seen += kept * notes["best_epoch"]
    print(
        f"{seconds:.0f} s in all, {notes['seconds']:.0f} s of them training, {seen:,} reviews seen "
        f"({notes['measured_models']} measured models, one kept): "
        f"{notes['seconds'] / seen * kept:.0f} s an epoch of {kept:,}, {peak / 1e9:.2f} GB at most"
    )


def _watch(process: subprocess.Popen[bytes]) -> int:
    """Wait for its end; return the most bytes that it had in memory."""
    peak = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        resident = re.search(r"VmRSS:\s+(\d+) kB", status)
        peak = max(peak, int(resident[1]) * 1024 if resident else 0)
        time.sleep(_EVERY_SECONDS)
    return peak


if __name__ == "__main__":
    main()
