from __future__ import annotations

import json
from pathlib import Path

import pytest

from drugmon.data.reviews import Texts
from drugmon.models.bases.bases import resolve_base
from drugmon.training.reviews.masking import Masker, is_sentiment_word, mask_of

GOOD = "Good and bad, great and awful: it was no worse than I hoped."
REVIEW = Texts(GOOD, "It was blue.", None, None)


@pytest.mark.parametrize(
    ("word", "expected"),
    [("Good", True), ("awful", True), ("useless", True), ("tablet", False), ("the", False)],
)
def test_words_of_the_lexicon(word: str, expected: bool) -> None:
    assert is_sentiment_word(word) is expected


def test_a_share_of_the_sentiment_words_is_hidden_and_nothing_else() -> None:
    (masked,) = Masker("[MASK]", 0.5, seed=0)([REVIEW])
    assert masked is not None
    assert masked.side_effects == REVIEW.side_effects, "no word there carries sentiment"
    assert masked.comments is None
    words, before = str(masked.benefits).split(), GOOD.split()
    changed = [old for old, new in zip(before, words, strict=True) if old != new]
    # Six are known: good, bad, great, awful, worse, hoped (and "no").
    assert all(is_sentiment_word(word.strip(",:.")) for word in changed)
    assert str(masked.benefits).count("[MASK]") == len(changed)
    assert 2 <= len(changed) <= 4


def test_all_of_them_can_be_hidden_and_one_always_is() -> None:
    (whole,) = Masker("[MASK]", 1, seed=0)([REVIEW])
    (least,) = Masker("[MASK]", 0.01, seed=0)([REVIEW])
    assert whole is not None
    assert least is not None
    assert not any(is_sentiment_word(word.strip(",:.")) for word in str(whole.benefits).split())
    assert str(least.benefits).count("[MASK]") == 1


def test_the_seed_decides() -> None:
    many = [REVIEW] * 6
    first, again, other = (Masker("[MASK]", 0.3, seed)(many) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(set(first)) > 1, "copies of one review differ"


def test_nothing_to_hide_is_none() -> None:
    assert Masker("[MASK]", 1, 0)([Texts("It was blue.", " ", None, None)]) == [None]


def test_without_a_mask_words_are_left_out_but_never_a_whole_text() -> None:
    (masked,) = Masker("", 1, 0)([Texts("It was good, truly blue.", "Great", None, None)])
    assert masked == Texts("It was , blue.", "Great", None, None)


@pytest.mark.parametrize(
    ("added", "mask"),
    [(["[CLS]", "[MASK]"], "[MASK]"), (["</s>", "<extra_id_0>"], "<extra_id_0>"), (["</s>"], "")],
)
def test_the_mask_is_the_bases(
    tiny_base: Path, tmp_path: Path, added: list[str], mask: str
) -> None:
    folder = tmp_path / "base"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).symlink_to(tiny_base / name)
    tokenizer = json.loads((tiny_base / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["added_tokens"] = [{"id": n, "content": token} for n, token in enumerate(added)]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    assert mask_of(resolve_base(str(folder))) == mask


def test_minilm_reads_its_mask_as_one_token() -> None:
    from drugmon.models.tokens.inputs import ReviewTokenizer

    base = resolve_base("minilm")
    assert mask_of(base) == "[MASK]"
    tokenizer = ReviewTokenizer(base.folder, 64, 0)
    ((ids, _, _),) = tokenizer.tokens([Texts("It was [MASK].", None, None, None)])
    assert len(ids) == 4
