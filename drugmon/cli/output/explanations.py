"""What `drugmon explain` prints: the review with its telling words coloured, or JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from rich.text import Text

from drugmon.cli.output.lines import print_json
from drugmon.cli.output.terminal import console, text
from drugmon.cli.output.verdicts import STYLES
from drugmon.workflows.explain import Explanation

TOLD: Final = 0.02
"""Words that move less than so much of probability are left as they are."""

_STRONG: Final = 0.1


def print_explanations(
    explanations: Mapping[str, Explanation], *, as_json: bool, with_judge: bool
) -> None:
    """Each target's verdict, its review with marked words, and the words that tell most.

    Args:
        explanations: by target.
        as_json: as JSON instead.
        with_judge: say who judged, as there are two adapters.
    """
    if as_json:
        return print_json(
            {target: asdict(explanation) for target, explanation in explanations.items()}
        )
    screen = console()
    for target, explanation in explanations.items():
        screen.print(
            f"{target}: {explanation.label} {explanation.probability:.0%}, "
            f"{explanation.baseline:.0%} where nothing is said"
        )
        for field in explanation.texts:
            screen.print(_marked(explanation, field))
        screen.print(_strongest(explanation))
        screen.print()
    screen.print("bold: towards the label; underlined: against it; points of its probability")
    if with_judge:
        (judge,) = {explanation.adapter for explanation in explanations.values()}
        screen.print(f"judged by {judge}")
    return None


def _marked(explanation: Explanation, field: str) -> Text:
    """The text of a field, its words marked by what they add."""
    line, end = text(f"  {field}: ", style="dim"), 0
    whole = explanation.texts[field]
    for word in explanation.words:
        if word.field == field:
            line.append_text(text(whole[end : word.start]))
            line.append_text(text(word.text, _style(explanation.label, word.push)))
            end = word.end
    return line


def _style(label: str, push: float) -> str:
    if abs(push) < TOLD:
        return "not dim"
    if push < 0:
        return "not dim underline"
    return f"not dim bold {STYLES[label]}" + (" reverse" if push >= _STRONG else "")


def _strongest(explanation: Explanation) -> str:
    ranked = explanation.strongest
    told = [word for word in (*ranked[:5], *ranked[5:][-3:]) if abs(word.push) >= TOLD]
    shown = (f"{word.text} {100 * word.push:+.0f}" for word in told)
    return f"  points: {', '.join(shown) or 'no word moves it by much'}"
