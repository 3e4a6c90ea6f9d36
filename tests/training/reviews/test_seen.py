from __future__ import annotations

from pathlib import Path

import numpy as np

from drugmon.data.reviews import Texts
from drugmon.grading import Grading
from drugmon.models.files import SEEN
from drugmon.training.reviews.dataset import LabelledReviews, read_labelled
from drugmon.training.reviews.seen import count_seen, seen_rows, write_seen

NOTHING = Texts(None, " ", "", None)


def reviews(labelled: Path) -> LabelledReviews:
    return read_labelled(str(labelled), Grading())


def test_each_review_is_told_again_and_no_other(labelled: Path, tmp_path: Path) -> None:
    everything = reviews(labelled)
    half, others = everything.take(range(0, 120, 2)), everything.take(range(1, 120, 2))  # type: ignore[arg-type]
    write_seen(tmp_path, half, "key")
    assert count_seen(tmp_path, half, "key") == 60
    assert count_seen(tmp_path, others, "key") == 0
    assert count_seen(tmp_path, everything, "key") == 60


def test_other_keys_give_other_hashes(labelled: Path, tmp_path: Path) -> None:
    own = reviews(labelled)
    write_seen(tmp_path, own, "one")
    first = (tmp_path / SEEN).read_text(encoding="ascii")
    assert count_seen(tmp_path, own, "two") == 0
    write_seen(tmp_path, own, "one")
    assert (tmp_path / SEEN).read_text(encoding="ascii") == first, "the same every time"


def test_file_holds_short_hashes_only(labelled: Path, tmp_path: Path) -> None:
    write_seen(tmp_path, reviews(labelled), "key")
    lines = (tmp_path / SEEN).read_text(encoding="ascii").splitlines()
    assert lines == sorted(set(lines))
    assert len(lines) == 120
    assert all(len(bytes.fromhex(line)) == 6 for line in lines)


def test_review_without_text_is_never_one_of_them(labelled: Path, tmp_path: Path) -> None:
    own = reviews(labelled)
    empty = own.with_texts([NOTHING] * len(own))
    write_seen(tmp_path, empty, "key")
    assert (tmp_path / SEEN).read_text(encoding="ascii") == ""
    assert count_seen(tmp_path, empty, "key") == 0


def test_without_the_file_none_is_known(labelled: Path, tmp_path: Path) -> None:
    assert count_seen(tmp_path, reviews(labelled), "key") == 0


def test_a_copy_and_the_same_text_in_another_place_are_told(labelled: Path, tmp_path: Path) -> None:
    own = reviews(labelled).take(np.arange(3))
    lone = Texts(None, None, None, "It did nothing at all.")
    write_seen(tmp_path, own.with_texts([lone, *own.texts[1:]]), "key")
    asked = [
        lone._replace(text=None, comments=lone.text),
        Texts(None, None, None, "IT DID NOTHING, at all"),
        Texts("It did nothing", "at all", None, None),
        Texts(None, None, None, "It did nothing."),
        NOTHING,
    ]
    assert seen_rows(tmp_path, asked, "key").tolist() == [True, True, True, False, False]
    assert not seen_rows(tmp_path, asked[1:], "key").any(), "hashes tell no copy by themselves"
