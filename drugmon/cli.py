"""The commands: each parses, builds a config, calls one workflow, prints and gives an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from drugmon import __version__
from drugmon.config import DEFAULT_ADAPTER, EngineConfig

Command = TypeVar("Command", bound=Callable[..., Any])

SETTINGS = {
    "help_option_names": ["-h", "--help"],
    "show_default": True,
    "max_content_width": 100,
    "auto_envvar_prefix": "DRUGMON",
}


def main() -> None:
    """Run the command line and exit: the one boundary where errors become messages."""
    from drugmon.cli_errors import run

    sys.exit(run(cli))


@click.group(context_settings=SETTINGS)
@click.version_option(__version__, message="%(version)s")
def cli() -> None:
    """Score the sentiment of drug reviews in batches.

    Every option can be set by an environment variable, such as DRUGMON_SCORE_DEVICE=cpu.

    \b
    Example:
      drugmon sample reviews.parquet
      drugmon score reviews.parquet
      drugmon show reviews.scored.parquet
    """


adapter_option = click.option(
    "--adapter", default=DEFAULT_ADAPTER, help="A shipped adapter, or a folder."
)


def engine_options(command: Command) -> Command:
    """Add the options of where and how to compute."""
    for option in (
        click.option(
            "--batch-tokens",
            type=click.IntRange(min=64),
            help="Tokens in one batch.  [default: by device]",
        ),
        click.option(
            "--threads", type=click.IntRange(min=1), help="CPU threads.  [default: all cores]"
        ),
        click.option(
            "--dtype",
            type=click.Choice(["auto", "fp32", "bf16"]),
            default="auto",
            help="Number format; auto is bf16 where the hardware multiplies it.",
        ),
        click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N."),
    ):
        command = option(command)
    return command


def source_options(command: Command) -> Command:
    """Add the options of how to read a source."""
    for option in (
        click.option("--encoding", help="Encoding of text files.  [default: recognised UTF-8/16]"),
        click.option(
            "--column",
            "columns",
            multiple=True,
            metavar="FIELD=NAME",
            callback=_pairs,
            help="Which column holds a field, such as benefits=pros; may be repeated.",
        ),
    ):
        command = option(command)
    return command


def output_options(command: Command) -> Command:
    """Add the options of what to print."""
    for option in (
        click.option("--quiet", "-q", is_flag=True, help="Print errors only."),
        click.option("--json", "as_json", is_flag=True, help="Print one machine-readable summary."),
    ):
        command = option(command)
    return command


def _pairs(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> Any:
    pairs = [value.partition("=") for value in values]
    for value, (field, equals, name) in zip(values, pairs, strict=True):
        if not (field and equals and name):
            raise click.BadParameter(f"{value!r} is not of the form FIELD=NAME")
    return {field: name for field, _, name in pairs}


@cli.command()
@click.argument("source")
@adapter_option
@click.option("--out", metavar="PATH", help="Where to write; its extension sets the format.")
@click.option("--in-place", is_flag=True, help="Replace the input, or fill columns of the table.")
@click.option("--table", metavar="NAME", help="The table or view of a DuckDB database.")
@click.option("--id", "id_column", metavar="COLUMN", help="The table's key.  [default: found]")
@click.option(
    "--lock-timeout",
    type=click.FloatRange(min=0),
    default=30.0,
    metavar="SECONDS",
    help="How long to wait for a database that another process has open.",
)
@click.option("--where", metavar="CONDITION", help="Score only rows that meet a SQL condition.")
@click.option("--limit", type=click.IntRange(min=1), help="Score at most so many rows.")
@click.option("--rescore", is_flag=True, help="Score every row again.")
@click.option("--dry-run", is_flag=True, help="Tell how many rows would be scored; write nothing.")
@click.option(
    "--history",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where runs over files are recorded.  [default: .drugmon/history.duckdb by the output]",
)
@source_options
@engine_options
@output_options
def score(as_json: bool, quiet: bool, **options: Any) -> None:
    """Give every review its verdicts, and write them beside the data.

    SOURCE is a parquet, csv, tsv or jsonl file (text also as .gz or .zst), a glob, a folder, a
    DuckDB database with --table, or - for JSONL from standard input to standard output. Reviews
    that an earlier output holds unchanged are not scored again.

    \b
    Example:
      drugmon score reviews.parquet
      drugmon score reviews.csv --out verdicts.parquet
      drugmon score reviews.duckdb --table reviews
    """
    from drugmon import cli_output as output
    from drugmon.cli_progress import rows_progress
    from drugmon.workflows.score import ScoreConfig
    from drugmon.workflows.score import score as run

    config = ScoreConfig(engine=_engine(options), **options)
    with rows_progress(quiet, "scoring") as progress:
        result = run(
            config,
            on_progress=progress,
            warn=output.warn,
            stdin=sys.stdin.buffer,
            stdout=sys.stdout.buffer,
        )
    output.print_score(result, as_json=as_json, quiet=quiet, to_stderr=config.source == "-")


@cli.command()
@click.argument("source")
@click.option("--recipe", default="minilm", help="A packaged recipe, or a .toml file.")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the new adapter; its name is the adapter's.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one key of the recipe, such as lora.r=32; may be repeated.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Short for --set train.seed=N.")
@click.option("--eval", "eval_source", metavar="SOURCE", help="Measure on these reviews instead.")
@click.option(
    "--data-card",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML with name, source, licence, notes and citation of the reviews, for the model card.",
)
@source_options
@engine_options
@output_options
def train(as_json: bool, quiet: bool, seed: int | None, **options: Any) -> None:
    """Train an adapter on labelled reviews.

    Labels come from the columns rating, effectiveness and sideEffects, as far as SOURCE has them.
    A run that was interrupted goes on where it was when the same command is given again.

    \b
    Example:
      drugmon train reviews.tsv --recipe minilm --out adapters/mine --set lora.r=32 --seed 7
    """
    from drugmon import cli_output as output
    from drugmon.cli_progress import training_progress
    from drugmon.workflows.train import TrainConfig
    from drugmon.workflows.train import train as run

    if seed is not None:
        options["settings"] += (f"train.seed={seed}",)
    config = TrainConfig(engine=_engine(options), **options)
    with training_progress(quiet) as progress:
        result = run(config, on_progress=progress, warn=output.warn)
    output.print_training(result, as_json=as_json, quiet=quiet)


@cli.command()
@click.argument("source")
@adapter_option
@click.option(
    "--drop-missing-like-pandas",
    is_flag=True,
    help="Leave out rows with a cell that pandas reads as missing, as published figures did.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the figures as a page that opens offline.",
)
@source_options
@engine_options
@output_options
def evaluate(as_json: bool, quiet: bool, **options: Any) -> None:
    """Compare an adapter's verdicts with the grades of labelled reviews.

    Prints accuracy, precision, recall and F1 per target with 95 % bootstrap intervals, the
    confusion matrices, calibration error and Cohen's kappa.

    \b
    Example:
      drugmon evaluate held-out.tsv --adapter adapters/mine --html evaluation.html
    """
    from drugmon import cli_output as output
    from drugmon.cli_progress import count_progress
    from drugmon.workflows.evaluate import EvaluateConfig
    from drugmon.workflows.evaluate import evaluate as run

    config = EvaluateConfig(engine=_engine(options), **options)
    with count_progress(quiet, "evaluating") as progress:
        evaluation = run(config, on_progress=progress, warn=output.warn)
    output.print_evaluation(evaluation, as_json=as_json, quiet=quiet)


@cli.command()
@click.option("--benefits", help="What the drug did for the reviewer.")
@click.option("--side-effects", help="What else it did.")
@click.option("--comments", help="Anything else that was said.")
@click.option("--text", help="A review in one piece; gives the overall verdict only.")
@adapter_option
@engine_options
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
def predict(as_json: bool, adapter: str, **options: Any) -> None:
    """Give the verdicts of one review, from options or from a prompt.

    \b
    Example:
      drugmon predict --benefits "No more headaches." --side-effects "Slept badly for a week."
    """
    from drugmon import cli_output as output
    from drugmon.data.reviews import Texts
    from drugmon.workflows.predict import predict as run

    engine = _engine(options)
    if not any(options.values()) and sys.stdin.isatty():
        for name in ("benefits", "side_effects", "comments"):
            options[name] = click.prompt(name.replace("_", " "), default="", show_default=False)
    verdicts = run(Texts(**options), adapter, engine, warn=output.warn)
    output.print_verdicts(verdicts, as_json=as_json)


@cli.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--limit", type=click.IntRange(min=1), default=20, help="How many rows to show.")
def show(path: Path, limit: int) -> None:
    """Show the verdicts of a scored file as a table, without the texts.

    \b
    Example:
      drugmon show reviews.scored.parquet --limit 50
    """
    from drugmon import cli_output as output
    from drugmon.workflows.show import show as run

    output.print_shown(run(path, limit))


@cli.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def sample(path: Path) -> None:
    """Write some 60 invented reviews to try drugmon on; the extension sets the format.

    \b
    Example:
      drugmon sample reviews.parquet
    """
    from drugmon.data.sample import write_sample

    click.echo(f"{path}: {write_sample(path)} invented reviews")


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Look whether all is in place: versions, devices, the base and the adapters.

    \b
    Example:
      drugmon doctor
    """
    from drugmon import cli_output as output
    from drugmon.workflows.doctor import examine

    findings = examine()
    output.print_findings([asdict(finding) for finding in findings], as_json=as_json)
    if any(finding.ok is False for finding in findings):
        click.get_current_context().exit(1)


