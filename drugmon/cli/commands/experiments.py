"""The commands that search and compare: tune, compare, experiment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from drugmon.cli.options import output_options, recipe_options, takes
from drugmon.config import EngineConfig
from drugmon.data.options import SourceOptions
from drugmon.grading import GradingChoice
from drugmon.workflows.compare.config import CompareConfig

if TYPE_CHECKING:
    from drugmon.training.trials.search import Search


@click.command()
@click.argument("source")
@recipe_options("the recipe of all trials")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that keeps the trials; the same command goes on there.",
)
@click.option(
    "--grid",
    multiple=True,
    metavar="KEY=V,V",
    help="Try every combination of the values, such as lora.r=8,16; may be repeated.",
)
@click.option(
    "--trial",
    "listed",
    multiple=True,
    metavar="KEY=V,KEY=V",
    help="Try these settings, such as lora.r=8,lora.alpha=16; may be repeated.",
)
@click.option(
    "--range",
    "ranges",
    multiple=True,
    metavar="KEY=LOW:HIGH[:log]",
    help="Draw from a range, or from KEY=V,V; may be repeated.",
)
@click.option("--random", "draws", type=click.IntRange(min=1), help="Draw so many trials evenly.")
@click.option(
    "--tpe",
    "guided",
    type=click.IntRange(min=1),
    help="Draw so many trials, each where earlier ones did well.",
)
@click.option(
    "--prune/--no-prune",
    default=True,
    help="Give up on a trial that is below the median of the earlier ones after an epoch.",
)
@click.option(
    "--csv",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the table of trials as CSV.",
)
@takes(reading=SourceOptions, grading=GradingChoice, engine=EngineConfig)
@output_options
def tune(
    reading: SourceOptions,
    grading: GradingChoice,
    engine: EngineConfig,
    as_json: bool,
    quiet: bool,
    source: str,
    recipe: str,
    out: Path,
    settings: tuple[str, ...],
    grid: tuple[str, ...],
    listed: tuple[str, ...],
    ranges: tuple[str, ...],
    draws: int | None,
    guided: int | None,
    prune: bool,
    csv: Path | None,
) -> None:
    """Train one recipe with many settings and tell which does best on dev.

    The test split is left alone: it is for the winner. What was tried is kept in the folder; the
    same command goes on where an interrupted one was.

    \b
    Example:
      drugmon tune reviews.tsv --out trials --grid lora.r=8,16 --grid lora.alpha=16,32,64
    """
    from drugmon.cli.output import experiments as output
    from drugmon.cli.output.lines import warn
    from drugmon.cli.progress import trial_progress
    from drugmon.workflows.train.tune import TuneConfig
    from drugmon.workflows.train.tune import tune as run

    config = TuneConfig(
        source,
        out,
        _search(grid, listed, ranges, draws, guided),
        recipe,
        settings,
        prune,
        columns=reading.columns,
        text_format=reading.text_format,
        grading=grading,
        engine=engine,
    )
    with trial_progress(quiet) as progress:
        result = run(config, on_progress=progress, warn=warn)
    if csv:
        output.write_csv(result, csv)
    output.print_trials(result, as_json=as_json, quiet=quiet)


def _search(
    grid: tuple[str, ...],
    listed: tuple[str, ...],
    ranges: tuple[str, ...],
    draws: int | None,
    guided: int | None,
) -> Search:
    """What the search options say."""
    from drugmon.errors import UsageError
    from drugmon.training.trials.search import Search, parse_grid, parse_ranges, parse_trial

    if draws and guided:
        raise UsageError("give --random or --tpe, not both")
    return Search(
        listed=(*map(parse_trial, listed), *parse_grid(grid)),
        ranges=parse_ranges(ranges),
        count=draws or guided or 0,
        guided=bool(guided),
    )


@click.command()
@click.argument("source")
@takes(config=CompareConfig)
@output_options
def compare(config: CompareConfig, as_json: bool, quiet: bool) -> None:
    """Compare models on the same labelled reviews.

    Tells for each its figures with 95 % intervals, whether it differs from the first by more than
    luck, what it cost to train and how fast it scores. The first is the first --base, else the
    first --adapter.

    \b
    Example:
      drugmon compare held-out.tsv --adapter adapters/a --adapter adapters/b --html compare.html
    """
    from drugmon.cli.output import experiments as output
    from drugmon.cli.output.lines import warn
    from drugmon.cli.progress import work_progress
    from drugmon.workflows.compare.compare import compare_sources

    with work_progress(quiet) as progress:
        comparison = compare_sources(config, on_progress=progress, warn=warn)
    output.print_comparison(comparison, as_json=as_json, quiet=quiet)


@click.command()
@click.argument("plan", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--source", help="Labelled reviews, instead of the file's.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of adapters, trials and the comparison, instead of the file's.",
)
@click.option("--base", metavar="NAME", help="Run every stage on this base instead.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one key of every stage's recipe; may be repeated.",
)
@takes(reading=SourceOptions, grading=GradingChoice, engine=EngineConfig)
@output_options
def experiment(
    reading: SourceOptions,
    grading: GradingChoice,
    engine: EngineConfig,
    as_json: bool,
    quiet: bool,
    plan: Path,
    source: str | None,
    out: Path | None,
    base: str | None,
    settings: tuple[str, ...],
) -> None:
    """Train every stage of an experiment and compare them on held-out reviews.

    FILE lists the stages (jobs/experiment.toml). Stages that are done are not trained again, one
    that was interrupted goes on, one that failed is told of on the page and tried again next time.

    \b
    Example:
      drugmon experiment jobs/experiment.toml --source reviews.tsv --out experiment
    """
    from drugmon.cli.output import experiments as output
    from drugmon.cli.output.lines import warn
    from drugmon.cli.progress import work_progress
    from drugmon.training.trials.plan import read_plan
    from drugmon.workflows.train.experiment import ExperimentConfig
    from drugmon.workflows.train.experiment import experiment as run

    read = read_plan(plan, source=source, out=out, base=base, settings=settings)
    config = ExperimentConfig(read, reading.columns, reading.text_format, grading, engine)
    with work_progress(quiet) as progress:
        result = run(config, on_progress=progress, warn=warn)
    output.print_experiment(result, as_json=as_json, quiet=quiet)
