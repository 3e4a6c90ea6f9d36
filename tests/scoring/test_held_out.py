"""Held-out evidence is kept by hashes of the reviews, and comes back as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from drugmon.data.reviews import Texts
from drugmon.errors import AdapterError
from drugmon.models.files import HELD_OUT
from drugmon.scoring.held_out import HeldOutEvidence, joined_evidence, review_hashes
from drugmon.scoring.scores import Evidence

REVIEWS = [
    Texts("It helped within a week", "none", "would take it again", None),
    Texts(None, None, None, "made me &quot;sleepy&quot;"),
    Texts("no change at all", None, None, None),
]


def evidence(n: int, lexical: bool = True) -> Evidence:
    rng = np.random.default_rng(n)
    model = {t: rng.normal(size=(n, 3)).astype(np.float32) for t in ("comments", "overall")}
    return Evidence(model, {t: own - 1 for t, own in model.items()} if lexical else None)


def part(rows: slice, fold: int, lexical: bool = True) -> HeldOutEvidence:
    reviews = REVIEWS[rows]
    labels = {"overall": np.arange(len(reviews)) % 3}
    if fold == 0:
        labels["comments"] = np.full(len(reviews), -1)
    return HeldOutEvidence.of(reviews, evidence(len(reviews), lexical), labels, fold)


@pytest.mark.parametrize("lexical", [True, False])
def test_what_is_saved_is_read_back(tmp_path: Path, lexical: bool) -> None:
    saved = joined_evidence([part(slice(0, 2), 0, lexical), part(slice(2, 3), 1, lexical)])
    saved.save(tmp_path)
    read = HeldOutEvidence.load(tmp_path)
    assert len(read) == 3
    assert read.fold.tolist() == [0, 0, 1]
    assert read.texts.tolist() == [
        [True, True, True, True],
        [False, False, False, True],
        [True, False, False, True],
    ]
    assert read.labels["overall"].tolist() == [0, 1, 0]
    assert read.labels["comments"].tolist() == [-1, -1, -1], "a part without them knows none"
    for target in ("comments", "overall"):
        np.testing.assert_array_equal(read.evidence.model[target], saved.evidence.model[target])
    assert (read.evidence.lexical is not None) is lexical
    assert b"sleepy" not in (tmp_path / HELD_OUT).read_bytes()


def test_a_copy_is_found_by_its_cleaned_texts() -> None:
    kept = joined_evidence([part(slice(0, 2), 0), part(slice(2, 3), 1)])
    copy = Texts(" ", None, None, '  made me "sleepy" ')
    other = Texts(None, None, "made me sleepy", None)
    assert kept.rows_of(review_hashes([copy, other, REVIEWS[2]])).tolist() == [1, -1, 2]
    taken = kept.take(np.array([2]))
    assert taken.rows_of(review_hashes(REVIEWS)).tolist() == [-1, -1, 0]


def test_a_missing_and_a_damaged_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match=r"has no held-out\.safetensors.*train it again"):
        HeldOutEvidence.load(tmp_path)
    (tmp_path / HELD_OUT).write_bytes(b"no such thing")
    with pytest.raises(AdapterError, match=r"held-out\.safetensors is damaged .*restore it"):
        HeldOutEvidence.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("hashes", lambda tensor: tensor[:1]),
        ("hashes", lambda tensor: tensor.astype(np.float32)),
        ("fold", lambda tensor: tensor[:, None]),
        ("texts", lambda tensor: tensor[:, :3]),
        ("model.overall", lambda tensor: tensor[:, :2]),
        ("model.overall", lambda tensor: tensor * np.float32(np.nan)),
        ("model.mood", lambda _tensor: np.zeros((2, 3), np.float32)),
        ("lexical.benefits", lambda _tensor: np.zeros((2, 3), np.float32)),
        ("labels.overall", lambda tensor: tensor + 3),
        ("labels.overall", lambda tensor: tensor[:1]),
    ],
)
def test_what_cannot_be_is_told_whoever_sealed_it(tmp_path: Path, name: str, spoil: Any) -> None:
    part(slice(0, 2), 0).save(tmp_path)
    tensors = load_file(tmp_path / HELD_OUT)
    tensors[name] = np.ascontiguousarray(spoil(tensors.get(name)))
    save_file(tensors, tmp_path / HELD_OUT)
    with pytest.raises(AdapterError, match=r"held-out\.safetensors is damaged .*restore it"):
        HeldOutEvidence.load(tmp_path)
