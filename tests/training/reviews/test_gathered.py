from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drugmon.errors import TrainingDataError
from drugmon.training.reviews.dataset import LabelledReviews
from drugmon.training.reviews.gathered import Gathered, gather
from drugmon.training.sources import Source


def write(path: Path, header: str, *rows: str) -> str:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(line.split("|") for line in (header, *rows))
    return str(path)


@pytest.fixture(name="target")
def _target(tmp_path: Path) -> Source:
    path = write(
        tmp_path / "target.csv",
        "rating|effectiveness|benefits|comments|review",
        "9|Highly Effective|it helped|take it|ignored beside aspects",
        "2|Ineffective|nothing||",
        "5||||so so, in one piece",
    )
    return Source(path=path)


@pytest.fixture(name="stars")
def _stars(tmp_path: Path) -> Source:
    rows = ("5|I love it", "1|bad", "3|It HELPED, take it!")
    path = write(tmp_path / "stars.csv", "stars|review", *rows)
    columns = {"rating": "stars"}
    return Source(path=path, role="help", scale="1-5", weight=0.5, columns=columns)


def helped(*sources: Source, **more: Any) -> tuple[Gathered, LabelledReviews]:
    gathered = gather(sources, None, **more)
    assert gathered.help is not None
    return gathered, gathered.help


def test_levels_of_another_scale_stay_out_of_the_targets_head(
    target: Source, stars: Source
) -> None:
    gathered, helping = helped(target, stars)
    assert gathered.targets.levels["overall"].tolist() == [8, 1, 4]
    assert helping.levels["overall"].tolist() == [-1, -1]
    assert helping.labels["overall"].tolist() == [2, 0]
    assert helping.labels["benefits"].tolist() == [-1, -1]
    assert helping.targets == gathered.targets.targets
    assert helping.weights_or_ones.tolist() == [0.5, 0.5]
    assert gathered.targets.weights_or_ones.tolist() == [1, 1, 1]


def test_the_same_scale_shares_the_head_and_a_lone_text_teaches_comments(
    target: Source, tmp_path: Path
) -> None:
    more = write(tmp_path / "more.csv", "rating|review", "10|great", "4|meh")
    _, helping = helped(target, Source(path=more, role="help"))
    for name in ("overall", "comments"):
        assert helping.levels[name].tolist() == [9, 3], name
    assert helping.lone.tolist() == [True, True]


def test_a_file_may_mix_both_forms(target: Source) -> None:
    reviews = gather([target], None).targets
    assert reviews.lone.tolist() == [False, False, True]
    assert reviews.texts[0].text is None
    assert reviews.labels["overall"].tolist() == [2, 0, 1]
    assert reviews.labels["comments"].tolist() == [2, -1, -1]


def test_copies_of_measured_reviews_do_not_help(target: Source, stars: Source) -> None:
    told: list[str] = []
    gathered, helping = helped(target, stars, warn=told.append)
    assert [texts.text for texts in helping.texts] == ["I love it", "bad"]
    record = gathered.records[1]
    assert (record.rows, record.left_out, record.role) == (2, 1, "help")
    assert told == ["1 help reviews are left out: they are copies of reviews that are measured"]
    other = gather([target, stars], helping)
    assert other.help is None, "nor those of an evaluation source"


def test_words_and_scales_of_several_targets_are_joined(target: Source, tmp_path: Path) -> None:
    words = write(tmp_path / "words.csv", "sentiment|review", "positive|fine", "negative|no")
    first = gather([Source(path=words), target], None).targets
    assert first.targets == ("benefits", "comments", "overall")
    assert list(first.ladders["overall"]) == ["negative", "neutral", "positive"]
    assert first.levels["overall"].tolist() == [2, 0, -1, -1, -1]
    assert first.labels["overall"].tolist() == [2, 0, 2, 0, 1]
    second = gather([target, Source(path=words)], None).targets
    assert second.levels["overall"].tolist() == [8, 1, 4, -1, -1]
    assert second.context["rating"] == ["9", "2", "5", None, None]


def test_every_source_is_told_of_with_its_terms(
    target: Source, stars: Source, tmp_path: Path
) -> None:
    card = tmp_path / "stars.toml"
    card.write_text('name = "Stars"\nlicence = "MIT"\ncitation = "A, 2020"\n', encoding="utf-8")
    told = gather([target, Source(**{**stars.__dict__, "card": str(card)})], None).record()
    assert told.name == "target.csv; Stars"
    assert told.licence == "not stated; MIT"
    assert (told.rows, [each.rows for each in told.sources]) == (3, [3, 2])
    assert [each.scale for each in told.sources] == ["1-10", "1-5"]
    assert told.citation == "A, 2020"


