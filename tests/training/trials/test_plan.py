from __future__ import annotations

from pathlib import Path

import pytest

from drugmon.errors import DrugmonError
from drugmon.training.recipe import load_recipe
from drugmon.training.trials.plan import read_plan

SHIPPED = Path(__file__).resolve().parents[3] / "jobs" / "experiment.toml"
HEAD = 'source = "a.csv"\nout = "out"\n'
STAGE = '[[stage]]\ntitle = "One"\nrecipe = "minilm"\n'


def test_the_shipped_plan_has_the_reports_stages() -> None:
    plan = read_plan(SHIPPED)
    assert plan.base == "flan-t5-base"
    recipes = [stage.recipe for stage in plan.stages]
    assert recipes[0] is None
    assert recipes[1:] == [
        "flan-t5-full-1",
        "flan-t5-full-2",
        "flan-t5-full-3",
        "flan-t5-lora-312",
        "flan-t5-lora-800",
        "flan-t5-lora-800",
        "flan-t5-lora-best",
        "flan-t5-lora-qvo",
        "flan-t5-lora-all",
    ]
    (trials,) = (stage.trials for stage in plan.stages if stage.trials)
    assert [tuple(settings.values()) for settings in trials.listed] == [
        (8, 16, 0.05),
        (8, 32, 0.1),
        (16, 32, 0.05),
        (16, 64, 0.1),
    ]


def test_every_stage_has_the_same_split_and_its_own_recipe() -> None:
    plan = read_plan(SHIPPED, settings=("train.epochs=1",))
    for stage in plan.stages[1:]:
        recipe = load_recipe(str(stage.recipe), plan.stage_settings(stage, "t5"))
        assert (recipe.split.dev, recipe.split.test, recipe.split.refit) == (0.1, 0.15, False)
        assert recipe.train.seed == 0
        assert recipe.train.epochs == 1
        own = load_recipe(str(stage.recipe))
        assert recipe.lora == own.lora
        assert recipe.loss == own.loss


def test_layers_are_renamed_for_an_encoder() -> None:
    plan = read_plan(SHIPPED, base="minilm")
    last = plan.stages[-1]
    recipe = load_recipe(str(last.recipe), plan.stage_settings(last, "bert"))
    assert recipe.base.name == "minilm"
    assert recipe.lora.target_modules == (
        "query",
        "key",
        "value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    )
    assert recipe.loss.benefits == recipe.loss.comments == 1


def test_changes_win_over_the_file() -> None:
    plan = read_plan(SHIPPED, source="b.csv", out=Path("there"), base=None, settings=())
    assert (plan.source, plan.out, plan.base) == ("b.csv", Path("there"), "flan-t5-base")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[x", "is not valid TOML"),
        (HEAD, "has no stages; give them as [[stage]] with a title"),
        ('out = "out"\n' + STAGE, "needs a text under 'source'"),
        (HEAD + "sede = 3\n" + STAGE, "has no key 'sede'; valid keys: source, out, base, settings"),
        (HEAD + '[[stage]]\nrecipe = "minilm"\n', "stage 1 needs a text under 'title'"),
        (HEAD + '[[stage]]\ntitle = "One"\n', "stage 1 needs a text under 'recipe'"),
        (HEAD + STAGE + "settings = 3\n", "stage 1: settings is a list of texts"),
        (HEAD + STAGE + 'settings = ["lora.rank=3"]\n', "lora has no key 'rank'"),
        (HEAD + STAGE + 'trials = ["lora.r"]\n', "--trial 'lora.r' is not of the form"),
        (HEAD + STAGE + "zero_shot = true\n", "stage 1 (One): a zero-shot stage has no recipe"),
        (HEAD + STAGE + STAGE, "two stages are called 'one'; give each its own title"),
        (HEAD + 'settings = ["split.refit=true"]\n' + STAGE, "split.refit cannot be set: all stag"),
        (HEAD + STAGE + 'settings = ["train.seed=3"]\n', "train.seed cannot be set: all stages"),
        (HEAD + "[split]\ntest = 0\n" + STAGE, "test = 0.0 will not do: give a number from 0.001"),
    ],
)
def test_a_plan_that_will_not_do_says_why(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DrugmonError) as caught:
        read_plan(path)
    assert message in str(caught.value)


def test_a_missing_plan_is_named(tmp_path: Path) -> None:
    with pytest.raises(DrugmonError, match=r"plan\.toml cannot be read \(No such file"):
        read_plan(tmp_path / "plan.toml")


@pytest.mark.parametrize("setting", ["split.folds=3", "split.test=0", "train.seed=7"])
def test_no_setting_lets_a_stage_learn_from_what_is_compared_on(setting: str) -> None:
    """Stages settled the split by themselves, behind the back of what they are compared on."""
    with pytest.raises(DrugmonError, match=rf"{setting.partition('=')[0]} cannot be set: all stag"):
        read_plan(SHIPPED, settings=(setting,))
