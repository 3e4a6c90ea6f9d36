"""What drugmon has to know of an encoder's architecture before its weights are loaded.

Other encoders than those named here work too, by way of what transformers makes of their
configuration; these load without asking for every architecture's mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from drugmon.errors import BaseModelError
from drugmon.models.bases.bases import Base, BaseConfig

MODELS: Final[Mapping[str, str]] = {
    "albert": "AlbertModel",
    "bert": "BertModel",
    "camembert": "CamembertModel",
    "deberta": "DebertaModel",
    "deberta-v2": "DebertaV2Model",
    "distilbert": "DistilBertModel",
    "electra": "ElectraModel",
    "modernbert": "ModernBertModel",
    "mpnet": "MPNetModel",
    "roberta": "RobertaModel",
    "xlm-roberta": "XLMRobertaModel",
}
"""The class in transformers, by the model type that a configuration names."""

BEHIND_PADDING: Final = frozenset(
    {
        *("camembert", "data2vec-text", "esm", "ibert", "longformer", "luke", "mpnet"),
        *("roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "xmod"),
    }
)
"""Types whose positions are counted from behind the padding id: that many fewer can be used."""

_READ: Final = ("hidden_size", "max_position_embeddings", "pad_token_id", "vocab_size")


@dataclass(frozen=True)
class EncoderShape:
    """Sizes of an encoder.

    Args:
        hidden: the width of its token states.
        positions: tokens that it can read at once, special ones included; None for any number.
        first_position: the number of a text's first position.
        pad_id: the token that fills up a batch.
        vocabulary: how many tokens have an embedding.
    """

    hidden: int
    positions: int | None
    first_position: int
    pad_id: int
    vocabulary: int


def encoder_shape(base: Base) -> EncoderShape:
    """The sizes of `base`, by its configuration and the defaults of its type.

    Raises:
        BaseModelError: it is no encoder.
    """
    config = base.config
    if config.get("is_encoder_decoder"):
        raise _no_encoder(base)
    if not all(config.get(key) is not None for key in _READ):
        config = _complete(base)
    if config["hidden_size"] is None:
        raise _no_encoder(base)
    pad_id = int(config["pad_token_id"] or 0)
    positions = int(config["max_position_embeddings"] or 0)
    first = pad_id + 1 if base.model_type in BEHIND_PADDING else 0
    return EncoderShape(
        hidden=int(config["hidden_size"]),
        # transformers says -1 of types that know no longest text.
        positions=positions - first if positions > 0 else None,
        first_position=first,
        pad_id=pad_id,
        vocabulary=int(config["vocab_size"] or 0),
    )


def _complete(base: Base) -> BaseConfig:
    """What of `_READ` transformers knows, by the names that every type has them under there."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(
            str(base.folder), local_files_only=True, trust_remote_code=False
        )
    except (ValueError, OSError) as error:  # an unknown type, or values that will not do
        raise BaseModelError(
            f"base {base.name}: transformers does not know its type {base.model_type!r}: "
            "name another base"
        ) from error
    return cast(BaseConfig, {key: getattr(config, key, None) for key in _READ})


def _no_encoder(base: Base) -> BaseModelError:
    kind = base.model_type or "unknown type"
    return BaseModelError(f"base {base.name} ({kind}) is not an encoder")
