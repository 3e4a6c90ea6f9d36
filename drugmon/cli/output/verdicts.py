"""What the commands print: rich tables for people, JSON for programs, last lines for grep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from drugmon.cli.output.lines import print_json, say, warn
from drugmon.cli.output.terminal import console, print_markdown, text
from drugmon.labels import LABELS

if TYPE_CHECKING:
    from drugmon.models.adapters.adapter import Adapter, Unreadable
    from drugmon.reports.evaluation import Evaluation
    from drugmon.statistics.figures import Interval, Quality
    from drugmon.workflows.doctor import Diagnosis
    from drugmon.workflows.predict import Verdict
    from drugmon.workflows.score.score import ScoreResult
    from drugmon.workflows.show import Shown
    from drugmon.workflows.train.train import TrainResult

STYLES: Final = {"negative": "red", "neutral": "yellow", "positive": "green"}
BAR_WIDTH: Final = 20
WIDE: Final = 96
"""Columns of a terminal from which a scored file is shown with its ratings."""


def complain(failures: Sequence[str]) -> None:
    """Say what failed although the run went on."""
    for failure in failures:
        say(f"drugmon: error: {failure}", err=True)


def print_score(result: ScoreResult, *, as_json: bool, quiet: bool, to_stderr: bool) -> None:
    """The summary of a score run; its last line begins with `drugmon score: ok`, or `failed`.

    Args:
        result: the run.
        as_json: as one line of JSON instead.
        quiet: print nothing else.
        to_stderr: as standard output has the verdicts.
    """
    if as_json:
        return print_json(asdict(result), to_stderr=to_stderr)
    if quiet:
        return None
    for output in result.outputs:
        say(f"{'would write' if result.dry_run else 'wrote'} {output}", err=to_stderr)
    verb = "to score" if result.dry_run else "scored"
    on = f" on {result.compute}" if result.compute else ""
    sent_on = f" sent_on={result.sent_on}" if result.sent_on is not None else ""
    failed = f" failed={len(result.failures)}" if result.failures else ""
    state = "failed" if result.failures else "ok"
    say(
        f"drugmon score: {state} run={result.run_id} adapter={result.adapter} "
        f"total={result.total} {verb.replace(' ', '_')}={result.scored}{sent_on} "
        f"reused={result.reused} empty={result.empty} seconds={result.seconds:.1f}{failed}{on}",
        err=to_stderr,
    )
    return None


def print_training(result: TrainResult, *, as_json: bool, quiet: bool) -> None:
    """The figures of a new adapter."""
    manifest = result.adapter.manifest
    if as_json:
        return print_json(
            {
                "adapter": manifest.identity,
                "folder": str(result.adapter.folder),
                "measured_on": result.measured_on,
                "seconds": result.seconds,
                "targets": {t: quality.to_dict() for t, quality in result.qualities.items()},
            }
        )
    if quiet:
        return None
    screen = console()
    screen.print(f"Held-out figures ({result.measured_on}), 95 % intervals:")
    screen.print_table(_quality_table(result.qualities))
    if (told := manifest.training) is not None:
        trained, whole = told.trainable_parameters, told.all_parameters
        screen.print(
            f"{trained:,} of {whole:,} parameters trained ({trained / whole:.2%}), "
            f"{(told.peak_memory or 0) / 1e9:.1f} GB of memory at most"
        )
    say(
        f"drugmon train: ok adapter={manifest.identity} folder={result.adapter.folder} "
        f"{_macro_f1_of(result.qualities)} seconds={result.seconds:.0f}"
    )
    return None


def print_evaluation(evaluation: Evaluation, *, as_json: bool, quiet: bool) -> None:
    """The figures of an evaluation."""
    from drugmon.workflows.compare.evaluate import to_json

    if as_json:
        return print_json(to_json(evaluation))
    if quiet:
        return None
    screen = console()
    screen.print_table(_quality_table(evaluation.qualities))
    for target, quality in evaluation.qualities.items():
        screen.print_table(_class_table(target, quality))
    for part in evaluation.left_out:
        where = part.target or "all targets"
        screen.print(f"left out of {where}: {part.rows:,} reviews, {part.reason}")
    say(
        f"drugmon evaluate: ok adapter={evaluation.adapter} rows={evaluation.rows} "
        f"{_macro_f1_of(evaluation.qualities)}"
    )
    return None


def print_verdicts(verdicts: Sequence[Verdict], *, as_json: bool, with_judge: bool) -> None:
    """One review's verdicts with confidence bars.

    Args:
        verdicts: those of the targets that have a text.
        as_json: as JSON instead.
        with_judge: say who judged, as there are two adapters.
    """
    if as_json:
        told = [asdict(verdict) | {"likeliest": verdict.likeliest} for verdict in verdicts]
        return print_json({"verdicts": told})
    table = Table("target", "verdict", "confidence", *LABELS, box=None, pad_edge=False)
    for verdict in verdicts:
        filled = round(verdict.confidence * BAR_WIDTH)
        bar = text("█" * filled + "░" * (BAR_WIDTH - filled) + f" {verdict.confidence:.0%}")
        bar.stylize(STYLES[verdict.label])
        shares = [
            text(f"{share:.2f}", style="bold" if label == verdict.likeliest else "")
            for label, share in verdict.probabilities.items()
        ]
        label = text(verdict.label, style=STYLES[verdict.label])
        table.add_row(verdict.target, label, bar, *shares)
    screen = console()
    screen.print_table(table)
    for verdict in verdicts:
        if verdict.likeliest != verdict.label:
            screen.print(
                f"{verdict.target}: the balanced rule says {verdict.label}; {verdict.likeliest} "
                "has the largest probability, and --rule likeliest goes by it"
            )
    if with_judge:
        screen.print(f"judged by {verdicts[0].adapter}")
    return None


def print_shown(shown: Shown, *, as_json: bool = False) -> None:
    """The verdicts of some rows, and how the labels are spread over all that were chosen."""
    if as_json:
        rows = [
            {
                **{name: cells[number] for name, cells in shown.context.items()},
                **{
                    target: None
                    if verdict is None
                    else {"label": verdict[0], "confidence": verdict[1]}
                    for target, verdict in verdicts.items()
                },
            }
            for number, verdicts in enumerate(shown.verdicts)
        ]
        about = {"total": shown.total, "counts": shown.counts, "adapters": shown.adapters}
        return print_json({**about, "rows": rows})
    screen = console()
    targets = list(shown.counts)
    # A narrow terminal has room for id and drug beside four verdicts.
    context = list(shown.context)
    if screen.width < WIDE and len(targets) > 1 and set(context) <= {"id", "drug", "rating"}:
        context = context[:2]
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for name in context:
        table.add_column(
            text(name), no_wrap=len(context) < 4, max_width=24 if len(context) < 4 else None
        )
    for target in targets:
        table.add_column(target, no_wrap=True, min_width=len("positive 99%"))
    for number, verdicts in enumerate(shown.verdicts):
        cells = [text(_cell(shown.context[name][number])) for name in context]
        table.add_row(*cells, *(_verdict(verdicts[target]) for target in targets))
    screen.print_table(table)
    if shown.total > len(shown.verdicts):
        screen.print(f"... and {shown.total - len(shown.verdicts):,} more rows")
    shares = Table("all of these rows", *LABELS, "no verdict", box=SIMPLE_HEAD, pad_edge=False)
    for column in shares.columns[1:]:
        column.justify = "right"
    for target, counts in shown.counts.items():
        none = shown.total - sum(counts.values())
        shares.add_row(target, *(f"{counts[label]:,}" for label in LABELS), f"{none:,}")
    if shown.counts:
        screen.print_table(shares)
    by = f", scored by {', '.join(shown.adapters)}" if shown.adapters else ""
    screen.print(text(f"{shown.total:,} rows{by}"))
    return None


def print_findings(findings: Sequence[Diagnosis], *, as_json: bool) -> None:
    """What the doctor found."""
    if as_json:
        return print_json({"findings": list(map(asdict, findings))})
    marks = {True: text("ok", "green"), False: text("WRONG", "bold red"), None: text("")}
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        table.add_row(marks[finding.ok], text(finding.subject), text(finding.says))
    console().print_table(table)
    return None


def print_adapters(adapters: Sequence[Adapter | Unreadable], *, as_json: bool) -> None:
    """The adapters there are; below the table, those that cannot be read."""
    from drugmon.models.adapters.adapter import Unreadable

    broken = [adapter for adapter in adapters if isinstance(adapter, Unreadable)]
    whole = [adapter for adapter in adapters if not isinstance(adapter, Unreadable)]
    if as_json:
        named = [{"name": a.manifest.identity, "folder": str(a.folder)} for a in whole]
        wrong = [
            {"name": b.folder.name, "folder": str(b.folder), "error": b.reason} for b in broken
        ]
        return print_json({"adapters": [*named, *wrong]})
    table = Table("adapter", "base", "targets", "overall macro-F1", "folder", header_style="bold")
    for adapter in whole:
        manifest = adapter.manifest
        quality = manifest.qualities.get("overall")
        overall = quality.macro_f1.value if quality else None
        table.add_row(
            manifest.identity,
            manifest.base.name,
            ", ".join(manifest.targets),
            f"{overall:.3f}" if overall is not None else "-",
            str(adapter.folder),
        )
    console().print_table(table)
    for unreadable in broken:
        warn(f"adapter {unreadable.folder.name}: {unreadable.reason}")
    return None


def print_adapter(adapter: Adapter, *, as_json: bool) -> None:
    """An adapter's card, or its manifest."""
    if as_json:
        return print_json({"digest": adapter.manifest.digest, **adapter.manifest.to_dict()})
    _, _, body = adapter.card.removeprefix("---\n").partition("\n---\n")
    print_markdown(body or adapter.card)
    return None


