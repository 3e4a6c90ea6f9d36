"""Adapter folders of any kind, also with hashes that fit: they score, or are refused in a line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from drugmon.models.adapters.adapter import folder_digests
from drugmon.models.adapters.manifest import Manifest
from drugmon.models.files import (
    CARD,
    HEADS,
    HELD_OUT,
    LEXICON,
    LORA_CONFIG,
    LORA_WEIGHTS,
    MANIFEST,
    RANGES,
    REFERENCE,
    REFERENCE_OF_LIKELIEST,
    SEEN,
)
from tests.fuzzing import QUICK, fuzz, many, odd_values, trial

_FILES = frozenset(
    [
        LORA_CONFIG,
        LORA_WEIGHTS,
        HEADS,
        LEXICON,
        RANGES,
        REFERENCE,
        REFERENCE_OF_LIKELIEST,
        SEEN,
        HELD_OUT,
    ]
)
Change = tuple[str, int, Any]
_changes: st.SearchStrategy[Change] = st.tuples(
    st.sampled_from(["leaf", "leaf", "leaf", "drop", "cut", "bytes", "tensor", "remove", "other"]),
    st.integers(0, 2**20),
    odd_values,
)


def spoil(folder: Path, change: Change) -> None:
    """Change one file of the folder, which one and where by the number."""
    kind, number, value = change
    files = sorted(path for path in folder.iterdir() if path.name != CARD)
    if kind in ("leaf", "drop"):
        files = [path for path in files if path.suffix == ".json"]
    if kind == "tensor":
        files = [path for path in files if path.suffix == ".safetensors"]
    path = files[number % len(files)]
    content = path.read_bytes()
    if kind in ("leaf", "drop"):
        tree = json.loads(content)
        leaves = list(_leaves(tree))
        owner, key = leaves[number // len(files) % len(leaves)]
        if kind == "leaf":
            owner[key] = value
        else:
            del owner[key]
        path.write_text(json.dumps(tree, default=str), encoding="utf-8", errors="replace")
    elif kind == "tensor":
        tensors = load_file(path)
        name = sorted(tensors)[number % len(tensors)]
        tensors[name] = _other_tensor(tensors[name], number)
        save_file(tensors, path)
    elif kind == "remove":
        path.unlink()
    elif kind == "other":
        shutil.copy(files[(number + 1) % len(files)], path)
    else:
        place = number % (len(content) + 1)
        path.write_bytes(content[:place] + (b"" if kind == "cut" else b"\xff{" + content[place:]))


def _other_tensor(tensor: torch.Tensor, number: int) -> torch.Tensor:
    kinds = [
        torch.full_like(tensor, float("nan")) if tensor.is_floating_point() else -tensor - 1,
        tensor.flatten()[:1].clone(),
        torch.zeros(0),
        tensor.to(torch.float16) if tensor.is_floating_point() else tensor.to(torch.float32),
        tensor.unsqueeze(0).clone(),
        torch.full_like(tensor, torch.finfo(tensor.dtype).max)
        if tensor.is_floating_point()
        else tensor + 10**6,
    ]
    return kinds[number % len(kinds)]


def _leaves(tree: Any) -> Any:
    """Every place in a tree: what holds it, and its key."""
    places = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(places):
        yield tree, key
        if isinstance(value, dict | list):
            yield from _leaves(value)


def seal(folder: Path) -> None:
    """Let the manifest say the hashes of what is there, as far as it can be read."""
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["files"] = folder_digests(folder)
        given = dict(content)
        for key in ("format_version", "digest", "targets"):
            given.pop(key, None)
        content["digest"] = Manifest.from_dict(given).digest
        path.write_text(json.dumps(content), encoding="utf-8")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return


def check(changes: list[Change], sealed: bool, adapter: Path) -> None:
    with trial() as one:
        folder = one.folder / "odd"
        shutil.copytree(adapter, folder)
        for change in changes:
            try:
                spoil(folder, change)
            except (ValueError, OverflowError, IndexError, ZeroDivisionError, SafetensorError):
                continue  # what an earlier change left is of no such kind
        if sealed:
            seal(folder)
        one.run("adapters", "show", "odd")
        code, said = one.run("predict", "--adapter", "odd", "useless pills, never again")
        assert code or "nan" not in said.lower()


def test_the_files_are_those_of_an_adapter(adapter: Path) -> None:
    assert {path.name for path in adapter.iterdir()} == _FILES | {MANIFEST, CARD}


@many(QUICK)
@given(changes=st.lists(_changes, min_size=1, max_size=2), sealed=st.booleans())
def test_an_adapter_scores_or_is_refused(
    changes: list[Change], sealed: bool, adapter: Path
) -> None:
    check(changes, sealed, adapter)


@fuzz
@many(1500)
@given(changes=st.lists(_changes, min_size=1, max_size=2), sealed=st.sampled_from([1, 1, 1, 0]))
def test_fifteen_hundred_adapters(changes: list[Change], sealed: bool, adapter: Path) -> None:
    check(changes, sealed, adapter)
