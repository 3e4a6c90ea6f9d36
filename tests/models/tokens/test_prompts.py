from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from drugmon.data.reviews import Texts
from drugmon.errors import BaseModelError, RecipeError
from drugmon.labels import LABELS
from drugmon.models.tokens.prompts import PROMPT, PromptTokenizer, collate_prompts

LONG = Texts("pain " * 60, "none", "the " * 60, None)


@pytest.fixture(name="plain")
def _plain(tiny_t5: Path) -> Tokenizer:
    return Tokenizer.from_file(str(tiny_t5 / "tokenizer.json"))


@pytest.fixture(name="prompts")
def _prompts(tiny_t5: Path) -> PromptTokenizer:
    return PromptTokenizer(tiny_t5, PROMPT, 64)


def test_prompt_is_what_the_tokenizer_makes_of_the_whole_text(
    prompts: PromptTokenizer, plain: Tokenizer
) -> None:
    review = Texts("No more pain, at last.", "Slept badly!", "So so &amp; slow", None)
    prepared = prompts.prepare([review])
    texts = {
        "benefits": "No more pain, at last.",
        "side_effects": "Slept badly!",
        "comments": "So so & slow",
        "overall": "No more pain, at last. Slept badly! So so & slow",
    }
    for target, text in texts.items():
        item = prepared.items[prepared.places[target][0]]
        assert list(item) == plain.encode(PROMPT.replace("{text}", text)).ids, target


def test_template_may_go_on_behind_the_text(tiny_t5: Path, plain: Tokenizer) -> None:
    template = "Review: {text} Is it positive, neutral, or negative?"
    prepared = PromptTokenizer(tiny_t5, template, 64).prepare([Texts("bad", None, None, None)])
    assert list(prepared.items[0]) == plain.encode(template.replace("{text}", "bad")).ids


def test_equal_prompts_are_one_item(prompts: PromptTokenizer) -> None:
    reviews = [
        Texts("useless", None, None, None),
        Texts(None, "useless", "", None),
        Texts("useless", "useless", None, None),
        Texts(None, None, None, "useless"),
    ]
    prepared = prompts.prepare(reviews)
    assert len(prepared.items) == 2, "useless, and useless twice"
    places = {target: own.tolist() for target, own in prepared.places.items()}
    assert places == {
        "benefits": [0, -1, 0, -1],
        "side_effects": [-1, 0, 0, -1],
        "comments": [-1, -1, -1, -1],
        "overall": [0, 0, 1, 0],
    }


def test_review_without_text_has_no_prompt(prompts: PromptTokenizer) -> None:
    prepared = prompts.prepare([Texts(None, " ", "&nbsp;", None)])
    assert list(prepared.items) == []
    assert {int(own[0]) for own in prepared.places.values()} == {-1}


def test_cut_prompt_keeps_the_instruction_and_the_end(
    prompts: PromptTokenizer, plain: Tokenizer
) -> None:
    prepared = prompts.prepare([LONG])
    before = plain.encode(PROMPT.replace("{text}", ""), add_special_tokens=False).ids
    for item in prepared.items:
        assert len(item) <= 64
        assert list(item[: len(before)]) == before
        assert item[-1] == plain.token_to_id("</s>")
    assert len(prepared.items[prepared.places["benefits"][0]]) == 64


def test_overall_is_cut_in_fair_shares(prompts: PromptTokenizer, plain: Tokenizer) -> None:
    prepared = prompts.prepare([LONG])
    overall = prepared.items[prepared.places["overall"][0]]
    pieces = [plain.id_to_token(token) for token in overall]
    assert len(overall) == 64
    assert "▁none" in pieces, "the short text is whole"
    assert abs(pieces.count("▁pain") - pieces.count("▁the")) <= 1


@pytest.mark.parametrize("template", ["no place", "{text} and {text}"])
def test_template_needs_one_place(tiny_t5: Path, template: str) -> None:
    with pytest.raises(RecipeError, match=r"model\.prompt must hold \{text\} once"):
        PromptTokenizer(tiny_t5, template, 64)


def test_no_room_for_the_text_is_told(tiny_t5: Path) -> None:
    with pytest.raises(RecipeError, match=r"max_length = 9 leaves no room for a text: the prompt"):
        PromptTokenizer(tiny_t5, PROMPT, 9)


def test_label_words_are_single_tokens(prompts: PromptTokenizer, plain: Tokenizer) -> None:
    assert [plain.id_to_token(token) for token in prompts.label_ids()] == [
        f"▁{label}" for label in LABELS
    ]


def test_label_word_of_several_tokens_is_told(tiny_t5: Path, tmp_path: Path) -> None:
    content = (tiny_t5 / "tokenizer.json").read_text(encoding="utf-8")
    broken = content.replace("▁neutral", "▁neutrax").replace("\\u2581neutral", "\\u2581neutrax")
    (tmp_path / "tokenizer.json").write_text(broken, encoding="utf-8")
    with pytest.raises(BaseModelError, match=r"splits 'neutral' into \d+ tokens or does not know"):
        PromptTokenizer(tmp_path, PROMPT, 64).label_ids()


def test_padding_is_masked() -> None:
    batch = collate_prompts([(5, 6, 7), (8,)], 3)
    assert batch.ids.tolist() == [[5, 6, 7, *[3] * 5], [8, *[3] * 7]]
    assert batch.mask.tolist() == [[1, 1, 1, *[0] * 5], [1, *[0] * 7]]
