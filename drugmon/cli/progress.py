"""Progress: a live bar on a terminal, a line every half minute in a log, nothing when quiet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from drugmon.cli.output.lines import say
from drugmon.cli.output.terminal import Screen
from drugmon.wording import one_line

if TYPE_CHECKING:
    from drugmon.training.loop.progress import Progress as TrainingProgress
    from drugmon.workflows.score.run import ScoreProgress

EVERY_SECONDS: Final = 30.0


@dataclass
class Ticker:
    """Says where a long work is: `update(done, total, note)`."""

    title: str
    bar: Progress | None
    began: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)

    def update(self, done: int, total: int | None, note: str) -> None:
        """Move the bar; or, in a log, say a line when it is time."""
        if self.bar is not None:
            if not self.bar.tasks:
                # rich's default for the total is 100.
                self.bar.add_task(one_line(self.title), total=None, note="")
            self.bar.tasks[0].total = total  # `update` keeps the earlier total for None
            self.bar.update(
                self.bar.tasks[0].id,
                completed=done,
                total=total,
                note=one_line(note),
                description=one_line(self.title),
            )
        elif time.monotonic() - self.said >= EVERY_SECONDS:
            self.said = time.monotonic()
            of = f" of {total:,}" if total else ""
            say(f"drugmon: {self.title}: {done:,}{of}, {note}", err=True)


@contextmanager
def ticker(title: str, quiet: bool) -> Iterator[Ticker | None]:
    """A ticker on standard error, None when `quiet`."""
    console = Screen(stderr=True, markup=False, emoji=False)
    if quiet:
        yield None
    elif console.is_terminal:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[note]}", markup=False),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as bar:
            yield Ticker(title, bar)
    else:
        yield Ticker(title, None)


@contextmanager
def rows_progress(quiet: bool, title: str) -> Iterator[Callable[[ScoreProgress], None]]:
    """Progress of a score run: rows done, and reviews a second where the model is at work."""
    with ticker(title, quiet) as tick:
        # Per source: when its first reviews were scored, and how many those were.
        first: dict[str, tuple[float, int]] = {}

        def report(progress: ScoreProgress) -> None:
            if tick is None:
                return
            note = "reading"
            if progress.scored:
                since, before = first.setdefault(
                    progress.source, (time.monotonic(), progress.scored)
                )
                seconds = time.monotonic() - since
                rate = (progress.scored - before) / seconds if seconds > 1 else None
                speed = f"{rate:,.0f} reviews/s" if rate else "..."
                note = f"{progress.scored:,} scored, {speed}"
            tick.update(progress.done, progress.total, note)

        yield report


@contextmanager
def count_progress(quiet: bool, title: str) -> Iterator[Callable[[int, int], None]]:
    """Progress that is one count of another."""
    with ticker(title, quiet) as tick:

        def report(done: int, total: int) -> None:
            if tick is not None:
                tick.update(done, total, f"{done / (time.monotonic() - tick.began):,.0f}/s")

        yield report


@contextmanager
def bytes_progress(quiet: bool, title: str) -> Iterator[Callable[[int, int | None], None]]:
    """Progress of a download: bytes that are there, of how many."""
    with ticker(title, quiet) as tick:

        def report(done: int, total: int | None) -> None:
            if tick is not None:
                tick.update(done, total, f"{done / 1e6:,.0f} MB")

        yield report


@contextmanager
def work_progress(quiet: bool) -> Iterator[Callable[[str, int, int, str], None]]:
    """Progress of one piece of work after the other: its name, its counts, and a note."""
    with ticker("working", quiet) as tick:

        def report(title: str, done: int, total: int, note: str) -> None:
            if tick is not None:
                tick.update(done, total, f"{title}, {note}")

        yield report


@contextmanager
def trial_progress(
    quiet: bool,
) -> Iterator[Callable[[int, int, Mapping[str, object], TrainingProgress], None]]:
    """Progress of trials: which one, its settings, its loss and dev macro-F1."""
    with ticker("tuning", quiet) as tick:

        def report(
            number: int, total: int, settings: Mapping[str, object], progress: TrainingProgress
        ) -> None:
            if tick is None:
                return
            settings_told = " ".join(f"{key}={value}" for key, value in settings.items())
            tick.title = f"trial {number} of {total}" if number else "teachers"
            dev = progress.dev_macro_f1
            score_told = f", dev macro-F1 {dev:.3f}" if dev is not None else ""
            note = ", ".join(filter(None, [settings_told, progress.note]))
            tick.update(progress.step, progress.steps, f"{note}{score_told}")

        yield report


@contextmanager
def steps_progress(quiet: bool, title: str) -> Iterator[Callable[[str], None]]:
    """Progress of a work of few steps: what is being done."""
    with ticker(title, quiet) as tick:

        def report(step: str) -> None:
            if tick is not None:
                tick.update(0, None, step)

        yield report


@contextmanager
def demo_progress(
    quiet: bool,
) -> Iterator[tuple[Callable[[ScoreProgress], None], Callable[[int, int], None]]]:
    """Progress of a demo, which scores and then reports night after night, in one bar."""
    with ticker("demo", quiet) as tick:

        def scored(progress: ScoreProgress) -> None:
            if tick is not None:
                tick.update(progress.done, progress.total, "reviews scored")

        def reported(done: int, total: int) -> None:
            if tick is not None:
                tick.update(done, total, "nights reported")

        yield scored, reported


@contextmanager
def training_progress(quiet: bool) -> Iterator[Callable[[str, TrainingProgress], None]]:
    """Progress of training: loss, dev macro-F1 of the last epoch, time left."""
    with ticker("training", quiet) as tick:

        def report(stage: str, progress: TrainingProgress) -> None:
            if tick is None:
                return
            tick.title = f"training ({stage})"
            dev = progress.dev_macro_f1
            score_told = f", dev macro-F1 {dev:.3f}" if dev is not None else ""
            left = f", {progress.seconds_left / 60:.0f} min left"
            tick.update(progress.step, progress.steps, f"{progress.note}{score_told}{left}")

        yield report
