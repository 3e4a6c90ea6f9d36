from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from drugmon.data.reviews import Texts
from drugmon.models.adapters.adapter import open_adapter
from drugmon.models.adapters.zero_shot import open_base
from drugmon.models.classifiers.classifier import Tokenizer
from drugmon.scoring.words import words_of


@pytest.fixture(scope="module", name="tokenizer")
def _tokenizer(adapter: Path) -> Tokenizer:
    return open_adapter(str(adapter)).classifier().tokenizer


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I took 0.5 mg, then  2.", ["I", "took", "0.5", "mg,", "then", "2."]),
        ("great...awful,really", ["great...", "awful,", "really"]),
        ("it's &quot;fine&quot;!", ["it's", '"fine"!']),
        ("...", ["..."]),
        ("..fine .5 mg 1.5.fine -,- ?", ["..", "fine", ".5", "mg", "1.5.", "fine", "-,-", "?"]),
    ],
)
def test_words_are_what_a_reader_sees(tokenizer: Tokenizer, text: str, words: list[str]) -> None:
    found = words_of(Texts(None, None, None, f"  {text} "), tokenizer)
    assert [found.texts[field][start:end] for field, start, end in found.spans] == words
    assert {field for field, _, _ in found.spans} == {"text"}


def test_a_long_run_of_dots_is_one_word_and_takes_no_time(tokenizer: Tokenizer) -> None:
    found = words_of(Texts(None, None, None, "." * 50_000 + "!fine"), tokenizer)
    assert [span[1:] for span in found.spans] == [(0, 50_001), (50_001, 50_005)]


@pytest.mark.parametrize("seq2seq", [False, True])
def test_every_token_has_its_word(adapter: Path, tiny_t5: Path, seq2seq: bool) -> None:
    opened = open_base(str(tiny_t5)) if seq2seq else open_adapter(str(adapter))
    tokenizer = opened.classifier().tokenizer
    review = Texts("Wonderful stuff!", None, "Zzyzx,naïve", None)
    found = words_of(review, tokenizer)
    pieces: Sequence[Sequence[int]] = tokenizer.prepare([review]).tokens[0]
    assert len(found.owners) == sum(map(len, pieces))
    assert found.owners.tolist() == sorted(found.owners.tolist())
    assert np.unique(found.owners).tolist() == [0, 1, 2, 3]  # Wonderful | stuff! | Zzyzx, | naïve
    assert (found.owners < 2).sum() == len(pieces[0])
