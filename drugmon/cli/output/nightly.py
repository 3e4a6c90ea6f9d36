"""What the nightly commands print: lines while the night goes on, and one to grep at its end."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from drugmon.cli.output.lines import print_json, say
from drugmon.cli.output.terminal import console, text

if TYPE_CHECKING:
    from drugmon.workflows.demo import DemoResult
    from drugmon.workflows.nightly.check import Checked
    from drugmon.workflows.nightly.result import NightResult

_LOGGER = "drugmon.nightly"


class _Lines(logging.StreamHandler[Any]):
    """Prints each record as one line that cannot act on a terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print `record`."""
        say(self.format(record), err=True)


@contextmanager
def lines_of_the_night(*, as_json: bool, quiet: bool) -> Iterator[None]:
    """What the night says goes to standard error, line by line; errors only when `quiet`."""
    handler = _Lines()
    handler.setLevel(logging.ERROR if quiet else logging.INFO)
    handler.setFormatter(logging.Formatter("drugmon nightly: %(message)s"))
    if not (as_json or quiet):  # then the last line is printed by `print_night`
        handler.addFilter(lambda record: not hasattr(record, "last"))
    logger = logging.getLogger(_LOGGER)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def print_night(result: NightResult, *, as_json: bool, quiet: bool) -> None:
    """The night in one line, or as JSON."""
    if as_json:
        sources = [
            {
                "name": source.name,
                "status": source.status,
                "page": source.page and str(source.page),
                "failures": source.failures,
                "scored_run": source.score and source.score.run_id,
            }
            for source in result.sources
        ]
        print_json(
            {
                "outcome": result.outcome,
                "exit_code": result.exit_code,
                "gate": result.gate,
                "pages": str(result.pages),
                "seconds": result.seconds,
                "sources": sources,
            }
        )
    elif not quiet:
        say(f"drugmon nightly: {result.line}")


def print_checked(checks: Sequence[Checked], *, as_json: bool, quiet: bool) -> None:
    """What a night needs and whether it is there; what is missing also where `quiet`."""
    wrong = sum(not check.ok for check in checks)
    if as_json:
        print_json({"ok": not wrong, "checked": [asdict(check) for check in checks]})
        return
    table = Table("", "source", "what", "found", header_style="bold", box=SIMPLE_HEAD)
    for check in checks:
        mark = text("ok", "green") if check.ok else text("WRONG", "bold red")
        if not (quiet and check.ok):
            table.add_row(mark, text(check.source), text(check.what), text(check.says))
    if table.row_count:
        console().print_table(table)
    if not quiet:
        outcome = (
            f"failed {wrong} of {len(checks)} are wrong" if wrong else f"ok {len(checks)} looked at"
        )
        say(f"drugmon nightly --check: {outcome}")


def print_demo(result: DemoResult, *, quiet: bool) -> None:
    """What the nights came to, and the page to open."""
    if quiet:
        return
    counts = Counter(result.statuses)
    told = ", ".join(f"{counts[status]} {status}" for status in sorted(counts)) or "made earlier"
    say(f"{len(result.statuses) or 'The'} nights of invented reviews: {told}")
    say(f"drugmon demo: ok open {result.index}")
