from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmon.errors import AdapterError
from drugmon.labels import LABELS, TARGETS
from drugmon.monitoring.profiles.groups import count_groups, kept_groups
from drugmon.monitoring.profiles.names import name_mix
from drugmon.monitoring.profiles.profile import (
    Profile,
    build_profile,
    read_profile,
    text_lengths,
    write_profile,
)
from drugmon.statistics.histogram import LENGTH_EDGES, SHARE_EDGES, Histogram, histogram
from drugmon.statistics.quality import measure
from drugmon.wording import LIKE_TEXT


def make_profile() -> Profile:
    labels = np.array([[2, 0, -1, 2], [2, 1, 0, 0], [-1, -1, -1, -1]])
    probabilities = np.full((3, 4, 3), np.nan)
    for row, target in np.argwhere(labels >= 0):
        probabilities[row, target] = 0.1
        probabilities[row, target, labels[row, target]] = 0.8
    return build_profile(
        labels,
        probabilities,
        {"benefits": [10, 100_000, 0], "comments": text_lengths([None, "", "fine"])},
        drugs=["Lexapro", " LEXAPRO ", None],
        ratings=["10", 7.0, "secret words"],
        quality={"overall": measure([2], [2], [[0.1, 0.1, 0.8]], resamples=5, seed=0)},
    )


def test_verdicts_are_counted() -> None:
    profile = make_profile()
    assert profile.n == 3
    assert tuple(profile.targets) == TARGETS
    overall = profile.targets["overall"]
    assert overall.counts == {"negative": 1, "neutral": 0, "positive": 1, "none": 1}
    assert overall.mean_probabilities is not None
    assert overall.mean_probabilities["positive"] == pytest.approx(0.45)
    assert sum(overall.confidence.counts) == 2
    assert overall.confidence.counts[SHARE_EDGES.index(0.8)] == 2
    assert sum(overall.probabilities["neutral"].counts) == 2


def test_confidence_is_the_probability_of_the_label_not_the_largest() -> None:
    probabilities = np.tile([0.5, 0.4, 0.1], (1, 4, 1))
    profile = build_profile(np.array([[1, 1, 1, 1]]), probabilities, {})
    assert profile.targets["overall"].confidence.counts[SHARE_EDGES.index(0.4)] == 1


def test_texts_names_and_ratings_are_counted() -> None:
    profile = make_profile()
    assert profile.texts["benefits"].share_empty == pytest.approx(1 / 3)
    assert profile.texts["benefits"].length.counts[-1] == 1
    assert profile.texts["comments"].share_empty == pytest.approx(2 / 3)
    assert profile.drugs is not None
    assert profile.drugs.names == {"lexapro": 2}
    assert profile.drugs.missing == 1
    assert profile.conditions is None
    assert profile.ratings is not None
    assert {key: count for key, count in profile.ratings.items() if count} == {
        "10": 1,
        "7": 1,
        "other": 1,
    }
    assert "secret" not in json.dumps(profile.to_dict())


def test_no_rows() -> None:
    profile = build_profile(np.empty((0, 4), int), np.empty((0, 4, 3)), {"benefits": []})
    assert profile.n == 0
    assert profile.targets["overall"].mean_probabilities is None
    assert profile.texts["benefits"].share_empty is None


def test_survives_its_file(tmp_path: Path) -> None:
    profile, path = make_profile(), tmp_path / "reference.json"
    write_profile(profile, path)
    assert read_profile(path) == profile
    first = path.read_bytes()
    write_profile(read_profile(path), path)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"format_version": 99}',
            "a profile of format version 99, this drugmon reads 1 and 2; install",
        ),
        (
            '{"format_version": 1}',
            r"not a profile \(Object missing required field `n`\); restore the file",
        ),
        ("[]", "not a profile; restore the file"),
        ("{", "not JSON"),
    ],
)
def test_refuses_other_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "reference.json"
    path.write_text(text)
    with pytest.raises(AdapterError, match=message):
        read_profile(path)


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="no such file; the adapter has no reference profile"):
        read_profile(tmp_path / "reference.json")


def test_refuses_a_damaged_histogram() -> None:
    data = json.loads(make_profile().to_json())
    data["targets"]["overall"]["confidence"]["counts"].pop()
    with pytest.raises(AdapterError, match="21 edges do not fit 19 counts"):
        Profile.from_dict(data, "reference.json")


def test_refuses_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"labels must be \(n, 4\)"):
        build_profile(np.zeros((2, 3), int), np.zeros((2, 4, 3)), {})
    with pytest.raises(ValueError, match="drugs must have 2 cells, not 1"):
        build_profile(np.zeros((2, 4), int), np.zeros((2, 4, 3)), {}, drugs=["a"])


def test_refuses_a_verdict_without_probabilities() -> None:
    with pytest.raises(ValueError, match="a verdict has a probability that is not a number"):
        build_profile(np.zeros((1, 4), int), np.full((1, 4, 3), np.nan), {})


def test_rare_names_are_not_kept_and_texts_are_one() -> None:
    sentences = ["I took this for my back and it was " * 5, "It made me sick. Never again!"]
    mix = name_mix(["a"] * 3 + ["b"] * 2 + ["once", *sentences] + ["", "  ", None])
    assert mix.names == {"a": 3, "b": 2, LIKE_TEXT: 2}
    assert (mix.other, mix.missing, mix.distinct) == (1, 3, 4)


def test_of_a_column_that_is_mostly_texts_no_value_is_told() -> None:
    shifted = ["It helped me a lot.", "I felt ill for weeks", "was awful", "slept badly"]
    assert name_mix(shifted * 3).names == {LIKE_TEXT: 12}
    labels = np.array([[-1, -1, -1, label] for label in (0, 0, 1, 2)])
    groups = kept_groups(count_groups(shifted, labels))
    assert {value: cells["overall"] for value, cells in groups.items()} == {
        LIKE_TEXT: {"negative": 2, "neutral": 1, "positive": 1}
    }


def test_names_beyond_the_top_are_other() -> None:
    mix = name_mix(f"drug {index % 300}" for index in range(900))
    assert len(mix.names) == 200
    assert mix.other == 300


def test_edges_rise() -> None:
    assert list(LENGTH_EDGES) == sorted(set(LENGTH_EDGES))
    assert (LENGTH_EDGES[0], LENGTH_EDGES[-1]) == (1, 65536)
    assert (SHARE_EDGES[0], SHARE_EDGES[-1], len(SHARE_EDGES)) == (0, 1, 21)


@given(st.lists(st.floats(0, 1)))
def test_histogram_holds_every_value_as_numpy_does(values: list[float]) -> None:
    found = histogram(values, SHARE_EDGES)
    expected, _ = np.histogram(values, SHARE_EDGES)
    assert list(found.counts) == expected.tolist()
    assert Histogram.from_dict(found.to_dict()) == found


def test_labels_are_the_probability_keys() -> None:
    assert tuple(make_profile().targets["benefits"].probabilities) == LABELS
