"""Every kind of encoder, from the first command to the last: train, verify, score, evaluate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

from drugmon.data.reviews import Texts
from drugmon.errors import BaseModelError
from drugmon.models.adapters.adapter import open_adapter
from drugmon.models.bases.bases import resolve_base
from drugmon.models.classifiers.encoder import Encoder
from drugmon.models.device import choose_compute
from drugmon.models.files import CARD
from tests.tiny_encoders import KINDS, POSITIONS, make_encoder, save_tokenizer

SETTINGS = (
    *("lora.r=2", f"model.max_length={POSITIONS}", "train.epochs=1", "train.batch_size=16"),
    *("lexical.min_df=1", "split.folds=0", "split.dev=0.4", "split.test=0", "split.refit=false"),
)


@pytest.fixture(name="few")
def _few(labelled: Path, tmp_path: Path) -> Path:
    """Forty labelled reviews."""
    path = tmp_path / "few.csv"
    path.write_text(
        "".join(labelled.read_text(encoding="utf-8").splitlines(keepends=True)[:41]), "utf-8"
    )
    return path


@pytest.fixture(name="train")
def _train(drugmon: Callable[..., Any], few: Path, tmp_path: Path) -> Callable[[Path], Path]:
    def run(base: Path) -> Path:
        settings = [word for own in SETTINGS for word in ("--set", own)]
        out = tmp_path / "trained"
        options = ("--set", f"base.name={base}", *settings, "--device", "cpu", "--quiet")
        done = drugmon("train", few, "--out", out, *options)
        assert done.code == 0, done.err
        return out

    return run


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoder_works_from_the_first_command_to_the_last(
    kind: str,
    drugmon: Callable[..., Any],
    train: Callable[[Path], Path],
    few: Path,
    tmp_path: Path,
) -> None:
    adapter = train(make_encoder(kind, tmp_path / "base"))
    card = (adapter / CARD).read_text(encoding="utf-8")
    assert f"| LoRA changes | {', '.join(KINDS[kind].layers)} |" in card
    scored = tmp_path / "scored.parquet"
    for arguments in (
        ("adapters", "verify", adapter),
        ("score", few, "--adapter", adapter, "--out", scored, "--quiet"),
        ("evaluate", few, "--adapter", adapter, "--quiet"),
    ):
        done = drugmon(*arguments)
        assert done.code == 0, (arguments, done.err)
    assert pq.read_table(scored)["overall_sentiment"].null_count == 0
    _assert_peft_gives_the_same(adapter)


def _assert_peft_gives_the_same(adapter: Path) -> None:
    """The states that drugmon scores from are those of the plain libraries, also beside padding."""
    from peft import PeftModel
    from transformers import AutoModel

    opened = open_adapter(str(adapter))
    loaded = opened.load(choose_compute("cpu", "fp32"))
    base: Any = AutoModel.from_pretrained(opened.base().folder, dtype=torch.float32)
    plain = PeftModel.from_pretrained(base, str(adapter)).eval()
    reviews = [Texts("useless", "some", "so so", None), Texts("wonderful " * 60, None, None, None)]
    batch: Any = loaded.classifier.collate(loaded.classifier.prepare(reviews).items)
    assert batch.ids.shape[1] == POSITIONS, "every position that the base has is used"
    with torch.inference_mode():
        own, pefts = (
            model(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
            for model in (loaded.model.backbone, plain)
        )
    there = batch.mask > 0
    torch.testing.assert_close(own[there], pefts[there], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta", "mpnet", "longformer"])
def test_a_length_beyond_the_usable_positions_is_refused_before_anything_is_read(
    kind: str, drugmon: Callable[..., Any], tmp_path: Path
) -> None:
    base = make_encoder(kind, tmp_path / "base")
    length = ("--set", f"model.max_length={POSITIONS + 1}")
    options = ("--set", f"base.name={base}", *length, "--out", tmp_path / "out")
    done = drugmon("train", tmp_path / "missing.csv", *options)
    assert done.code == 1
    assert f"base base reads at most {POSITIONS} tokens; max_length is {POSITIONS + 1}" in done.err


def test_another_framing_of_texts_is_refused(tmp_path: Path) -> None:
    """XLNet has both of its special tokens behind the text."""
    base = make_encoder("bert", tmp_path / "base")
    save_tokenizer(base, KINDS["bert"].special, "$A [SEP] [CLS]")
    with pytest.raises(
        BaseModelError,
        match=r"base base: its tokenizer reads .good. as .* \[SEP\] \[CLS\]; drugmon",
    ):
        Encoder(resolve_base(str(base)), POSITIONS)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    base = make_encoder("bert", tmp_path / "base")
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    (base / "config.json").write_text(json.dumps(config | {"vocab_size": 9}), encoding="utf-8")
    with pytest.raises(BaseModelError, match="tokens, its weights have 9; the folder mixes two"):
        Encoder(resolve_base(str(base)), POSITIONS)
