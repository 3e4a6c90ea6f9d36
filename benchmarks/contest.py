"""The contest: drugmon and its peers on the same reviews, in turns, as rates and ratios."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import f1_score

from benchmarks import peers
from benchmarks.ceiling import matrix_product_rate, operations, seconds
from drugmon.config import EngineConfig
from drugmon.data.reviews import Texts
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.adapter import Adapter
from drugmon.models.device import Compute, choose_compute, has_int8
from drugmon.scoring.engine import Engine
from drugmon.training.reviews.dataset import LabelledReviews

WARM_UP = 64
CPU = torch.device("cpu")
BUDGETS = (2_048, 4_096)
"""Tokens of a batch: each runtime gets the one that suits it."""


class Drugmon(peers.Peer):
    """The engine in this process: texts in, labels out."""

    def __init__(self, adapter: Adapter, dtype: str, threads: int) -> None:
        config = EngineConfig("cpu", dtype, threads)
        self._engine = Engine(adapter, config, lambda warning: print(warning, file=sys.stderr))
        self.dtype = str(self._engine.compute).split()[-1]
        self.name = f"drugmon {self.dtype}, inner loop"

    def score(self, reviews: Sequence[Texts]) -> peers.Labels:
        """As `drugmon score` does it, without reading and writing."""
        return self._engine.score(reviews).labels


@dataclass
class Row:
    """What one contestant reached: rates in reviews/s, one a round, and labels if they can agree.

    `ceilings` are the rounds' operations/s of a matrix product in its number format, `work` the
    operations a review; None and empty where there is no such share (several passes).
    """

    name: str
    rates: list[float] = field(default_factory=list)
    ceilings: list[float] = field(default_factory=list)
    work: float | None = None
    labels: peers.Labels | None = None

    @property
    def rate(self) -> float:
        """The median rate."""
        return statistics.median(self.rates)

    @property
    def share(self) -> float | None:
        """The median share of the matrix product's rate."""
        if self.work is None or not self.ceilings:
            return None
        pairs = zip(self.rates, self.ceilings, strict=True)
        return statistics.median(rate * self.work / ceiling for rate, ceiling in pairs)


def contestants(adapter: Adapter, threads: int, warm: Sequence[Texts]) -> Iterator[peers.Peer]:
    """Every peer ready to score; one that cannot be set up is told and left out."""
    base, length = adapter.base().folder, adapter.manifest.max_length
    model = peers.OnePass(adapter)

    def best(make: Callable[[int], peers.Peer]) -> peers.Peer:
        """With the batch size that scores the warm-up reviews fastest."""
        tried = [make(tokens) for tokens in BUDGETS]
        compute = Compute(CPU, torch.float32)
        for one in tried:
            one.score(warm)
        return min(tried, key=lambda one: seconds(lambda: one.score(warm), compute))

    makers: list[Callable[[], peers.Peer]] = [
        lambda: Drugmon(adapter, "auto", threads),
        lambda: Drugmon(adapter, _other_format(adapter), threads),
        lambda: best(lambda tokens: peers.OpenVino(adapter, model, tokens, threads)),
        lambda: best(lambda tokens: peers.OnnxRuntime(adapter, model, tokens, threads, int8=True)),
        lambda: best(lambda tokens: peers.OnnxRuntime(adapter, model, tokens, threads)),
        lambda: best(lambda tokens: peers.Torch(adapter, model, tokens)),
        lambda: peers.Embeddings(base, length),
        lambda: peers.Pipeline(base, length),
    ]
    for make in makers:
        try:
            yield make()
        except ImportError as error:
            print(f"left out: {error}; install the extra `bench`", file=sys.stderr)


def _other_format(adapter: Adapter) -> str:
    """int8 beside bf16 and the other way round."""
    taken = choose_compute("cpu", "auto", adapter.quantises)
    return "int8" if not taken.int8 and adapter.quantises and has_int8(CPU) else "bf16"


def contest(
    adapter: Adapter, source: Path, reviews: Sequence[Texts], rounds: int, threads: int
) -> list[Row]:
    """Let all of them score `reviews` in turns, and the whole command score `source`.

    Args:
        adapter: the model of drugmon and of the runtimes.
        source: the file that the whole command scores.
        reviews: what the others score, in each round.
        rounds: how often; figures are medians.
        threads: for everybody.
    """
    torch.set_num_threads(threads)
    warm = reviews[:WARM_UP]
    entries = [(peer, Row(peer.name)) for peer in contestants(adapter, threads, warm)]
    work = _work(adapter, reviews)
    formats = {peer.dtype for peer, _ in entries if has_int8(CPU) or peer.dtype != "int8"}
    computes = {dtype: choose_compute("cpu", dtype, quantises=True) for dtype in formats}
    whole = Row("drugmon, whole command", work=work)
    for peer, row in entries:
        peer.score(warm)
        row.work = work if isinstance(peer, Drugmon | peers.Runtime) else None
    for number in range(rounds):
        ceilings = {dtype: matrix_product_rate(compute) for dtype, compute in computes.items()}
        whole.rates.append(_whole_command(adapter, source, threads))
        whole.ceilings.append(ceilings.get(entries[0][0].dtype, 0.0))
        for peer, row in entries:
            print(f"round {number + 1} of {rounds}: {peer.name}", file=sys.stderr, flush=True)
            labels: list[peers.Labels | None] = []
            taken = seconds(lambda: labels.append(peer.score(reviews)), computes["fp32"])  # noqa: B023
            row.rates.append(len(reviews) / taken)
            row.labels = labels[0]
            if peer.dtype in ceilings:
                row.ceilings.append(ceilings[peer.dtype])
    return [whole, *(row for _, row in entries)]


def _work(adapter: Adapter, reviews: Sequence[Texts]) -> float:
    """Operations that one pass over a review takes, on average."""
    from drugmon.models.classifiers.factory import make_classifier

    classifier = make_classifier(adapter.base(), adapter.manifest.max_length)
    lengths = [int(length) for length in classifier.prepare(reviews).lengths]
    return operations(lengths, adapter.base().config) / len(reviews)


def _whole_command(adapter: Adapter, source: Path, threads: int) -> float:
    """Reviews/s of `drugmon score SOURCE`, from the start of the process to its end."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "drugmon.cli.main", "score", str(source)),
            *("--adapter", str(adapter.folder), "--threads", str(threads)),
            *("--out", f"{folder}/scored.parquet", "--json", "--device", "cpu"),
        ]
        done: list[str] = []

        def run() -> None:
            done.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

        taken = seconds(run, Compute(CPU, torch.float32))
    import json

    return int(json.loads(done[0])["total"]) / taken


@dataclass(frozen=True)
class Agreement:
    """How labels compare with those of the same model in fp32.

    `same` is the share of equal labels over all targets; `macro_f1` the difference of overall's
    macro-F1 from fp32's, on reviews that have ratings.
    """

    same: float
    macro_f1: float


def agreement(labels: peers.Labels, fp32: peers.Labels, truth: LabelledReviews) -> Agreement:
    """Compare labels (n, 4) with those of fp32."""
    there = fp32 >= 0
    column, true = TARGETS.index("overall"), truth.labels["overall"]
    judged = (true >= 0) & there[:, column]

    def f1(predicted_labels: peers.Labels) -> float:
        predicted = predicted_labels[judged, column]
        return float(f1_score(true[judged], predicted, labels=range(len(LABELS)), average="macro"))

    return Agreement(float(np.mean(labels[there] == fp32[there])), f1(labels) - f1(fp32))
