"""The commands that give verdicts and show them: score, predict, show, sample."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from drugmon.cli.options import ReviewOptions, output_options, takes
from drugmon.config import CascadeOptions, EngineConfig, ModelOptions
from drugmon.errors import DrugmonError
from drugmon.workflows.configs import ShowConfig
from drugmon.workflows.score.config import ScoreConfig


@click.command()
@click.argument("source")
@takes(config=ScoreConfig)
@output_options
def score(config: ScoreConfig, as_json: bool, quiet: bool) -> int:
    """Give every review its verdicts, and write them beside the data.

    SOURCE is a parquet, csv, tsv or jsonl file (text also as .gz or .zst), a glob, a folder, a
    DuckDB database with --table, or - for JSONL from standard input to standard output. Files may
    be in a store: s3://, gs://, az://. Reviews that an earlier output holds unchanged are not
    scored again. A file among several that cannot be scored does not keep the others from it; the
    exit code is 1 then.

    \b
    Example:
      drugmon score reviews.parquet
      drugmon score reviews.csv --out verdicts.parquet
      drugmon score reviews.duckdb --table reviews
      drugmon score 'reviews/*.parquet' --out scored --engine ray
    """
    from drugmon.cli.output import verdicts as output
    from drugmon.cli.output.lines import warn
    from drugmon.cli.progress import rows_progress
    from drugmon.workflows.score.score import score as run

    with rows_progress(quiet, "scoring") as progress:
        result = run(
            config,
            on_progress=progress,
            warn=warn,
            # Where a job starts with them closed, they are None.
            stdin=getattr(sys.stdin, "buffer", None),
            stdout=getattr(sys.stdout, "buffer", None),
        )
    output.complain(result.failures)
    output.print_score(result, as_json=as_json, quiet=quiet, to_stderr=config.source == "-")
    return DrugmonError.exit_code if result.failures else 0


@click.command()
@takes(review=ReviewOptions, model=ModelOptions, cascade=CascadeOptions, engine=EngineConfig)
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
def predict(
    review: ReviewOptions,
    model: ModelOptions,
    cascade: CascadeOptions,
    engine: EngineConfig,
    as_json: bool,
) -> None:
    """Give the verdicts of one review, from options or from a prompt.

    \b
    Example:
      drugmon predict --benefits "No more headaches." --side-effects "Slept badly for a week."
      drugmon predict --then mpnet-druglib --text "Better than nothing, I suppose."
      drugmon predict --base flan-t5-base --benefits "No more headaches."
    """
    from drugmon.cli.output import verdicts as output
    from drugmon.cli.output.lines import warn
    from drugmon.data.reviews import Texts
    from drugmon.workflows.predict import predict as run

    texts = Texts(**asdict(review.asked()))
    verdicts = run(texts, model, cascade, engine, warn=warn)
    output.print_verdicts(verdicts, as_json=as_json, with_judge=bool(cascade.then))


@click.command()
@takes(review=ReviewOptions, model=ModelOptions, cascade=CascadeOptions, engine=EngineConfig)
@click.option("--json", "as_json", is_flag=True, help="Print every word's part as JSON.")
def explain(
    review: ReviewOptions,
    model: ModelOptions,
    cascade: CascadeOptions,
    engine: EngineConfig,
    as_json: bool,
) -> None:
    """Show which words of one review moved each verdict to its label, and by how much.

    Words are judged by integrated gradients: their parts add up to the label's probability less
    that of a review in which nothing is said. Nothing of it is written anywhere.

    \b
    Example:
      drugmon explain --benefits "No more headaches." --side-effects "Slept badly for a week."
      drugmon explain --then mpnet-druglib --text "Better than nothing, I suppose."
    """
    from drugmon.cli.output.explanations import print_explanations
    from drugmon.workflows.model import Model

    texts = asdict(review.asked())
    with Model(**asdict(model), **asdict(cascade), engine=engine) as opened:
        explanations = opened.explain(**texts)
    print_explanations(explanations, as_json=as_json, with_judge=bool(cascade.then))


@click.command()
@click.argument("source")
@takes(config=ShowConfig)
@click.option("--json", "as_json", is_flag=True, help="Print one machine-readable summary.")
def show(config: ShowConfig, as_json: bool) -> None:
    """Show rows of a scored file or table with their verdicts, without the texts.

    SOURCE is a scored file, a glob or folder of them, or a DuckDB database with --table. --where
    and --sort may name the source's own columns and those of the verdicts.

    \b
    Example:
      drugmon show reviews.scored.parquet --limit 50
      drugmon show w.duckdb --table reviews --where "overall_sentiment = 'negative'"
      drugmon show reviews.scored.csv --sort -overall_p_negative --columns id,drug --texts
      drugmon show reviews.scored.csv --slice "drug=Zyban" --since 2026-11-01 --date-column date
    """
    from drugmon.cli.output import verdicts as output
    from drugmon.workflows.show import show as run

    output.print_shown(run(config), as_json=as_json)


@click.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def sample(path: Path) -> None:
    """Write some 60 invented reviews to try drugmon on; the extension sets the format.

    \b
    Example:
      drugmon sample reviews.parquet
    """
    from drugmon.cli.output.lines import say
    from drugmon.data.sample import write_sample

    say(f"{path}: {write_sample(path)} invented reviews")
