"""The commands that give verdicts and show them: score, predict, show, sample."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from drugmon.cli.options import (
    asked,
    engine_config,
    engine_options,
    grading_choice,
    grading_options,
    listed,
    model_options,
    output_options,
    review_options,
    source_options,
)
from drugmon.errors import DrugmonError


@click.command()
@click.argument("source")
@model_options
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
@click.option(
    "--overwrite", is_flag=True, help="Replace own columns that are called like verdicts."
)
@click.option("--dry-run", is_flag=True, help="Tell how many rows would be scored; write nothing.")
@click.option(
    "--history",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where runs over files are recorded.  [default: .drugmon/history.duckdb by the output]",
)
@source_options
@grading_options
@engine_options
@output_options
def score(as_json: bool, quiet: bool, **options: Any) -> int:
    """Give every review its verdicts, and write them beside the data.

    SOURCE is a parquet, csv, tsv or jsonl file (text also as .gz or .zst), a glob, a folder, a
    DuckDB database with --table, or - for JSONL from standard input to standard output. Reviews
    that an earlier output holds unchanged are not scored again. A file among several that cannot
    be scored does not keep the others from it; the exit code is 1 then.

    \b
    Example:
      drugmon score reviews.parquet
      drugmon score reviews.csv --out verdicts.parquet
      drugmon score reviews.duckdb --table reviews
    """
    from drugmon.cli.output import verdicts as output
    from drugmon.cli.output.lines import warn
    from drugmon.cli.progress import rows_progress
    from drugmon.workflows.score.score import ScoreConfig
    from drugmon.workflows.score.score import score as run

    config = ScoreConfig(engine=engine_config(options), grading=grading_choice(options), **options)
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
@review_options
@model_options
@engine_options
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
def predict(
    as_json: bool, adapter: str | None, base: str | None, rule: str | None, **options: Any
) -> None:
    """Give the verdicts of one review, from options or from a prompt.

    \b
    Example:
      drugmon predict --benefits "No more headaches." --side-effects "Slept badly for a week."
      drugmon predict --base flan-t5-base --benefits "No more headaches."
    """
    from drugmon.cli.output import verdicts as output
    from drugmon.cli.output.lines import warn
    from drugmon.data.reviews import Texts
    from drugmon.workflows.predict import predict as run

    engine = engine_config(options)
    review = Texts(**asked(options))
    verdicts = run(review, adapter, engine, base=base, rule=rule, warn=warn)
    output.print_verdicts(verdicts, as_json=as_json)


@click.command()
@review_options
@model_options
@engine_options
@click.option("--json", "as_json", is_flag=True, help="Print every word's part as JSON.")
def explain(
    as_json: bool, adapter: str | None, base: str | None, rule: str | None, **options: Any
) -> None:
    """Show which words of one review moved each verdict to its label, and by how much.

    Words are judged by integrated gradients: their parts add up to the label's probability less
    that of a review in which nothing is said. Nothing of it is written anywhere.

    \b
    Example:
      drugmon explain --benefits "No more headaches." --side-effects "Slept badly for a week."
    """
    from drugmon.cli.output.explanations import print_explanations
    from drugmon.workflows.model import Model

    engine = engine_config(options)
    review = asked(options)
    with Model(adapter, base=base, rule=rule, engine=engine) as model:
        print_explanations(model.explain(**review), as_json=as_json)


@click.command()
@click.argument("source")
@click.option("--table", metavar="NAME", help="The scored table of a DuckDB database.")
@click.option("--where", metavar="SQL", help="Only rows that meet this condition.")
@click.option("--sort", metavar="COLUMNS", callback=listed, help="Sort by these; -NAME falls.")
@click.option(
    "--columns",
    "shown_columns",
    metavar="COLUMNS",
    callback=listed,
    help="Columns to show beside the verdicts.  [default: id, drug, rating]",
)
@click.option("--texts", is_flag=True, help="Show the words of the reviews too.")
@click.option("--limit", type=click.IntRange(min=1), default=20, help="How many rows to show.")
@click.option("--json", "as_json", is_flag=True, help="Print one machine-readable summary.")
@click.option(
    "--lock-timeout",
    type=click.FloatRange(min=0),
    default=30.0,
    metavar="SECONDS",
    help="How long to wait for a database that another process has open.",
)
@source_options
def show(as_json: bool, **options: Any) -> None:
    """Show rows of a scored file or table with their verdicts, without the texts.

    SOURCE is a scored file, a glob or folder of them, or a DuckDB database with --table. --where
    and --sort may name the source's own columns and those of the verdicts.

    \b
    Example:
      drugmon show reviews.scored.parquet --limit 50
      drugmon show w.duckdb --table reviews --where "overall_sentiment = 'negative'"
      drugmon show reviews.scored.csv --sort -overall_p_negative --columns id,drug --texts
    """
    from drugmon.cli.output import verdicts as output
    from drugmon.workflows.show import ShowConfig
    from drugmon.workflows.show import show as run

    fields, columns, sort = (
        options.pop("columns"),
        options.pop("shown_columns"),
        options.pop("sort"),
    )
    config = ShowConfig(fields=fields, columns=columns, sort=sort or (), **options)
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
