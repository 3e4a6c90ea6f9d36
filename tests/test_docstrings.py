"""What docstrings tell: arguments where there are many, and the shapes of arrays."""

from __future__ import annotations

import ast
from pathlib import Path

from benchmarks.house import (
    Module,
    has_arrays,
    has_many,
    lacking,
    read,
    tells_arguments,
    tells_shapes,
)

MODULES = read(Path(__file__).resolve().parents[1])
UNTOLD = """
def compare(a: Tensor, b: Tensor, c: int, d: int) -> Tensor:
    "Nothing of them."
def _inner(a: Tensor, b: Tensor, c: int, d: int) -> Tensor:
    "No public function."
def told(a: Tensor, b: Tensor, c: int, d: int) -> Tensor:
    "Of (n, 3). Args: all four."
"""


def test_four_arguments_are_told_of() -> None:
    assert len(MODULES) > 300
    assert lacking(MODULES, has_many, tells_arguments) == []


def test_arrays_have_shapes() -> None:
    assert lacking(MODULES, has_arrays, tells_shapes) == []


def test_what_is_untold_is_found() -> None:
    modules = {"m": Module("m", ast.parse(UNTOLD), 6)}
    assert lacking(modules, has_many, tells_arguments) == ["m:compare"]
    assert lacking(modules, has_arrays, tells_shapes) == ["m:compare"]
