"""The commands that make adapters and measure them: train, evaluate, recipes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from drugmon.cli.options import output_options, recipe_options, takes
from drugmon.config import EngineConfig
from drugmon.data.options import SourceOptions
from drugmon.grading import GradingChoice
from drugmon.workflows.compare.config import EvaluateConfig

if TYPE_CHECKING:
    from drugmon.training.sources import Source


def _sources(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> tuple[Source, ...]:
    from drugmon.training.sources import parse_source

    return tuple(map(parse_source, values))


@click.command()
@click.argument("source", required=False)
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="PATH,KEY=VALUE,...",
    callback=_sources,
    help="One more source, such as more.csv,role=help,scale=1-5,weight=0.5,rating=stars; may be "
    "repeated.",
)
@recipe_options("the recipe")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the new adapter; its name is the adapter's.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Short for --set train.seed=N.")
@click.option("--eval", "eval_source", metavar="SOURCE", help="Measure on these reviews instead.")
@click.option(
    "--data-card",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML with name, source, licence, notes and citation of the reviews, for the model card.",
)
@click.option(
    "--no-hashes",
    is_flag=True,
    help="Keep no short hashes of the training reviews, by which evaluate tells them again.",
)
@takes(reading=SourceOptions, grading=GradingChoice, engine=EngineConfig)
@output_options
def train(
    reading: SourceOptions,
    grading: GradingChoice,
    engine: EngineConfig,
    as_json: bool,
    quiet: bool,
    source: str | None,
    sources: tuple[Source, ...],
    recipe: str,
    out: Path,
    settings: tuple[str, ...],
    seed: int | None,
    eval_source: str | None,
    data_card: Path | None,
    no_hashes: bool,
) -> None:
    """Train an adapter on labelled reviews.

    Labels come from the columns rating, effectiveness and sideEffects, as far as SOURCE has them,
    or from a column of labels in words (sentiment, label). Without SOURCE and --source, the reviews
    are those that the recipe names. A run that was interrupted goes on where it was when the same
    command is given again.

    \b
    Example:
      drugmon train reviews.tsv --recipe minilm --out adapters/mine --set lora.r=32 --seed 7
      drugmon train reviews.tsv --source stars.csv,role=help,scale=1-5 --out adapters/mine
    """
    from drugmon.cli.output import verdicts as output
    from drugmon.cli.output.lines import warn
    from drugmon.cli.progress import training_progress
    from drugmon.workflows.train.train import TrainConfig
    from drugmon.workflows.train.train import train as run

    if seed is not None:
        settings += (f"train.seed={seed}",)
    config = TrainConfig(
        source,
        out,
        recipe,
        settings,
        eval_source,
        data_card,
        columns=reading.columns,
        text_format=reading.text_format,
        grading=grading,
        engine=engine,
        hashes=not no_hashes,
        sources=sources,
    )
    with training_progress(quiet) as progress:
        result = run(config, on_progress=progress, warn=warn)
    output.print_training(result, as_json=as_json, quiet=quiet)


@click.command()
@click.argument("source")
@takes(config=EvaluateConfig)
@output_options
def evaluate(config: EvaluateConfig, as_json: bool, quiet: bool) -> None:
    """Compare an adapter's or a base's verdicts with the grades of labelled reviews.

    Prints accuracy, precision, recall and F1 per target with 95 % bootstrap intervals, the
    confusion matrices, calibration error and Cohen's kappa.

    \b
    Example:
      drugmon evaluate held-out.tsv --adapter adapters/mine --html evaluation.html
      drugmon evaluate held-out.tsv --base flan-t5-base
    """
    from drugmon.cli.output import verdicts as output
    from drugmon.cli.output.lines import warn
    from drugmon.cli.progress import count_progress
    from drugmon.workflows.compare.evaluate import evaluate as run

    with count_progress(quiet, "evaluating") as progress:
        evaluation = run(config, on_progress=progress, warn=warn)
    output.print_evaluation(evaluation, as_json=as_json, quiet=quiet)


@click.group()
def recipes() -> None:
    """List and show training recipes."""


@recipes.command("list")
def list_recipes() -> None:
    """List the packaged recipes.

    \b
    Example:
      drugmon recipes list
    """
    from drugmon.cli.output.lines import say
    from drugmon.training.recipe import list_recipes as find
    from drugmon.training.recipe import load_recipe

    for name in find():
        say(f"{name:24} {load_recipe(name).description}")


@recipes.command("show")
@click.argument("name")
def show_recipe(name: str) -> None:
    """Print a recipe's file: copy it to make your own.

    \b
    Example:
      drugmon recipes show minilm > mine.toml
    """
    from drugmon.cli.output.lines import say_verbatim
    from drugmon.training.recipe import load_recipe, recipe_path

    load_recipe(name)  # what is no recipe is not shown as one
    say_verbatim(recipe_path(name).read_text(encoding="utf-8"))
