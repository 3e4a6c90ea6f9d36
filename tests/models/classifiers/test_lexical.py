from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from drugmon.errors import AdapterError
from drugmon.models.classifiers.lexical import LexicalModel, _tfidf, fit_lexical
from drugmon.models.files import LEXICON
from drugmon.models.tokens.prepared import Aspects


def make_reviews(count: int, seed: int = 0) -> tuple[list[Aspects], np.ndarray]:
    """Reviews with three aspects of random tokens; token 5, 6 or 7 in the first tells the label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    reviews: list[Aspects] = []
    for label in labels:
        aspects = [rng.integers(10, 40, rng.integers(0, 12)).tolist() for _ in range(3)]
        aspects[0].insert(0, 5 + int(label))
        reviews.append(aspects)
    return reviews, labels


def agreement(model: LexicalModel, reviews: list[Aspects], labels: np.ndarray) -> float:
    return float((model.log_probs(reviews)["benefits"].argmax(axis=1) == labels).mean())


def test_it_learns_and_gives_log_probabilities() -> None:
    reviews, labels = make_reviews(200)
    fresh, truth = make_reviews(100, seed=1)
    model = fit_lexical(reviews, {"benefits": labels}, min_df=2, c=4.0)
    found = model.log_probs(fresh)["benefits"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, rtol=1e-5)
    assert agreement(model, fresh, truth) > 0.9
    assert model.log_probs([])["benefits"].shape == (0, 3)


def name_of(key: int) -> str:
    """The n-gram of a key of the first aspect, as TfidfVectorizer names it."""
    first, second = key >> 24, key & (1 << 24) - 1
    return f"{first} {second - 1}" if second else f"{first}"


def test_features_are_scikit_learns_tfidf_for_one_aspect() -> None:
    reviews, labels = make_reviews(80)
    first_only: list[Aspects] = [[review[0], [], []] for review in reviews]
    model = fit_lexical(first_only, {"benefits": labels}, min_df=2, c=2.0)

    texts = [" ".join(map(str, review[0])) for review in first_only]
    vectors = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\S+", norm="l2"
    )
    expected = vectors.fit_transform(texts).toarray()
    order = [vectors.vocabulary_[name_of(int(key))] for key in model.keys]
    assert sorted(order) == list(range(expected.shape[1]))
    found = _tfidf(first_only, model.keys, model.idf).toarray()
    np.testing.assert_allclose(found, expected[:, order], atol=1e-6)


def test_one_label_against_the_rest_is_scikit_learns() -> None:
    """With features scaled by naive Bayes' log-count ratio (Wang and Manning, 2012)."""
    reviews, labels = make_reviews(80)
    model = fit_lexical(reviews, {"benefits": labels}, min_df=2, c=2.0)
    features = _tfidf(reviews, model.keys, model.idf).toarray()
    scores = []
    for label in range(3):
        own = labels == label
        inside, outside = ((features[rows] > 0).sum(axis=0) + 1 for rows in (own, ~own))
        ratio = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
        fitted = LogisticRegression(C=2.0, class_weight="balanced", max_iter=1000)
        scores.append(fitted.fit(features * ratio, own).predict_proba(features * ratio)[:, 1])
    expected = np.log(np.stack(scores, axis=1) / np.sum(scores, axis=0)[:, None])
    np.testing.assert_allclose(model.log_probs(reviews)["benefits"], expected, atol=0.02)


def test_aspects_are_read_apart() -> None:
    reviews, labels = make_reviews(120)
    model = fit_lexical(reviews, {"benefits": labels}, min_df=2, c=4.0)
    here, there = model.log_probs([[[5], [], []], [[], [5], []]])["benefits"]
    assert abs(here - there).max() > 0.5


def test_it_survives_the_file_within_half_precision(tmp_path: Path) -> None:
    reviews, labels = make_reviews(120)
    model = fit_lexical(reviews, {"benefits": labels, "overall": labels}, min_df=2, c=4.0)
    model.save(tmp_path)
    again = LexicalModel.load(tmp_path)
    assert set(again.weights) == {"benefits", "overall"}
    np.testing.assert_array_equal(again.keys, model.keys)
    for target, found in model.log_probs(reviews).items():
        np.testing.assert_allclose(again.log_probs(reviews)[target], found, atol=0.01)


@pytest.mark.parametrize("absent", [0, 1, 2])
def test_label_that_never_occurs_never_wins(absent: int) -> None:
    reviews, labels = make_reviews(150)
    known = np.where(labels == absent, -1, labels)
    model = fit_lexical(reviews, {"benefits": known}, min_df=2, c=4.0)
    rows = [row for row, label in enumerate(known) if label >= 0]
    found = model.log_probs(reviews)["benefits"]
    assert np.isfinite(found).all()
    assert found[:, absent].max() < -20
    assert agreement(model, [reviews[row] for row in rows], known[rows]) > 0.9


def test_only_one_label_or_none_is_no_failure() -> None:
    reviews, labels = make_reviews(20)
    targets = {"benefits": np.full(20, 2), "comments": np.full(20, -1), "overall": labels}
    model = fit_lexical(reviews, targets, min_df=1, c=4.0)
    found = model.log_probs(reviews)
    assert (found["benefits"].argmax(axis=1) == 2).all()
    np.testing.assert_allclose(np.exp(found["comments"]), 1 / 3, rtol=1e-5)


def test_rare_ngrams_are_left_out() -> None:
    reviews: list[Aspects] = [[[1, 2], [], []], [[1, 3], [], []], [[1], [], []]]
    labels = np.array([0, 1, 2])
    assert len(fit_lexical(reviews, {"overall": labels}, min_df=1, c=1.0).keys) == 5
    assert len(fit_lexical(reviews, {"overall": labels}, min_df=2, c=1.0).keys) == 1


def test_file_that_lacks_a_part_is_named(tmp_path: Path) -> None:
    reviews, labels = make_reviews(30)
    fit_lexical(reviews, {"overall": labels}, min_df=1, c=1.0).save(tmp_path)
    tensors = load_file(tmp_path / LEXICON)
    del tensors["idf"]
    save_file(tensors, tmp_path / LEXICON)
    with pytest.raises(AdapterError, match=r"lexical\.safetensors lacks 'idf': train the adapter"):
        LexicalModel.load(tmp_path)
