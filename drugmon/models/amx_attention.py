"""Self-attention in a compiled kernel, on CPUs with AMX; `amx_attention.c` says how.

It takes a third to a half of the time of torch's operations, fused or not.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Final

import torch
from torch.nn import functional

LIBRARY: Final = Path(__file__).with_name("libamx_attention.so")
"""Compiled when drugmon is installed, where there is a C compiler."""

_WIDTH: Final = 32
"""bf16 numbers in a row of an AMX tile."""

_STEP: Final = 64
"""Tokens of a batch are filled up to a multiple of it: the layers around attention prepare a kernel
for each number of tokens, which takes as long as some twenty tokens."""


def cpu_has_amx() -> bool:
    """Whether this CPU has AMX and the system lets this process use it."""
    return bool(torch.cpu._is_amx_tile_supported() and torch.cpu._init_amx())


def is_built() -> bool:
    """Whether the kernel was compiled and loads."""
    return _library() is not None


def attends(dtype: torch.dtype, size: int) -> bool:
    """Whether the kernel computes attention of `dtype`, with heads of `size` numbers, here."""
    return dtype == torch.bfloat16 and size % _WIDTH == 0 and cpu_has_amx() and is_built()


class Packing:
    """Reviews of a batch one behind the other, without padding.

    Args:
        kept: bool (b, L), false at the end of reviews that are shorter than the longest.
    """

    def __init__(self, kept: torch.Tensor) -> None:
        self._shape = kept.shape
        self._places = kept.flatten().nonzero().squeeze(1)
        self.starts = functional.pad(kept.sum(dim=1).cumsum(dim=0), (1, 0))
        """The first token of each review and the one behind the last, int64 (b + 1,)."""

    @property
    def longest(self) -> int:
        """Tokens of the longest review, or more."""
        return self._shape[1]

    def pack(self, values: torch.Tensor) -> torch.Tensor:
        """Values (b, L) of the tokens (n,), behind them zeros up to a multiple of `_STEP`."""
        return functional.pad(values.flatten()[self._places], (0, -len(self._places) % _STEP))

    def unpack(self, states: torch.Tensor) -> torch.Tensor:
        """States (n, hidden) as (b, L, hidden), 0 at padding."""
        found = states.new_zeros(self._shape.numel(), states.shape[1])
        found[self._places] = states[: len(self._places)]
        return found.view(*self._shape, -1)


class AttendByAmx:
    """Attention within each review, all heads.

    Args:
        heads: how many.
    """

    def __init__(self, heads: int) -> None:
        self._heads = heads

    def plan(self, kept: torch.Tensor) -> Packing:
        """How the tokens of a batch lie."""
        return Packing(kept)

    def __call__(self, qkv: torch.Tensor, plan: Packing) -> torch.Tensor:
        """Return bf16 (n, hidden) of queries, keys and values bf16 (n, 3 * hidden)."""
        tokens, hidden = len(qkv), qkv.shape[1] // 3
        library, size = _loaded(), hidden // self._heads
        threads = torch.get_num_threads()
        each = library.space_of_thread(plan.longest, size)
        memory = torch.empty(threads * each, dtype=torch.uint8)
        found = torch.empty(tokens, hidden, dtype=torch.bfloat16)
        library.attend(
            *(qkv.contiguous().data_ptr(), tokens),
            *(plan.starts.data_ptr(), len(plan.starts) - 1, plan.longest),
            *(self._heads, size),
            *(threads, memory.data_ptr(), found.data_ptr()),
        )
        return found


def _loaded() -> ctypes.CDLL:
    library = _library()
    assert library is not None, "ask `attends` first"
    return library


@cache
def _library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(LIBRARY))  # OpenMP's symbols are those of torch, which is loaded
    except OSError:
        return None
    library.space_of_thread.argtypes = [ctypes.c_int64] * 2
    library.space_of_thread.restype = ctypes.c_int64
    library.attend.argtypes = [
        *(ctypes.c_void_p, ctypes.c_int64),
        *(ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64),
        *(ctypes.c_int64, ctypes.c_int64),
        *(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p),
    ]
    library.attend.restype = None
    return library
