"""Random encoders of one narrow layer, of every architecture, with a tokenizer framed as theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import torch

WORDS: Final = (
    *("useless", "so", "wonderful", "awful", "some", "none", "at", "all", "never", "again"),
    *("mixed", "feelings", "recommended", "number", *"0123456789"),
)
POSITIONS: Final = 48
_BERTS: Final = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_ROBERTAS: Final = ("<s>", "<pad>", "</s>", "<unk>")


class Kind(NamedTuple):
    """How transformers names an architecture, how texts are framed, and what LoRA changes of it.

    `special` are the tokens that pad and stand for unknown words, then first and last of a text.
    """

    config: str
    special: tuple[str, str, str, str]
    layers: tuple[str, ...]
    options: dict[str, Any]


_BERT_LAYERS: Final = ("dense", "key", "query", "value")
_SIZES: Final[dict[str, Any]] = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": POSITIONS,
}
_BEHIND: Final = {**_SIZES, "max_position_embeddings": POSITIONS + 2, "pad_token_id": 1}
_ROBERTA_SPECIAL: Final = ("<pad>", "<unk>", "<s>", "</s>")

KINDS: Final[dict[str, Kind]] = {
    "bert": Kind("BertConfig", ("[PAD]", "[UNK]", "[CLS]", "[SEP]"), _BERT_LAYERS, _SIZES),
    "roberta": Kind("RobertaConfig", _ROBERTA_SPECIAL, _BERT_LAYERS, _BEHIND),
    "xlm-roberta": Kind("XLMRobertaConfig", _ROBERTA_SPECIAL, _BERT_LAYERS, _BEHIND),
    "mpnet": Kind("MPNetConfig", _ROBERTA_SPECIAL, ("dense", "k", "o", "q", "v"), _BEHIND),
    "longformer": Kind(
        "LongformerConfig", _ROBERTA_SPECIAL, _BERT_LAYERS, {**_BEHIND, "attention_window": [8]}
    ),
    "electra": Kind(
        "ElectraConfig",
        ("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
        ("dense", "embeddings_project", "key", "query", "value"),
        {**_SIZES, "embedding_size": 16},
    ),
    "albert": Kind(
        "AlbertConfig",
        ("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
        (
            *("dense", "embedding_hidden_mapping_in", "ffn", "ffn_output"),
            *("key", "query", "value"),
        ),
        {**_SIZES, "embedding_size": 16},
    ),
    "distilbert": Kind(
        "DistilBertConfig",
        ("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
        ("k_lin", "lin1", "lin2", "out_lin", "q_lin", "v_lin"),
        {
            "dim": 32,
            "n_layers": 1,
            "n_heads": 2,
            "hidden_dim": 48,
            "max_position_embeddings": POSITIONS,
        },
    ),
    "deberta": Kind(
        "DebertaConfig",
        ("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
        ("dense", "in_proj", "pos_proj", "pos_q_proj"),
        {
            **_SIZES,
            "relative_attention": True,
            "pos_att_type": ["c2p", "p2c"],
            "position_biased_input": False,
        },
    ),
    "deberta-v2": Kind(
        "DebertaV2Config",
        ("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
        ("dense", "key_proj", "query_proj", "value_proj"),
        {
            **_SIZES,
            "relative_attention": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_buckets": 16,
            "share_att_key": True,
            "position_biased_input": False,
        },
    ),
    "modernbert": Kind(
        "ModernBertConfig",
        ("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
        ("Wi", "Wo", "Wqkv"),
        {
            **_SIZES,
            "num_hidden_layers": 2,
            "pad_token_id": 0,
            "cls_token_id": 2,
            "sep_token_id": 3,
            "bos_token_id": 2,
            "eos_token_id": 3,
        },
    ),
}


def make_encoder(kind: str, folder: Path, **changes: Any) -> Path:
    """Write the tiny random encoder of a kind into `folder`, as its makers publish theirs.

    `changes` are values of its configuration.
    """
    import transformers

    config_class, special, _, options = KINDS[kind]
    save_tokenizer(folder, special)
    torch.manual_seed(0)
    options = {"vocab_size": len(_vocabulary(special)), **options, **changes}
    config = getattr(transformers, config_class)(**options)
    auto: Any = transformers.AutoModel
    auto.from_config(config).save_pretrained(folder)
    return folder


def save_tokenizer(folder: Path, special: tuple[str, str, str, str], frame: str = "") -> None:
    """Write a `tokenizer.json` of whole words; `frame` is a template, by default one around."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = _vocabulary(special)
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=special[1]))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    first, last = special[2:]
    tokenizer.post_processor = processors.TemplateProcessing(
        frame or f"{first} $A {last}", None, [(token, vocabulary[token]) for token in special[2:]]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))


def _vocabulary(special: tuple[str, str, str, str]) -> dict[str, int]:
    order = _BERTS if special[0] == "[PAD]" else _ROBERTAS
    return {token: number for number, token in enumerate((*order, *WORDS))}