def _quality_table(qualities: Mapping[str, Quality]) -> Table:
    from drugmon.reports.evaluation import METRICS

    table = Table("", *qualities, header_style="bold")
    table.add_row("reviews", *(f"{quality.n:,}" for quality in qualities.values()))
    for field, title in METRICS:
        table.add_row(title, *(_interval(getattr(q, field)) for q in qualities.values()))
    return table


def _class_table(target: str, quality: Quality) -> Table:
    columns = ("precision", "recall", "F1", "reviews", *(f"as {label}" for label in LABELS))
    table = Table(target, *columns, header_style="bold")
    for of_class, row in zip(quality.classes, quality.confusion, strict=True):
        figures = [
            _interval(interval) for interval in (of_class.precision, of_class.recall, of_class.f1)
        ]
        table.add_row(of_class.label, *figures, f"{of_class.support:,}", *(f"{n:,}" for n in row))
    return table


def _interval(interval: Interval) -> str:
    if interval.value is None:
        return "-"
    if interval.low is None or interval.high is None:
        return f"{interval.value:.3f}"
    return f"{interval.value:.3f} ({interval.low:.3f}-{interval.high:.3f})"


def _macro_f1_of(qualities: Mapping[str, Quality]) -> str:
    """Each target's macro-F1 by name, as `drugmon compare` tells it, so that both agree."""
    return " ".join(
        f"{target}_macro_f1={quality.macro_f1.value:.3f}"
        for target, quality in qualities.items()
        if quality.macro_f1.value is not None
    )


def _verdict(verdict: tuple[str, float] | None) -> Text:
    if verdict is None:
        return text("-", style="dim")
    label, confidence = verdict
    # Nothing is certain, and two digits keep the columns narrow.
    return text(f"{label} {min(confidence, 0.99):.0%}", style=STYLES[label])


def _cell(value: object) -> str:
    return "" if value is None else str(value)
