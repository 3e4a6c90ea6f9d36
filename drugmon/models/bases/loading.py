"""Making transformers' model of a base: its verified weights, all of them, in silence."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from drugmon.errors import BaseModelError
from drugmon.models.bases.architectures import MODELS
from drugmon.models.bases.bases import Base
from drugmon.models.bases.weights import read_weights

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

_POOLER = "pooler."


def load_encoder(base: Base, dtype: torch.dtype, attention: str | None = None) -> nn.Module:
    """The encoder of `base`, without the pooler and with its own dropouts off.

    Dropout inside the attention keeps torch from its fused kernel, and LoRA's few parameters need
    less of it than full fine-tuning; the heads have their own.

    Args:
        base: what to load.
        dtype: of the weights.
        attention: a name that transformers knows; None for the best that the type supports.

    Raises:
        BaseModelError: transformers cannot make the model, or weights are missing.
    """
    import transformers

    config = _config(base)
    for name, value in config.to_dict().items():
        if "dropout" in name and isinstance(value, float):
            setattr(config, name, 0.0)
    class_name = MODELS.get(base.model_type)
    kind = (
        getattr(transformers, class_name)
        if class_name
        else _class_of(transformers.AutoModel, config)
    )
    model: Any = _load(kind, base, config, dtype, attention)
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    return model  # type: ignore[no-any-return]


def load_seq2seq(base: Base, dtype: torch.dtype) -> nn.Module:
    """The seq2seq model of `base`, with its own dropout.

    Raises:
        BaseModelError: transformers cannot make the model, or weights are missing.
    """
    import transformers

    config = _config(base)
    kind = _class_of(transformers.AutoModelForSeq2SeqLM, config)
    return _load(kind, base, config, dtype, None)


def silence() -> None:
    """No progress bars and no list of left-out weights: a run has its own progress."""
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _config(base: Base) -> PreTrainedConfig:
    from transformers import AutoConfig

    silence()
    config: PreTrainedConfig = AutoConfig.from_pretrained(
        str(base.folder), local_files_only=True, trust_remote_code=False
    )
    return config


def _class_of(auto: Any, config: PreTrainedConfig) -> type[PreTrainedModel]:
    """The class that one of transformers' auto classes takes for a configuration."""
    with torch.device("meta"):  # no memory, no random numbers
        return type(auto.from_config(config, trust_remote_code=False))


def _load(
    kind: Any,
    base: Base,
    config: PreTrainedConfig,
    dtype: torch.dtype,
    attention: str | None,
) -> nn.Module:
    """Hand it the weights that were read: on its own it might take other files of the folder."""
    options: dict[str, Any] = {"attn_implementation": attention} if attention else {}
    if "add_pooling_layer" in inspect.signature(kind.__init__).parameters:
        options["add_pooling_layer"] = False
    try:
        model, report = kind.from_pretrained(
            None,
            config=config,
            state_dict=read_weights(base.folder),
            dtype=dtype,
            output_loading_info=True,
            **options,
        )
    except (RuntimeError, ValueError, ImportError) as error:
        said = " ".join(str(error).split())[:200]
        raise BaseModelError(f"base {base.name} cannot be loaded: {said}") from error
    # It would start them at random, and say so only in a log.
    missing = sorted(key for key in report["missing_keys"] if not key.startswith(_POOLER))
    if missing:
        raise BaseModelError(f"the weights of base {base.name} lack {missing[0]}: restore them")
    return model  # type: ignore[no-any-return]
