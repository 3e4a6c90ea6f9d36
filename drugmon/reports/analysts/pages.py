"""The analysts' pages: evidently's reports beside the morning page, which stands without them."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from drugmon.data.verdicts.atomic import replacing
from drugmon.reports.analysts.evidently_reports import (
    ClassTask,
    EvidentlyInput,
    NotMadeError,
    drift_widgets,
    harmless,
    quality_widgets,
)
from drugmon.reports.pages import environment

if TYPE_CHECKING:
    from evidently.legacy.model.widget import BaseWidgetInfo


__all__ = ["AnalystPage", "ClassTask", "EvidentlyInput", "write_analyst_pages"]


@dataclass(frozen=True)
class AnalystPage:
    """A page beside the morning page: `says` what it holds, or `problem` why it is not there."""

    file: str
    title: str
    says: str = ""
    problem: str | None = None


Maker = Callable[[EvidentlyInput], tuple[list[Any], str]]
"""Gives evidently's widgets, and in words what they are made from."""

MAKERS: Final[tuple[tuple[AnalystPage, Maker], ...]] = (
    (AnalystPage("drift.html", "Drift, column by column"), drift_widgets),
    (AnalystPage("quality.html", "Classification, target by target"), quality_widgets),
)


def write_analyst_pages(
    data: EvidentlyInput | None,
    folder: Path,
    heading: str,
    makers: Sequence[tuple[AnalystPage, Maker]] = MAKERS,
) -> tuple[AnalystPage, ...]:
    """Write `drift.html` and `quality.html` into `folder` where evidently can make them.

    A page that cannot be made is removed where it lies from before.

    Args:
        data: rows of both sides; None for none.
        folder: of the report.
        heading: says on both pages which report they belong to.
        makers: the pages, and what makes each.

    Raises:
        SinkError: a page cannot be written.
    """
    return tuple(_write(page, maker, data, folder, heading) for page, maker in makers)


def import_evidently() -> None:
    """Import evidently, which takes seconds. It sends nothing anywhere, and is told so first."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    importlib.import_module("evidently.presets")


def _write(
    page: AnalystPage, maker: Maker, data: EvidentlyInput | None, folder: Path, heading: str
) -> AnalystPage:
    try:
        html, says = _make(page, maker, data, heading)
    except NotMadeError as error:
        problem = str(error)
    except Exception as error:  # evidently raises whatever the libraries below it raise
        problem = f"evidently stopped ({type(error).__name__})."
    else:
        with replacing(folder / page.file) as path:
            path.write_text(html, encoding="utf-8")
        return replace(page, says=says)
    (folder / page.file).unlink(missing_ok=True)
    return replace(page, problem=problem)


def _make(
    page: AnalystPage, maker: Maker, data: EvidentlyInput | None, heading: str
) -> tuple[str, str]:
    if data is None:
        raise NotMadeError("The report was made without samples of rows.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_evidently()
        widgets, says = maker(harmless(data))
        return _framed(widgets, page.title, heading), says


def _framed(widgets: list[BaseWidgetInfo], title: str, heading: str) -> str:
    """evidently's page with what it lacks: a title, a heading, the way back, and a policy."""
    from evidently.core.metric_types import render_widgets

    html = render_widgets(widgets, as_iframe=False)
    head = environment().get_template("analysts_head.html").render(title=title, heading=heading)
    bar = environment().get_template("analysts_bar.html").render(title=title, heading=heading)
    framed: str = html.replace("<head>", f"<head>\n{head}", 1).replace(
        "<body>", f"<body>\n{bar}", 1
    )
    return framed
