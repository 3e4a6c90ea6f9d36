"""Adapters that held the same invented reviews out, so that one can stand behind the other."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pytest

from drugmon.data.reviews import Texts
from drugmon.labels import TARGETS
from drugmon.models.adapters import decision
from drugmon.models.adapters.adapter import Adapter, folder_digests
from drugmon.models.adapters.manifest import pair_identity, read_manifest, with_files
from drugmon.scoring.held_out import HeldOutEvidence, joined_evidence
from drugmon.scoring.scores import Evidence, Floats

PARTS, LONE = 400, 320
"""Held-out reviews of three texts and of a lone one."""


def invented(n: int, *, lone: bool = False) -> list[Texts]:
    """Reviews that differ."""
    if lone:
        return [Texts(None, None, None, f"all in one, number {k}") for k in range(n)]
    return [Texts(f"helped {k}", f"nausea {k}", f"so it went {k}", None) for k in range(n)]


def true_labels(n: int) -> npt.NDArray[np.int64]:
    """The labels of n invented reviews, the same every time."""
    return np.random.default_rng(n).integers(0, 3, n)


def said(labels: npt.NDArray[np.int64], seed: int, skill: float) -> Floats:
    """Log-probabilities float32 (n, 3) of an expert: noise at a skill of 0, the truth at 9."""
    noise = np.random.default_rng(seed).normal(0, 1, (len(labels), 3))
    raw = noise + skill * np.eye(3)[labels]
    return np.asarray(raw - np.log(np.exp(raw).sum(axis=1, keepdims=True)), np.float32)


def held_out(
    seed: int,
    skill: float,
    *,
    parts: int = PARTS,
    lone: int = LONE,
    targets: Sequence[str] = TARGETS,
    lexical: bool = True,
) -> HeldOutEvidence:
    """What an adapter of some `skill` said of invented reviews that it had not seen."""
    made = []
    for fold, (n, is_lone) in enumerate(((parts, False), (lone, True))):
        labels = true_labels(n)
        model = {name: said(labels, seed + k, skill) for k, name in enumerate(targets)}
        words = {name: said(labels, seed + 9 + k, skill / 3) for k, name in enumerate(targets)}
        evidence = Evidence(model, words if lexical else None)
        own = {name: labels for name in targets if not is_lone or name == "overall"}
        made.append(HeldOutEvidence.of(invented(n, lone=is_lone), evidence, own, fold))
    return joined_evidence(made)


def fit_coarsely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try few decision offsets: a fit takes a hundredth of its time, and does all else as ever."""
    monkeypatch.setattr(decision, "_OFFSETS", np.linspace(-1, 1, 5))


def with_held_out(
    adapter: Path, out: Path, evidence: HeldOutEvidence, *, temperature: float
) -> Path:
    """A copy of an adapter under another name that held `evidence` out.

    Args:
        adapter: the folder.
        out: the copy's folder; the last part of it is its name.
        evidence: what its held-out file says.
        temperature: of all its calibrations: the lower, the surer it is of all it reads.
    """
    shutil.copytree(adapter, out)
    evidence.save(out)
    manifest = read_manifest(adapter)
    calibration = {
        target: {**own, "temperature": temperature} for target, own in manifest.calibration.items()
    }
    copy = replace(manifest, name=out.name, calibration=calibration)
    sealed = Adapter(out, with_files(copy, folder_digests(out)))
    sealed.manifest.write(out)
    return out


class Pair(NamedTuple):
    """The folders of two adapters, and what is written beside their verdicts."""

    first: Path
    second: Path
    alone: str
    both: str

    @classmethod
    def of(cls, adapter: Path, folder: Path) -> Self:
        """Copies of an adapter in `folder`: `small`, seldom sure, and `large` behind it."""
        first = with_held_out(adapter, folder / "small", held_out(1, 0.5, lone=0), temperature=1.5)
        second = with_held_out(adapter, folder / "large", held_out(2, 3.0, lone=0), temperature=0.7)
        one, other = map(read_manifest, (first, second))
        return cls(first, second, one.identity, pair_identity(one, other))
