from __future__ import annotations

import json
from pathlib import Path

import pytest

from drugmon.errors import RecipeError
from drugmon.grading import Grading
from drugmon.labels import TARGETS
from drugmon.training.loop.checkpoint import run_key
from drugmon.training.recipe import (
    Recipe,
    list_recipes,
    load_recipe,
    recipe_path,
    recorded_recipe,
)


@pytest.mark.parametrize("name", list_recipes())
def test_every_packaged_recipe_loads_and_describes_itself(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description
    assert json.loads(json.dumps(recipe.to_dict()))["base"] == {"name": recipe.base.name}


def test_the_embedded_default_has_a_recipe() -> None:
    assert load_recipe("minilm").base.name == "minilm"


@pytest.mark.parametrize(
    ("name", "rate", "batch", "epochs"),
    [
        ("flan-t5-full-1", 5e-5, 8, 3),
        ("flan-t5-full-2", 3e-4, 8, 4),
        ("flan-t5-full-3", 1e-4, 4, 5),
    ],
)
def test_full_fine_tunings_are_the_reports(name: str, rate: float, batch: int, epochs: int) -> None:
    recipe = load_recipe(name)
    train = recipe.train
    assert (recipe.base.name, train.method) == ("flan-t5-base", "full")
    assert (train.learning_rate, train.batch_size, train.epochs) == (rate, batch, epochs)
    assert not recipe.lexical.enabled


@pytest.mark.parametrize(
    ("name", "r", "alpha", "dropout", "modules", "per_class"),
    [
        ("flan-t5-lora-312", 8, 16, 0.05, ("q", "v"), 312),
        ("flan-t5-lora-800", 8, 16, 0.05, ("q", "v"), 800),
        ("flan-t5-lora-best", 16, 64, 0.1, ("q", "v"), 800),
        ("flan-t5-lora-qvo", 16, 64, 0.1, ("q", "v", "o"), 800),
        ("flan-t5-lora-all", 16, 32, 0.05, ("q", "k", "v", "o", "wi_0", "wi_1", "wo"), 0),
    ],
)
def test_loras_are_the_reports_and_ours(
    name: str, r: int, alpha: int, dropout: float, modules: tuple[str, ...], per_class: int
) -> None:
    recipe = load_recipe(name)
    lora = recipe.lora
    assert (recipe.base.name, recipe.train.method) == ("flan-t5-base", "lora")
    assert (lora.r, lora.alpha, lora.dropout, lora.target_modules) == (r, alpha, dropout, modules)
    assert recipe.balance.per_class == per_class
    assert recipe.balance.strategy == ("resample" if per_class else "none")


def test_recipe_says_where_the_report_contradicts_itself() -> None:
    for name in ("flan-t5-lora-312", "flan-t5-lora-800"):
        text = recipe_path(name).read_text(encoding="utf-8")
        assert "dropout = 0.05        # .05 in the report's code, 0.1 in its text" in text


def test_loss_that_weighs_nothing_is_refused() -> None:
    nothing = [f"loss.{target}=0" for target in TARGETS]
    with pytest.raises(RecipeError, match="loss gives every target the weight 0; raise one"):
        load_recipe("minilm", nothing)


def test_settings_win_over_the_file_and_are_read_as_toml() -> None:
    recipe = load_recipe(
        "minilm",
        [
            "lora.r=32",
            "train.learning_rate=1e-3",
            'lora.target_modules=["query", "value"]',
            "balance.strategy=weights",
            "labels.rating.5=negative",
        ],
    )
    assert recipe.lora.r == 32
    assert recipe.train.learning_rate == 1e-3
    assert recipe.lora.target_modules == ("query", "value")
    assert recipe.balance.strategy == "weights"
    assert recipe.grading.rating["5"] == "negative"
    assert recipe.grading.rating["6"] == "neutral"
    assert Grading().rating["5"] == "neutral", "the defaults must not be written to"


def test_a_list_may_be_given_with_commas_and_a_whole_number_for_a_fraction() -> None:
    recipe = load_recipe("minilm", ["lora.target_modules=query, key", "loss.level_weight=0"])
    assert recipe.lora.target_modules == ("query", "key")
    assert recipe.loss.level_weight == 0.0


def test_keys_left_out_keep_their_defaults(tmp_path: Path) -> None:
    path = tmp_path / "short.toml"
    path.write_text("[lora]\nr = 4\n")
    recipe = load_recipe(str(path))
    assert recipe.name == "short"
    assert recipe.lora.r == 4
    assert recipe.train == Recipe("short").train


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("lora.rank=8", "lora has no key 'rank'; valid keys: r, alpha, dropout, target_modules"),
        (
            "tune.x=1",
            "has no key 'tune'; valid keys: description, base, lora, model, lexical, train, loss",
        ),
        ("lora.r=0", "lora.r = 0 will not do: give a whole number from 1 to 512"),
        ("lora.r=1.5", "lora.r = 1.5 will not do: give a whole number from 1 to 512"),
        ("lora.r=true", "lora.r = True will not do: give a whole number"),
        ("train.learning_rate=nan", "learning_rate = nan will not do: give a number from 0 to 1"),
        ("train.epochs=many", "train.epochs = 'many' will not do"),
        ("lora.target_modules=[]", "lora.target_modules = () will not do: give a list of texts"),
        ("lora.target_modules=3", "lora.target_modules = 3 will not do: give a list of texts"),
        ("base.name=", "base.name = '' will not do: give a text"),
        ("balance.strategy=smote", "give one of none, weights, oversample, downsample"),
        ("augment.method=eda", "give one of none, mask, paraphrase"),
        ("augment.labels=neutral,meh", "augment.labels has 'meh'; give labels of negative, neutr"),
        ("loss.focal_gamma=-1", "loss.focal_gamma = -1.0 will not do: give a number from 0 to 10"),
        ("labels.rating.11=neutral", "labels.rating has no key '11'; valid keys: 1, 2"),
        ("labels.rating.5=meh", "labels.rating.5 = 'meh' will not do: give one of negative"),
        ("labels.rating=3", "labels.rating is a section; give its keys under it"),
        ("lora=3", "setting 'lora=3' is not of the form section.key=value"),
        ("lora.r", "setting 'lora.r' is not of the form section.key=value"),
        ("lora.r.x=3", "setting 'lora.r.x=3': r is no section"),
    ],
)
def test_a_wrong_setting_says_what_would_do(setting: str, message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("minilm", [setting])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_of_the_losses_must_weigh_something() -> None:
    with pytest.raises(RecipeError, match="are both 0; raise one"):
        load_recipe("minilm", ["loss.level_weight=0", "loss.label_weight=0"])


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"no recipe 'mini'; take .*minilm.* a .toml file"):
        load_recipe("mini")


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    with pytest.raises(RecipeError, match=r"mine\.toml is not there"):
        load_recipe(str(path))
    path.write_text("[lora\n")
    with pytest.raises(RecipeError, match=r"mine\.toml is not valid TOML"):
        load_recipe(str(path))