@cli.group()
def adapters() -> None:
    """List, show and verify adapters."""


@adapters.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_adapters(as_json: bool) -> None:
    """List the adapters in ./adapters and those that drugmon brings.

    \b
    Example:
      drugmon adapters list
    """
    from drugmon import cli_output as output
    from drugmon.models.adapter import list_adapters as find

    output.print_adapters(find(), as_json=as_json)


@adapters.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest instead of the card.")
def show_adapter(name: str, as_json: bool) -> None:
    """Show an adapter's card.

    \b
    Example:
      drugmon adapters show minilm-druglib
    """
    from drugmon import cli_output as output
    from drugmon.models.adapter import open_adapter

    output.print_adapter(open_adapter(name), as_json=as_json)


@adapters.command("verify")
@click.argument("name")
def verify_adapter(name: str) -> None:
    """Check every file of an adapter, and its base, against their hashes.

    \b
    Example:
      drugmon adapters verify minilm-druglib
    """
    from drugmon.models.adapter import open_adapter

    adapter = open_adapter(name)
    adapter.verify()
    adapter.base()
    files = len(adapter.manifest.files)
    click.echo(f"{adapter.manifest.identity}: {files} files and the base are what they should be")


@cli.group()
def recipes() -> None:
    """List and show training recipes."""


@recipes.command("list")
def list_recipes() -> None:
    """List the packaged recipes.

    \b
    Example:
      drugmon recipes list
    """
    from drugmon.training.recipe import list_recipes as find
    from drugmon.training.recipe import load_recipe

    for name in find():
        click.echo(f"{name:24} {load_recipe(name).description}")


@recipes.command("show")
@click.argument("name")
def show_recipe(name: str) -> None:
    """Print a recipe's file: copy it to make your own.

    \b
    Example:
      drugmon recipes show minilm > mine.toml
    """
    from drugmon.training.recipe import recipe_path

    click.echo(recipe_path(name).read_text(encoding="utf-8"), nl=False)


def _engine(options: dict[str, Any]) -> EngineConfig:
    """Take the engine's options out of a command's."""
    names = ("device", "dtype", "threads", "batch_tokens")
    return EngineConfig(**{name: options.pop(name) for name in names})


if __name__ == "__main__":
    main()
