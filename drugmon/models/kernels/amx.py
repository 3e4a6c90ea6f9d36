"""Compiled kernels for scoring in bf16 on CPUs with AMX; `amx.c` says how they do it.

Each takes a third to two thirds of the time of torch's operations for the same.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Final

import torch

from drugmon.models.device import cpu_has_amx

LIBRARY: Final = Path(__file__).with_name("libamx.so")
"""Compiled when drugmon is installed, where there is a C compiler."""

_WIDTH: Final = 32
"""bf16 numbers in a row of an AMX tile."""

_LARGEST: Final = 4096
"""Numbers of a token's states, at most."""


def is_built() -> bool:
    """Whether the kernels were compiled and load."""
    return _library() is not None


def computes(dtype: torch.dtype, hidden: int, heads: int) -> bool:
    """Whether the kernels compute layers of `hidden` numbers with so many heads, here."""
    fits = hidden % (heads * _WIDTH) == 0 and hidden <= _LARGEST
    return dtype == torch.bfloat16 and fits and cpu_has_amx() and is_built()


def attend(qkv: torch.Tensor, starts: torch.Tensor, longest: int, heads: int) -> torch.Tensor:
    """Attention within each review: softmax(q k') v.

    Args:
        qkv: queries, keys and values of all heads, bf16 (n, 3 * hidden), reviews one behind the
            other.
        starts: the first token of each review and the one behind the last, int64 (b + 1,).
        longest: tokens of the longest review, or more.
        heads: how many.

    Returns bf16 (n, hidden), 0 behind the last review.
    """
    tokens, hidden = len(qkv), qkv.shape[1] // 3
    library, size, threads = _loaded(), hidden // heads, torch.get_num_threads()
    memory = torch.empty(threads * library.space_of_thread(longest, size), dtype=torch.uint8)
    qkv, found = qkv.contiguous(), qkv.new_empty(tokens, hidden)
    library.attend(
        *(qkv.data_ptr(), tokens),
        *(starts.data_ptr(), len(starts) - 1, longest),
        *(heads, size),
        *(threads, memory.data_ptr(), found.data_ptr()),
    )
    return found


def add_norm(
    x: torch.Tensor, other: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, eps: float
) -> torch.Tensor:
    """Layer norm of x + `other`, both bf16 (n, size); `weight` and `bias` are float32 (size,)."""
    x, other = x.contiguous(), other.contiguous()
    found = torch.empty_like(x)
    _loaded().add_norm(
        *(x.data_ptr(), other.data_ptr(), *x.shape),
        *(weight.data_ptr(), bias.data_ptr(), eps),
        *(torch.get_num_threads(), found.data_ptr()),
    )
    return found


def gelu_(x: torch.Tensor) -> torch.Tensor:
    """GELU of bf16 numbers, contiguous and a multiple of 16, in place."""
    _loaded().gelu(x.data_ptr(), x.numel(), torch.get_num_threads())
    return x


def _loaded() -> ctypes.CDLL:
    library = _library()
    assert library is not None, "ask `computes` first"
    return library


@cache
def _library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(LIBRARY))  # OpenMP's symbols are those of torch, which is loaded
    except OSError:
        return None
    number, pointer = ctypes.c_int64, ctypes.c_void_p
    library.space_of_thread.argtypes = [number, number]
    library.space_of_thread.restype = number
    library.attend.argtypes = [
        *(pointer, number),
        *(pointer, number, number),
        *(number, number),
        *(number, pointer, pointer),
    ]
    library.add_norm.argtypes = [
        *(pointer, pointer, number, number),
        *(pointer, pointer, ctypes.c_float),
        *(number, pointer),
    ]
    library.gelu.argtypes = [pointer, number, number]
    for kernel in (library.attend, library.add_norm, library.gelu):
        kernel.restype = None
    return library
