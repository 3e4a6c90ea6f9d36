"""What the nightly commands print: lines while the night goes on, and one to grep at its end."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drugmon.cli.output.verdicts import print_json

if TYPE_CHECKING:
    from drugmon.workflows.demo import DemoResult
    from drugmon.workflows.nightly.result import NightResult

_LOGGER = "drugmon.nightly"


@contextmanager
def lines_of_the_night(*, as_json: bool, quiet: bool) -> Iterator[None]:
    """What the night says goes to standard error, line by line; errors only when `quiet`."""
    handler = logging.StreamHandler(sys.stderr)
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
        print(f"drugmon nightly: {result.line}", flush=True)


def print_demo(result: DemoResult, *, quiet: bool) -> None:
    """What the nights came to, and the page to open."""
    if quiet:
        return
    counts = Counter(result.statuses)
    told = ", ".join(f"{counts[status]} {status}" for status in sorted(counts)) or "made earlier"
    print(f"{len(result.statuses) or 'The'} nights of invented reviews: {told}")
    print(f"drugmon demo: ok open {result.index}", flush=True)