def test_help_that_teaches_something_else_is_refused(stars: Source, tmp_path: Path) -> None:
    aspect = write(tmp_path / "a.csv", "effectiveness|benefits", "Ineffective|none")
    lone = Source(path=stars.path, scale="1-5", columns=stars.columns)
    with pytest.raises(
        TrainingDataError, match=r"a\.csv does not help: it teaches benefits, the target sources o"
    ):
        gather([lone, Source(path=aspect, role="help")], None)


def lone_texts(path: Path, *more: str) -> Source:
    rows = [f"{1 + 8 * (n % 2)}|it was number {n}" for n in range(200)]
    columns = {"rating": "stars"}
    return Source(write(path, "stars|review", *rows, *more), role="help", columns=columns)


def test_held_out_lone_texts_are_the_same_whatever_else_is_there(
    target: Source, tmp_path: Path
) -> None:
    source = replace(lone_texts(tmp_path / "lone.csv"), held_out=0.25)
    gathered, helping = helped(target, source)
    assert gathered.lone is not None
    drawn = {texts.text for texts in gathered.lone.texts}
    assert 30 < len(drawn) < 70
    assert gathered.lone.targets == ("overall",)
    assert drawn.isdisjoint(texts.text for texts in helping.texts)
    assert len(drawn) + len(helping) == 200
    assert (gathered.records[1].rows, gathered.records[1].held_out) == (len(helping), len(drawn))

    longer = replace(lone_texts(tmp_path / "longer.csv", "9|one more"), held_out=0.25)
    again = helped(target, longer)[0].lone
    assert again is not None
    assert drawn <= {texts.text for texts in again.texts} <= drawn | {"one more"}


def test_copies_of_held_out_texts_are_not_learned_from(target: Source, tmp_path: Path) -> None:
    held = replace(lone_texts(tmp_path / "lone.csv"), held_out=0.5)
    gathered, helping = helped(target, held, lone_texts(tmp_path / "copies.csv"))
    assert gathered.lone is not None
    drawn = {texts.text for texts in gathered.lone.texts}
    assert drawn.isdisjoint(texts.text for texts in helping.texts)
    assert len(helping) == 2 * (200 - len(drawn))
    assert gathered.records[2].left_out == len(drawn)


def test_reviews_of_aspects_are_not_held_out_of_help(target: Source, tmp_path: Path) -> None:
    path = write(tmp_path / "more.csv", "rating|benefits", *(f"9|good {n}" for n in range(20)))
    gathered, helping = helped(target, Source(path, role="help", held_out=0.9))
    assert gathered.lone is None
    assert len(helping) == 20


def test_unlabelled_reviews_are_read_without_grades_and_once(
    target: Source, stars: Source, tmp_path: Path
) -> None:
    path = write(
        tmp_path / "more.csv",
        "rating|review",
        "no number|a new one",
        "3|A NEW one!",
        "9|I love it.",
        "|nothing",
        "|",
        "|another",
    )
    told: list[str] = []
    more = Source(path=path, role="unlabelled", weight=0.25)
    gathered, helping = helped(target, stars, more, warn=told.append)
    assert [texts.text for texts in helping.texts] == ["I love it", "bad", "a new one", "another"]
    assert gathered.help_sources.tolist() == [1, 1, 2, 2]
    assert gathered.unlabelled.tolist() == [False, False, True, True]
    assert all((own[2:] == -1).all() for own in helping.labels.values())
    assert helping.weights_or_ones.tolist() == [0.5, 0.5, 0.25, 0.25]
    record = gathered.records[2]
    assert (record.role, record.rows, record.left_out, record.scale) == ("unlabelled", 2, 3, "")
    assert told[-1] == "3 unlabelled reviews are left out: they are copies of others"


def test_signs_alone_are_copies_of_the_same_signs_only(tmp_path: Path) -> None:
    signs = write(tmp_path / "signs.csv", "rating|review", "9|:-)", "1|:-(")
    helping = write(tmp_path / "help.csv", "rating|review", "9|:-)", "1|?!", "9|good")
    more = write(tmp_path / "more.csv", "review", ":-(", "?!", "+++", "---", "+++")
    gathered, kept = helped(
        Source(path=signs), Source(path=helping, role="help"), Source(path=more, role="unlabelled")
    )
    assert [texts.text for texts in kept.texts] == ["?!", "good", "+++", "---"]
    assert [record.left_out for record in gathered.records] == [0, 1, 3]


def test_help_that_is_left_out_later_is_counted(target: Source, stars: Source) -> None:
    gathered, _ = helped(target, stars)
    less = gathered.without_help(np.array([True, False]))
    assert less.help is not None
    assert [texts.text for texts in less.help.texts] == ["bad"]
    assert less.help_sources.tolist() == [1]
    assert (less.records[1].rows, less.records[1].left_out) == (1, 2)
    none = gathered.without_help(np.array([True, True]))
    assert none.help is None
    assert none.records[1].rows == 0
