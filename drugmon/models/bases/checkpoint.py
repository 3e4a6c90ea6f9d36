"""A whole fine-tuned checkpoint: all weights with their base's configuration and tokenizer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

COMPANIONS: Final = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "spiece.model",
)
"""What stands beside the weights of a base, as far as it has them; none of it is trained."""


def save_checkpoint(backbone: Any, folder: Path, base: Path) -> None:
    """Write `model.safetensors` in `folder`, with the other files of the folder `base`.

    `from_pretrained` of transformers loads the folder. The configuration is copied, because the one
    that transformers writes forgets that T5 1.1 and Flan-T5 do not tie their embeddings.
    """
    backbone.save_pretrained(folder, safe_serialization=True)
    for name in COMPANIONS:
        (folder / name).unlink(missing_ok=True)
        if (base / name).is_file():
            shutil.copyfile(base / name, folder / name)
