from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from drugmon.data.reviews import Texts
from drugmon.errors import BaseModelError
from drugmon.grading import Grading
from drugmon.labels import TARGETS
from drugmon.models.bases.bases import resolve_base
from drugmon.models.classifiers.encoder import Encoder, EncoderModel
from drugmon.models.tokens.inputs import collate

RATINGS = tuple(Grading().rating.values())
LEVELS = dict.fromkeys(TARGETS, RATINGS)
REVIEWS = [
    Texts("useless", None, None, None),
    Texts("wonderful " * 15, "none at all", "recommended " * 9, None),
    Texts(None, None, None, "a lone text"),
    Texts(None, None, None, None),
]


@pytest.fixture(name="encoder")
def _encoder(tiny_base: Path) -> Encoder:
    return Encoder(resolve_base(str(tiny_base)), 64)


@pytest.fixture(name="model")
def _model(encoder: Encoder) -> EncoderModel:
    torch.manual_seed(0)
    model = EncoderModel(encoder.load_backbone(), encoder.hidden, LEVELS, head_dropout=0.5)
    return model.eval().requires_grad_(False)


def test_review_alone_and_in_a_padded_batch_is_the_same(
    encoder: Encoder, model: EncoderModel
) -> None:
    encoded = encoder.prepare(REVIEWS).items
    together = model(encoder.collate(encoded))
    for row, review in enumerate(encoded):
        alone = model(encoder.collate([review]))
        for target, logits in alone.items():
            torch.testing.assert_close(logits[0], together[target][row], atol=2e-5, rtol=1e-4)


def test_what_padding_holds_does_not_matter(encoder: Encoder, model: EncoderModel) -> None:
    encoded = encoder.prepare(REVIEWS).items
    zeros, sevens = (model(collate(encoded, pad)) for pad in (0, 7))
    for target, logits in zeros.items():
        torch.testing.assert_close(logits, sevens[target], atol=2e-5, rtol=1e-4)


def test_levels_fold_into_labels(model: EncoderModel) -> None:
    logits = torch.randn(5, 10)
    found = model.label_log_probs(logits, "overall").exp()
    shares = logits.softmax(dim=1)
    for label, own in enumerate((slice(0, 4), slice(4, 6), slice(6, 10))):
        torch.testing.assert_close(found[:, label], shares[:, own].sum(dim=1))


def test_label_without_a_level_is_improbable_but_finite(encoder: Encoder) -> None:
    model = EncoderModel(encoder.load_backbone(), encoder.hidden, {"overall": ("negative",) * 3})
    found = model.label_log_probs(torch.zeros(1, 3), "overall")
    assert torch.isfinite(found).all()
    assert found.exp()[0].tolist() == pytest.approx([1, 0, 0], abs=1e-6)


def test_segments_mean_their_own_tokens() -> None:
    states = torch.arange(24, dtype=torch.float32).reshape(1, 6, 4)
    segments = torch.tensor([[0, 1, 1, 0, 3, 0]])
    means = EncoderModel._segment_means(states, segments)[0] / 8
    torch.testing.assert_close(means[0], states[0, 1:3].mean(dim=0))
    assert not means[1].any(), "an empty aspect is zeros"
    torch.testing.assert_close(means[2], states[0, 4])
    torch.testing.assert_close(means[3], states[0, [1, 2, 4]].mean(dim=0))


def test_half_precision_backbone_feeds_float32_heads(encoder: Encoder) -> None:
    model = EncoderModel(encoder.load_backbone(torch.bfloat16), encoder.hidden, LEVELS)
    logits = model(encoder.collate(encoder.prepare(REVIEWS).items))
    assert {value.dtype for value in logits.values()} == {torch.float32}


def test_backbone_has_no_dropout_of_its_own(encoder: Encoder, model: EncoderModel) -> None:
    backbone = model.backbone.train()
    batch = encoder.collate(encoder.prepare(REVIEWS).items)
    first, again = (
        backbone(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state for _ in range(2)
    )
    torch.testing.assert_close(first, again)


def test_length_beyond_the_base_is_refused(tiny_base: Path) -> None:
    with pytest.raises(BaseModelError, match="reads at most 128 tokens; max_length is 129"):
        Encoder(resolve_base(str(tiny_base)), 129)


def test_base_that_is_no_encoder_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_base, tmp_path / "other"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"is_encoder_decoder": True, "model_type": "t5"}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(BaseModelError, match=r"base other \(t5\) is not an encoder"):
        Encoder(resolve_base(str(folder)), 64)


def test_pad_id_is_the_bases(tiny_base: Path, encoder: Encoder) -> None:
    config = json.loads((tiny_base / "config.json").read_text(encoding="utf-8"))
    assert encoder.pad_id == config["pad_token_id"]
    assert np.int64(encoder.hidden) == config["hidden_size"]