def test_a_run_without_a_teacher_has_the_key_that_it_had_before_there_were_teachers() -> None:
    plain = load_recipe("minilm")
    decides = plain.decides_weights()
    beside = {"name", "description", "lexical", "split", "decision", "teacher"}
    assert decides == {k: v for k, v in plain.to_dict().items() if k not in beside}
    unused = load_recipe("minilm", ["teacher.weight=0.9", "teacher.temperature=4"])
    assert unused.decides_weights() == decides
    assert run_key(unused, "data") == run_key(plain, "data")


def test_what_a_teacher_is_called_here_does_not_matter_but_how_it_is_heeded() -> None:
    def taught(*settings: str) -> Recipe:
        return load_recipe("minilm", ["teacher.adapters=/one/place/large", *settings])

    assert taught().teacher.adapters == ("/one/place/large",)
    assert taught().to_dict()["teacher"] == {
        "adapters": ["large"],  # no path of this machine
        "weight": 0.7,
        "temperature": 1.0,
    }
    assert taught().decides_weights()["teacher"] == {"weight": 0.7, "temperature": 1.0}
    assert taught("teacher.temperature=3").decides_weights() != taught().decides_weights()
    assert recorded_recipe(taught().to_dict(), "it").teacher.adapters == ("large",)
    two = load_recipe("minilm", ["teacher.adapters=a,b"])
    assert two.teacher.adapters == ("a", "b")
    with pytest.raises(RecipeError, match=r"teacher.weight = 1.5 will not do: give a number from"):
        taught("teacher.weight=1.5")
