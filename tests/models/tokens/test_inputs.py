from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmon.data.reviews import Texts
from drugmon.errors import BaseModelError
from drugmon.models.tokens.inputs import (
    Encoded,
    ReviewTokenizer,
    collate,
    padded,
    share_budget,
    token_batches,
)

lengths = st.lists(st.integers(0, 300), min_size=1, max_size=6)


@pytest.fixture(name="tokenizer")
def _tokenizer(tiny_base: Path) -> ReviewTokenizer:
    return ReviewTokenizer(tiny_base, 64, 0)


@given(lengths, st.integers(0, 600))
def test_budget_is_shared_fairly(needs: list[int], budget: int) -> None:
    shares = share_budget(needs, budget)
    assert all(0 <= share <= need for share, need in zip(shares, needs, strict=True))
    assert sum(shares) == min(budget, sum(needs)), "what one leaves, another uses"
    cut = [share for share, need in zip(shares, needs, strict=True) if share < need]
    # Who was cut has as much as anybody, give or take the token that does not divide.
    assert not cut or min(cut) >= max(shares) - 1


@given(
    st.lists(st.integers(1, 90), max_size=60),
    st.integers(1, 400),
    st.none() | st.integers(0, 64),
)
def test_batches_hold_every_row_once_within_the_budget(
    sizes: list[int], budget: int, begin: int | None
) -> None:
    batches = list(token_batches(sizes, budget, begin))
    assert sorted(row for batch in batches for row in batch) == list(range(len(sizes)))
    for batch in batches:
        longest = padded(max(sizes[row] for row in batch))
        assert len(batch) == 1 or len(batch) * longest <= budget
    firsts = [sizes[batch[0]] for batch in batches]
    assert firsts == sorted(firsts, reverse=True)


def test_a_lowered_budget_holds_for_the_batches_after_it() -> None:
    budgets = iter([64, 32, 32, 32])
    assert [len(batch) for batch in token_batches([10] * 10, lambda: next(budgets))] == [4, 2, 2, 2]


def padding(sizes: Sequence[int], batches: Iterable[npt.NDArray[np.int64]]) -> float:
    """The share of padding among the tokens of batches."""
    rows = [[sizes[row] for row in batch] for batch in batches]
    return 1 - sum(map(sum, rows)) / sum(len(row) * padded(max(row)) for row in rows)


def test_a_few_rows_are_parted_where_padding_would_cost_more() -> None:
    few = [40, 400, 130, 250, 60, 180, 150, 100]
    (together,) = token_batches(few, 4_096)
    assert padding(few, [together]) > 0.5
    parted = list(token_batches(few, 4_096, 32))
    assert padding(few, parted) < 0.15
    assert len(parted) < len(few)
    (alike,) = token_batches([120, 130, 125, 128], 4_096, 32)
    assert len(alike) == 4


def test_many_rows_are_parted_as_before() -> None:
    many = np.random.default_rng(0).lognormal(5, 0.7, 1_024).clip(8, 512).astype(int).tolist()
    before, after = (list(token_batches(many, 4_096, begin)) for begin in (None, 32))
    assert len(after) <= 1.1 * len(before)
    assert padding(many, after) <= padding(many, before) < 0.05


@pytest.mark.parametrize(
    ("length", "most", "width"), [(5, None, 8), (8, None, 8), (9, 16, 16), (9, 10, 10), (9, 9, 9)]
)
def test_shapes_recur_and_stay_within_what_the_model_reads(
    length: int, most: int | None, width: int
) -> None:
    review = Encoded(np.ones(length, np.int64), np.zeros(length, np.int8))
    assert collate([review], 0, most).ids.shape == (1, width)


def test_layout_marks_whose_token_each_is(tokenizer: ReviewTokenizer) -> None:
    texts = Texts("good good", None, "bad", None)
    (review,) = tokenizer.encode([texts])
    ((first, nothing, third),) = tokenizer.tokens([texts])
    assert nothing == []
    assert review.segments.tolist() == [0, *[1] * len(first), 0, 0, *[3] * len(third), 0]
    assert review.ids[review.segments == 1].tolist() == first
    assert review.ids[review.segments == 3].tolist() == third
    special = review.ids[review.segments == 0]
    assert special.tolist() == [2, 3, 3, 3]


def test_empty_review_is_special_tokens_only(tokenizer: ReviewTokenizer) -> None:
    nothing, blank = tokenizer.encode([Texts(None, None, None, None), Texts("", " \n", "", None)])
    assert nothing.ids.tolist() == blank.ids.tolist() == [2, 3, 3, 3]
    assert tokenizer.encode([]) == []


def test_lone_text_stands_where_comments_stand(tokenizer: ReviewTokenizer) -> None:
    lone, comment = tokenizer.encode(
        [Texts(None, None, None, "so good"), Texts(None, None, "so good", None)]
    )
    assert lone.ids.tolist() == comment.ids.tolist()
    (both,) = tokenizer.tokens([Texts("good", None, None, "not read")])
    assert both[2] == []


@pytest.mark.parametrize("text", ["a\ud800b", "\udfff", "\U0001f600 fine", "x" * 20_000, "\0"])
def test_any_string_can_be_encoded(tokenizer: ReviewTokenizer, text: str) -> None:
    (review,) = tokenizer.encode([Texts(text, text, text, None)])
    assert 4 <= len(review) <= 64
    assert len(review.ids) == len(review.segments)


def test_no_aspect_crowds_another_out(tokenizer: ReviewTokenizer) -> None:
    (review,) = tokenizer.encode([Texts("bad " * 500, "good", "mild " * 500, None)])
    first, second, third = ((review.segments == number).sum() for number in (1, 2, 3))
    (short,) = tokenizer.tokens([Texts(None, "good", None, None)])
    assert second == len(short[1])
    assert len(review) == 64
    assert abs(first - third) <= 1


def test_mask_and_padding_agree(tokenizer: ReviewTokenizer) -> None:
    reviews = tokenizer.encode([Texts("good", None, None, None), Texts("bad " * 9, "x", "y", None)])
    batch = collate(reviews, 0)
    assert batch.mask.sum(dim=1).tolist() == [len(review) for review in reviews]
    padding = batch.mask == 0
    assert np.unique(batch.ids[padding]).tolist() == [0]
    assert np.unique(batch.segments[padding]).tolist() == [0]


def test_damaged_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BaseModelError, match=r"cannot read .*tokenizer\.json"):
        ReviewTokenizer(tmp_path, 64, 0)


def test_tokenizer_that_frames_nothing_is_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models

    bare = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    bare.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(BaseModelError, match="one token before and one behind"):
        ReviewTokenizer(tmp_path, 64, 0)
