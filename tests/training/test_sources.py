from __future__ import annotations

import json
from pathlib import Path

import pytest

from drugmon.errors import RecipeError, UsageError
from drugmon.grading import RatingScale
from drugmon.training.recipe import load_recipe
from drugmon.training.sources import HELP, TARGET, Source, parse_source

RECIPE = """
[help]
epochs = 2
replay = 0.15

[[source]]
path = "druglib.tsv"
card = "druglib.toml"

[[source]]
path = "/data/psytar.parquet"
name = "PsyTAR"
role = "help"
scale = "1-5"
weight = 0.5
columns = {rating = "rating_1_5"}
labels = {rating = {4 = "neutral"}, words = {Fine = "neutral"}}
"""


def write(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_recipe_names_its_sources_beside_it(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, RECIPE))
    target, helping = recipe.sources
    assert (target.path, target.role) == (str(tmp_path / "druglib.tsv"), TARGET)
    assert target.card == str(tmp_path / "druglib.toml")
    assert (helping.path, helping.role) == ("/data/psytar.parquet", HELP)
    assert (helping.title, helping.weight) == ("PsyTAR", 0.5)
    assert helping.grading.scale == RatingScale(1, 5)
    assert helping.grading.declared
    assert helping.grading.rating["4"] == "neutral"
    assert helping.grading.words["fine"] == "neutral"
    assert (recipe.help.epochs, recipe.help.replay) == (2, 0.15)
    assert json.loads(json.dumps(recipe.to_dict()))["source"][0]["path"] == "druglib.tsv", (
        "no path of this machine"
    )
    assert str(tmp_path) not in str(recipe.to_dict())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('role = "help"', 'role = "helper"'), "role = 'helper' will not do: give one of tar"),
        (('scale = "1-5"', 'scale = "5-1"'), r"source 2: rating scale '5-1' will not do"),
        (('4 = "neutral"', '6 = "neutral"'), r"labels\.rating has no key '6'; valid keys: 1, 2"),
        (('{rating = "', '{stars = "'), r"source 2\.columns has no key 'stars'; valid keys: ben"),
        (('path = "druglib.tsv"', ""), r'source 1 has no path; give path = "reviews\.tsv"'),
        (("weight = 0.5", "wait = 1"), "has no key 'wait'; valid keys: path, name, role, weight"),
        (
            ("weight = 0.5", "held_out = 1"),
            r"source 2\.held_out = 1\.0 will not do: give a number from 0",
        ),
        (('path = "druglib.tsv"', 'path = "a"\nheld_out = 0.2'), "source 1: held_out is for help"),
        (("card", 'role = "help"\ncard'), "no source is a target, all are help; one must be, to"),
        (("card", 'role = "unlabelled"\ncard'), "all are unlabelled or help; one must be, to be"),
        (
            ('role = "help"', 'role = "unlabelled"\nheld_out = 0.2'),
            r"source 2: held_out is for help sources; .* unlabelled ones measure nothing",
        ),
    ],
)
def test_mistakes_in_a_source_are_named(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        load_recipe(write(tmp_path, RECIPE.replace(*change, 1)))


def test_a_source_of_the_command_line() -> None:
    text = "a.csv,role=help,weight=.5,held_out=.2,scale=1-5,rating=stars,label.good=positive"
    text += ",card=a.toml"
    source = parse_source(text)
    assert source == Source(
        path="a.csv",
        role="help",
        weight=0.5,
        held_out=0.2,
        scale="1-5",
        columns={"rating": "stars"},
        labels={"words": {"good": "positive"}},
        card="a.toml",
    )
    assert parse_source(source.to_text()) == source
    assert parse_source("folder/b.tsv").to_text() == "b.tsv"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a.csv,role", "'role' is not of the form KEY=VALUE"),
        ("a.csv,roll=help", "has no key 'roll'; valid keys: path, name, role"),
        ("a.csv,weight=much", "weight = 'much' will not do: give a number from"),
        ("a.csv,held_out=.2", "held_out is for help sources; which target reviews are held out"),
        ("a.csv,scale=five", "rating scale 'five' will not do"),
        ("a.csv,label.good=great", "labels.words.good = 'great' will not do: give one of neg"),
        (",role=help", "begins with the path of the reviews"),
    ],
)
def test_mistakes_on_the_command_line_are_named(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_source(text)
