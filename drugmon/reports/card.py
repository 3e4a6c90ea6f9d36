"""The model card of an adapter: its README.md, from what the manifest says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from jinja2 import Environment

from drugmon.models.adapters.manifest import rule_of
from drugmon.models.files import CHECKPOINT, HELD_OUT, RANGES, SEEN
from drugmon.reports.comparison import PAGE_ORDER, CascadeCurve
from drugmon.reports.evaluation import METRICS
from drugmon.reports.pages import UNDEFINED, environment, figure
from drugmon.statistics.figures import Interval, Quality

HUB_LICENCES: Final = frozenset(
    {
        "apache-2.0",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc-by-4.0",
        "cc-by-nc-4.0",
        "cc-by-nc-sa-4.0",
        "cc-by-sa-4.0",
        "cc0-1.0",
        "mit",
    }
)
"""Licence identifiers that model hubs know; any other goes under `license_name`."""

HUB_ID: Final = re.compile(r"(?:https://huggingface\.co/)?([\w-][\w.-]*/[\w-][\w.-]*)(?:@\w+)?")
"""`owner/name` on the hub, as an id (perhaps with its revision) or as an address."""


_BEHIND: Final = "\n## Training data\n"
"""Before it stand figures, and behind it what the adapter is made of."""


class Licence(NamedTuple):
    """A licence in front matter: the hub's `id`, and `name` where the id is "other"."""

    id: str
    name: str | None


class WeakLabel(NamedTuple):
    """The label of `target` with the lowest F1."""

    target: str
    label: str
    f1: float
    support: int


def render_card(
    manifest: Mapping[str, Any],
    qualities: Mapping[str, Quality],
    command: str,
    likeliest: Mapping[str, Quality] | None = None,
    lone: Mapping[str, Quality] | None = None,
) -> str:
    """The card as Markdown with front matter for model hubs.

    The adapter goes under its base's licence. Text from the manifest is written so that it cannot
    add to the card's structure.

    Raises jinja2.UndefinedError where `manifest` lacks a key that the card needs.

    Args:
        manifest: an adapter's, with the `digests` of its files.
        qualities: of its held-out reviews, by target.
        command: the line that trains the adapter again.
        likeliest: those of the likeliest labels.
        lone: those of overall on lone texts, by rule.
    """
    return (
        _templates()
        .get_template("card.md")
        .render(
            manifest=manifest,
            qualities=qualities,
            likeliest=likeliest or {},
            lone=lone or {},
            command=command,
            metrics=METRICS,
            undefined=UNDEFINED,
            full=CHECKPOINT in manifest["digests"],
            seen=SEEN if SEEN in manifest["digests"] else None,
            held_out=HELD_OUT if HELD_OUT in manifest["digests"] else None,
            ranges=RANGES if RANGES in manifest["digests"] else None,
            prompt=manifest.get("prompt"),
            lora_layers=_lora_layers(manifest),
            teachers=manifest.get("training", {}).get("teachers", ()),
            licence=_licence(manifest["base"]["licence"]),
            base_model=_base_model(manifest["base"]),
            weakest=[weak for name in qualities if (weak := _weakest(name, qualities[name]))],
        )
    )


def card_with_cascade(card: str, curve: CascadeCurve, compute: str) -> str:
    """A card that tells what the adapter gains with another one behind it.

    What it told of the same other one before is replaced.

    Args:
        card: of the first adapter, Markdown.
        curve: of both.
        compute: what both were timed on.
    """
    first_name, second_name = (
        identity.partition("@")[0] for identity in (curve.first, curve.second)
    )
    first = curve.points[0].qualities
    targets = [target for target in PAGE_ORDER if target in first]
    told = (
        _templates()
        .get_template("card_cascade.md")
        .render(
            first_name=first_name,
            second_name=second_name,
            rule=rule_of(curve.first),
            curve=curve,
            compute=compute,
            targets=targets,
        )
        .strip()
    )
    heading = told.partition("\n")[0]
    before = re.sub(rf"(?ms)^{re.escape(heading)}\n.*?(?=^## |\Z)", "", card)
    start, mark, end = before.partition(_BEHIND)
    return f"{start}\n{told}\n{mark}{end}" if mark else f"{before.rstrip()}\n\n{told}\n"


def _lora_layers(manifest: Mapping[str, Any]) -> str:
    """The last names of the layers that LoRA changes, and the blocks where it is not all."""
    layers = manifest.get("training", {}).get("lora_layers", ())
    blocks = manifest["recipe"].get("lora", {}).get("blocks")
    if not blocks:
        return ", ".join(layers)
    names = sorted({layer.rpartition(".")[2] for layer in layers})
    return f"{', '.join(names)} in the uppermost {blocks} blocks"


@cache
def _templates() -> Environment:
    templates = environment().overlay()
    templates.filters = environment().filters | {
        "cell": _cell,
        "code": _code,
        "line": _line,
        "interval": _interval,
        "yaml": _yaml,
        "json_line": _json_line,
        "json_block": _json_block,
    }
    return templates


def _licence(name: str) -> Licence:
    identifier = name.strip().lower().replace(" ", "-")
    return Licence(identifier, None) if identifier in HUB_LICENCES else Licence("other", name)


def _base_model(base: Mapping[str, Any]) -> str:
    hub_id = HUB_ID.fullmatch(base["source"])
    return hub_id.group(1) if hub_id else base["name"]


def _weakest(target: str, quality: Quality) -> WeakLabel | None:
    labels = [
        WeakLabel(target, of_label.label, of_label.f1.value, of_label.support)
        for of_label in quality.classes
        if of_label.f1.value is not None and of_label.support
    ]
    return min(labels, key=lambda weak: weak.f1, default=None)


def _interval(interval: Interval) -> str:
    if interval.low is None:
        return figure(interval.value)
    return f"{figure(interval.value)} ({figure(interval.low)} to {figure(interval.high)})"


def _line(value: object) -> str:
    """`value` on one line, unable to open HTML or a link."""
    text = " ".join(str(value).split())
    return text.replace("<", "&lt;").replace("[", "\\[")


def _cell(value: object) -> str:
    """`value` as the inside of a table's cell."""
    return _line(value).replace("|", "\\|")


def _code(value: object) -> str:
    """`value` on one line within a code span or block, unable to end it."""
    return " ".join(str(value).split()).replace("`", "'")


def _yaml(value: object) -> str:
    """`value` as a quoted scalar: JSON's quoting is YAML's too."""
    return json.dumps(str(value), ensure_ascii=False)


def _json_line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _json_block(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str, indent=2).replace("```", "'''")
