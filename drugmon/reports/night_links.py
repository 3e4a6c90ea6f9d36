"""Links from a night's page to those before and after it, which come and go with the nights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from drugmon.data.history.records import ReportRecord
from drugmon.data.verdicts.atomic import replacing

LINKS: Final = "<!--nights--><!--/nights-->"
"""What a page has where the links go."""

_PLACE: Final = re.compile(r"<!--nights-->.*?<!--/nights-->", re.DOTALL)
_NAME: Final = re.compile(r"\d{4}-\d{2}-\d{2}-[0-9a-f]+")
_CHANGED: Final = 3
"""So many of the newest pages may lack a link: a killed night may have left the one before it."""


def link_nights(nights: Iterable[ReportRecord], out: Path) -> None:
    """Let the pages in `out` name those of the nights before and after, source by source.

    Only the oldest and the newest pages are looked at: the links of others do not change.

    Raises:
        SinkError: a page cannot be written.
        OSError: one cannot be read.
    """
    by_subject: dict[object, list[ReportRecord]] = {}
    for night in sorted(nights, key=lambda night: (night.created_at, night.report_id)):
        by_subject.setdefault(night.subject, []).append(night)
    for of_source in by_subject.values():
        names = dict.fromkeys(night.page for night in of_source if _NAME.fullmatch(night.page))
        pages = [name for name in names if (out / name / "index.html").is_file()]
        for place in {0, *range(max(0, len(pages) - _CHANGED), len(pages))}:
            if pages:
                _link(out / pages[place] / "index.html", pages, place)


def _link(page: Path, pages: Sequence[str], place: int) -> None:
    links = [
        f'<a href="../{pages[other]}/index.html" rel="{rel}">{says}</a>'
        for other, rel, says in (
            (place - 1, "prev", "Night before"),
            (place + 1, "next", "Night after"),
        )
        if 0 <= other < len(pages)
    ]
    text = page.read_text(encoding="utf-8")
    linked = _PLACE.sub(f"<!--nights-->{''.join(links)}<!--/nights-->", text, count=1)
    if linked != text:
        with replacing(page) as temporary:
            temporary.write_text(linked, encoding="utf-8")
