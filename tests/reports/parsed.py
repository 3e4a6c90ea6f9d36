"""What a test sees of a page: parsed as a browser would, so that a missing end is found."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = {"meta", "link", "br", "img", "input", "hr"}
_VOID_IN_DRAWINGS = {"line", "circle", "polyline", "rect", "path"}


class Page(HTMLParser):
    """Collects what a page holds, and fails where an element ends that is not the innermost one.

    `ids`, `references` to them (aria-labelledby) and `addresses` of links and files are as written;
    `drawings` has for each outermost svg its name, "hidden", or None where it has neither; `open`
    is what was never closed; `text` has white space where a tag stands.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: set[str] = set()
        self.addresses: list[str] = []
        self.drawings: list[str | None] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.references.update((given.get("aria-labelledby") or "").split())
        names = ("src", "href", "action", "data", "srcset")
        self.addresses += [given[name] or "" for name in names if name in given]
        if tag == "svg" and "svg" not in self.open:
            hidden = given.get("aria-hidden") == "true"
            name = given.get("aria-label") or given.get("aria-labelledby")
            self.drawings.append("hidden" if hidden else name)
        self.text += " "
        if tag not in _VOID | _VOID_IN_DRAWINGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.text += " "
        if tag not in _VOID | _VOID_IN_DRAWINGS:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
