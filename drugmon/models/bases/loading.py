"""How transformers is told to load weights: from this machine, from safetensors, in silence."""

from __future__ import annotations

from typing import Any, Final

LOADING: Final[dict[str, Any]] = {
    "attn_implementation": "sdpa",
    "local_files_only": True,
    "use_safetensors": True,
}


def silence() -> None:
    """No progress bars and no list of left-out weights: a run has its own progress."""
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
