from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from drugmon.data.reviews import Texts
from drugmon.errors import BaseModelError
from drugmon.labels import LABELS, TARGETS
from drugmon.models.adapters.lora import add_lora
from drugmon.models.bases.bases import resolve_base
from drugmon.models.classifiers.factory import make_classifier
from drugmon.models.classifiers.seq2seq import Seq2Seq, Seq2SeqModel

LEVELS = dict.fromkeys(TARGETS, LABELS)
REVIEWS = [
    Texts("useless", None, "none at all", None),
    Texts("wonderful " * 15, "some", "recommended " * 9, None),
    Texts(None, None, None, "a lone text"),
]


def load(folder: Path) -> tuple[Seq2Seq, Any]:
    classifier = make_classifier(resolve_base(str(folder)), 64)
    assert isinstance(classifier, Seq2Seq)
    model: Seq2SeqModel = classifier.model(classifier.load_backbone(), LEVELS)
    return classifier, model.eval().requires_grad_(False)


@pytest.fixture(name="tied")
def _tied(tiny_t5: Path, tmp_path: Path) -> Path:
    """The same base as T5 1.0 would be: input and output embeddings are one matrix."""
    from transformers import T5Config, T5ForConditionalGeneration

    folder = Path(shutil.copytree(tiny_t5, tmp_path / "tied"))
    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    values = {**values, "tie_word_embeddings": True, "scale_decoder_outputs": True}
    torch.manual_seed(1)
    T5ForConditionalGeneration(T5Config.from_dict(values)).save_pretrained(folder)
    return folder


def generated_logits(model: Any, prompts: Any) -> torch.Tensor:
    """What transformers' own forward says of the label words, prompt by prompt."""
    words = model.get_buffer("label_ids")
    rows = [
        model.backbone(
            input_ids=torch.tensor([prompt]), decoder_input_ids=torch.tensor([[0]])
        ).logits[0, 0, words]
        for prompt in prompts
    ]
    return torch.stack(rows)


@pytest.mark.parametrize("kind", ["tiny_t5", "tied"])
def test_one_step_is_transformers_own_forward(kind: str, request: pytest.FixtureRequest) -> None:
    classifier, model = load(request.getfixturevalue(kind))
    assert model.backbone.config.scale_decoder_outputs is (kind == "tied")
    prompts = classifier.prepare(REVIEWS).items
    found = model(classifier.collate(prompts))
    assert set(found) == set(TARGETS)
    expected = generated_logits(model, prompts)
    torch.testing.assert_close(found["overall"], expected, atol=1e-4, rtol=1e-4)


def test_untied_output_embeddings_are_the_files_own(tiny_t5: Path) -> None:
    from safetensors.torch import load_file

    weights = load_file(tiny_t5 / "model.safetensors")
    _, model = load(tiny_t5)
    assert torch.equal(model.backbone.lm_head.weight, weights["lm_head.weight"])
    assert not torch.equal(weights["lm_head.weight"], weights["shared.weight"])


def test_prompt_alone_and_in_a_padded_batch_is_the_same(tiny_t5: Path) -> None:
    classifier, model = load(tiny_t5)
    prompts = classifier.prepare(REVIEWS).items
    together = model(classifier.collate(prompts))["overall"]
    backwards = model(classifier.collate(prompts[::-1]))["overall"].flip(0)
    torch.testing.assert_close(together, backwards, atol=1e-5, rtol=1e-4)
    for row, prompt in enumerate(prompts):
        alone = model(classifier.collate([prompt]))["overall"][0]
        torch.testing.assert_close(alone, together[row], atol=2e-5, rtol=1e-4)


def test_what_padding_holds_does_not_matter(tiny_t5: Path) -> None:
    classifier, model = load(tiny_t5)
    batch = classifier.collate(classifier.prepare(REVIEWS).items)
    expected = model(batch)["overall"]
    batch.ids[batch.mask == 0] = 77
    torch.testing.assert_close(model(batch)["overall"], expected)


def test_probabilities_are_those_of_the_three_words(tiny_t5: Path) -> None:
    _, model = load(tiny_t5)
    logits = torch.tensor([[1.0, 2.0, 3.0]])
    found = model.label_log_probs(logits, "overall")
    torch.testing.assert_close(found, logits.log_softmax(dim=1))


def test_lora_in_the_backbone_changes_nothing_before_it_is_trained(tiny_t5: Path) -> None:
    classifier, model = load(tiny_t5)
    batch = classifier.collate(classifier.prepare(REVIEWS).items)
    expected = model(batch)["overall"]
    lora = add_lora(
        classifier.load_backbone(), r=2, alpha=4, dropout=0, target_modules=["q", "v"], bias=True
    )
    wrapped = classifier.model(lora, LEVELS).eval()
    torch.testing.assert_close(wrapped(batch)["overall"], expected)
    trained = [name for name, p in wrapped.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)


def test_shards_are_loaded(tiny_t5: Path, tmp_path: Path) -> None:
    classifier, model = load(tiny_t5)
    folder = Path(shutil.copytree(tiny_t5, tmp_path / "sharded"))
    (folder / "model.safetensors").unlink()
    model.backbone.save_pretrained(folder, max_shard_size="100KB")
    shutil.copy(tiny_t5 / "config.json", folder / "config.json")
    assert len(list(folder.glob("*.safetensors"))) > 1
    batch = classifier.collate(classifier.prepare(REVIEWS).items)
    _, sharded = load(folder)
    assert torch.equal(sharded(batch)["overall"], model(batch)["overall"])


def test_mixed_folder_is_refused(tiny_t5: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_t5, tmp_path / "mixed"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": 50}), encoding="utf-8")
    with pytest.raises(BaseModelError, match="more tokens than its weights"):
        make_classifier(resolve_base(str(folder)), 64)


def test_mt5_is_one_of_the_family(tiny_t5: Path, tmp_path: Path) -> None:
    from transformers import MT5Config, MT5ForConditionalGeneration

    folder = Path(shutil.copytree(tiny_t5, tmp_path / "mt5"))
    config = MT5Config(vocab_size=600, d_model=32, d_kv=8, d_ff=64, num_heads=4, num_layers=2)
    MT5ForConditionalGeneration(config).save_pretrained(folder)
    classifier, model = load(folder)
    prompts = classifier.prepare(REVIEWS).items
    found = model(classifier.collate(prompts))["overall"]
    expected = generated_logits(model, prompts)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
