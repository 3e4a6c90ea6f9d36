"""What tune, compare and experiment print: tables for people, JSON for programs, a last line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Column, Table

from drugmon.cli.output.lines import print_json, say, write_csv_rows
from drugmon.cli.output.terminal import console, text
from drugmon.data.verdicts.atomic import replacing

if TYPE_CHECKING:
    from drugmon.reports.comparison import CascadeCurve, ModelComparison, Stage
    from drugmon.statistics.figures import Interval
    from drugmon.statistics.significance import Difference
    from drugmon.training.trials.trials import TrialResult
    from drugmon.workflows.train.experiment import ExperimentResult
    from drugmon.workflows.train.tune import TuneResult


def print_trials(result: TuneResult, *, as_json: bool, quiet: bool) -> None:
    """The trials, the best one marked, and the command that trains it."""
    from drugmon.workflows.train.tune import to_rows

    if as_json:
        return print_json({"trials": to_rows(result), "command": result.command})
    if quiet:
        return None
    keys = list(dict.fromkeys(key for trial in result.trials for key in trial.settings))
    columns = ("loss", "dev accuracy", "dev macro-F1", "trained", "share", "seconds", "memory")
    table = Table("", *keys, *columns, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for trial in result.trials:
        settings = [str(trial.settings.get(key, "-")) for key in keys]
        style = "bold green" if trial is result.best else None
        mark = "best" if trial is result.best else str(trial.number + 1)
        table.add_row(mark, *settings, *_measured(trial), style=style)
    screen = console()
    screen.print_table(table)
    for trial in result.trials:
        if trial.reason:
            screen.print(text(f"trial {trial.number + 1} {trial.state}: {trial.reason}"))
    if result.command is not None:
        screen.print("Chosen by macro-F1 on dev, which flatters the best of many; this trains it:")
        say(result.command)
    else:
        tied = " and ".join(str(trial.number + 1) for trial in result.highest)
        say(
            f"Trials {tied} tie on dev: none is the best. Tell them apart by what they cost, by "
            "more reviews, or with drugmon compare on others."
        )
    done = sum(trial.state == "done" for trial in result.trials)
    best = "none" if result.best is None else result.best.number + 1
    top = result.highest[0].measured
    say(
        f"drugmon tune: ok trials={len(result.trials)} done={done} best={best}"
        + (f" dev_macro_f1={top.dev_macro_f1:.3f}" if top else "")
    )
    return None


def write_csv(result: TuneResult, path: Path) -> None:
    """The table of trials as CSV, whole or not at all."""
    from drugmon.workflows.train.tune import to_rows

    rows = to_rows(result)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        write_csv_rows(file, rows)


def print_comparison(
    comparison: ModelComparison, *, as_json: bool, quiet: bool, command: str = "compare"
) -> None:
    """The figures of every stage, target by target, overall first.

    Args:
        comparison: what was measured.
        as_json: as one line of JSON instead.
        quiet: print nothing but JSON.
        command: which the last line begins with.
    """
    from drugmon.workflows.compare.compare import to_json

    if as_json:
        return print_json(to_json(comparison))
    if quiet:
        return None
    screen = console()
    for target in comparison.targets:
        screen.print_table(_target_table(comparison, target))
    screen.print_table(_cost_table(comparison))
    if curve := comparison.cascade:
        told = (
            f"With {curve.second} behind {curve.first}, on {curve.rows:,} reviews that both held "
            f"out (reviews/s by what both took for {comparison.source}):"
        )
        screen.print(text(told))
        for target in comparison.targets:
            screen.print_table(_cascade_table(curve, target))
    for title, reason in comparison.missing.items():
        screen.print(text(f"{title}: no figures, {reason}"))
    target = comparison.targets[0]
    best = comparison.best(target)
    reason = "the figures are not to be believed" if comparison.warnings else "a tie"
    said = f"best=none ({reason})"
    if best is not None:
        value = best.qualities[target].macro_f1.value
        said = f'best="{best.title}" {target}_macro_f1={value:.3f}'
    say(
        f"drugmon {command}: ok stages={len(comparison.stages)} rows={comparison.rows} {said}",
    )
    return None


def print_experiment(result: ExperimentResult, *, as_json: bool, quiet: bool) -> None:
    """The comparison of all stages, and where its page is."""
    if not as_json and not quiet:
        say(f"wrote {result.page}")
    print_comparison(result.comparison, as_json=as_json, quiet=quiet, command="experiment")


def _interval(interval: Interval) -> str:
    if interval.value is None:
        return "-"
    return f"{interval.value:.3f} ({interval.low:.3f}-{interval.high:.3f})"


def _measured(trial: TrialResult) -> list[str]:
    measured = trial.measured
    if measured is None:
        return [trial.state, *["-"] * 6]
    return [
        f"{measured.average_loss:.3f}",
        f"{measured.dev_accuracy:.3f}",
        f"{measured.dev_macro_f1:.3f}",
        f"{measured.trainable_parameters:,}",
        f"{measured.trainable_share:.2%}",
        f"{measured.seconds:,.0f}",
        f"{measured.peak_memory / 1e9:.2f} GB",
    ]


def _target_table(comparison: ModelComparison, target: str) -> Table:
    from drugmon.reports.comparison import COLUMNS

    best = comparison.best(target)
    table = Table(Column(target, overflow="fold"), header_style="bold")
    for _, title in COLUMNS:
        table.add_column(title)
    table.add_column("macro-F1 against the first")
    for stage in comparison.stages:
        quality = stage.qualities.get(target)
        if quality is None:
            table.add_row(text(stage.title), *["-"] * (len(COLUMNS) + 1))
            continue
        figures = [_interval(getattr(quality, name)) for name, _ in COLUMNS]
        gap = _gap(stage.differences.get(target))
        style = "bold green" if stage is best else None
        table.add_row(text(stage.title), *figures, gap, style=style)
    return table


def _gap(difference: Difference | None) -> str:
    if difference is None or difference.macro_f1.value is None:
        return "-"
    gap = difference.macro_f1
    return f"{gap.value:+.3f} ({gap.low:+.3f} to {gap.high:+.3f}), p={difference.macro_f1_p:.3f}"


def _cost_table(comparison: ModelComparison) -> Table:
    table = Table("", "trained parameters", "share", "seconds", "memory", "reviews/s")
    for column in table.columns[1:]:
        column.justify = "right"
    for stage in comparison.stages:
        table.add_row(text(stage.title), *_cost(stage), f"{stage.speed:,.1f}")
    return table


def _cascade_table(curve: CascadeCurve, target: str) -> Table:
    """A target's figures by share sent on, on the reviews that both adapters held out."""
    table = Table(
        Column(f"{target}, sent on", overflow="fold"), "Accuracy", "Macro-F1", "ECE", "reviews/s"
    )
    for point in curve.points:
        quality = point.qualities.get(target)
        if quality is not None:
            figures = [
                _interval(figure) for figure in (quality.accuracy, quality.macro_f1, quality.ece)
            ]
            table.add_row(f"{point.sent:.1%}", *figures, f"{point.speed:,.1f}")
    return table


def _cost(stage: Stage) -> list[str]:
    training = stage.training
    if training is None:
        return ["0", "0%", "-", "-"]
    memory = f"{training.peak_memory_bytes / 1e9:.2f} GB" if training.peak_memory_bytes else "-"
    return [
        f"{training.trainable_parameters:,}",
        f"{training.share:.2%}",
        f"{training.seconds:,.0f}",
        memory,
    ]
