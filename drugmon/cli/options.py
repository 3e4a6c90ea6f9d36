"""Options that several commands share."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from drugmon.config import DEFAULT_ADAPTER, RULES, EngineConfig
from drugmon.data.textformat import CHECKED, QUOTING, TextFormat
from drugmon.labels import ASPECTS

if TYPE_CHECKING:
    from drugmon.grading import GradingChoice

Command = TypeVar("Command", bound=Callable[..., Any])

adapter_option = click.option(
    "--adapter", default=DEFAULT_ADAPTER, help="A shipped adapter, or a folder."
)


def model_options(command: Command) -> Command:
    """Add the options of what scores: an adapter, or a base by itself, and how it decides."""
    for option in (
        click.option(
            "--rule",
            type=click.Choice(RULES),
            help="What decides the label: balanced is fair to the rare neutral, likeliest takes "
            "the largest probability and is right most often.  [default: the adapter's own]",
        ),
        click.option(
            "--base",
            metavar="NAME",
            help="Score with a base by itself (zero-shot): flan-t5-base, a folder, or a hub id.",
        ),
        click.option(
            "--adapter", help=f"A shipped adapter, or a folder.  [default: {DEFAULT_ADAPTER}]"
        ),
    ):
        command = option(command)
    return command


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
            type=click.Choice(["auto", "fp32", "bf16", "int8"]),
            default="auto",
            help="Number format; auto is the fastest that the hardware multiplies.",
        ),
        click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N."),
    ):
        command = option(command)
    return command


def review_options(command: Command) -> Command:
    """Add the texts of one review."""
    for option in (
        click.option("--text", help="A review in one piece; gives the overall verdict only."),
        click.option("--comments", help="Anything else that was said."),
        click.option("--side-effects", help="What else it did."),
        click.option("--benefits", help="What the drug did for the reviewer."),
    ):
        command = option(command)
    return command


def asked(texts: dict[str, Any]) -> dict[str, Any]:
    """The texts of `review_options`, asked for on a terminal where none is given."""
    if any(texts.values()) or not sys.stdin.isatty():
        return texts
    for name in ASPECTS:
        texts[name] = click.prompt(name.replace("_", " "), default="", show_default=False)
    return texts


def source_options(command: Command) -> Command:
    """Add the options of how to read a source; `command` is called with a `text_format`."""

    @functools.wraps(command)
    def read(*args: Any, encoding: str, quoting: str, delimiter: str, **options: Any) -> Any:
        text_format = TextFormat(encoding, quoting, delimiter)
        return command(*args, text_format=text_format, **options)

    return _with_source_options(cast(Command, read))


def _with_source_options(command: Command) -> Command:
    for option in (
        click.option(
            "--quoting",
            type=click.Choice(QUOTING),
            default=CHECKED,
            help="What quotes mean in csv and tsv: none reads them as text.",
        ),
        click.option(
            "--delimiter",
            metavar="CHARACTER",
            help="What separates cells, such as ';' or tab.  [default: , in csv, tab in tsv]",
        ),
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


def listed(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> tuple[str, ...] | None:
    """The callback of an option that takes several names with commas between."""
    if value is None:
        return None
    return tuple(part.strip() for part in value.split(",") if part.strip())


def grading_options(command: Command) -> Command:
    """Add the options of what the graded columns of a source mean."""
    for option in (
        click.option(
            "--label",
            "words",
            multiple=True,
            metavar="WORD=LABEL",
            callback=_words,
            help="What a word in a column of labels means, such as good=positive; may be repeated.",
        ),
        click.option(
            "--rating-scale",
            metavar="LOW-HIGH",
            help="The scale of the ratings, such as 1-5.  [default: 1-10, or the adapter's]",
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
    return _split_pairs(values, "FIELD=NAME")


def _words(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> Any:
    return _split_pairs(values, "WORD=LABEL")


def _split_pairs(values: tuple[str, ...], form: str) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    for value, (field, equals, name) in zip(values, pairs, strict=True):
        if not (field and equals and name):
            raise click.BadParameter(f"{value!r} is not of the form {form}")
    return {field: name for field, _, name in pairs}


def grading_choice(options: dict[str, Any]) -> GradingChoice:
    """Take the grading's options out of a command's."""
    from drugmon.grading import GradingChoice

    return GradingChoice(options.pop("rating_scale"), options.pop("words"))


def engine_config(options: dict[str, Any]) -> EngineConfig:
    """Take the engine's options out of a command's."""
    names = ("device", "dtype", "threads", "batch_tokens")
    return EngineConfig(**{name: options.pop(name) for name in names})
