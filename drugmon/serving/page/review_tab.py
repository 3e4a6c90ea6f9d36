"""The tab for one review: type, and see verdicts and the words behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import gradio as gr

from drugmon.data.reviews import clean
from drugmon.errors import DrugmonError, UsageError
from drugmon.serving.page import html
from drugmon.serving.page.models import LoadedModels
from drugmon.serving.page.parts import aloud, choosers

LONGEST: Final = 20_000
"""Characters of one text. Longer ones are refused, as a text that is cut gets another verdict."""

LONE: Final = "text"
_BOXES: Final = (
    ("benefits", "What the drug did for you (benefits)"),
    ("side_effects", "What else it did (side effects)"),
    ("comments", "Anything else (comments)"),
    (LONE, "Or the review in one piece"),
)

EXAMPLES: Final = (
    ("A good one", "No more headaches since the first week.", "None at all.", "I recommend it."),
    ("A bad one", "It did nothing for me.", "Awful nausea, I could not sleep.", "Never again."),
    ("A mixed one", "The pain is a bit better.", "Dry mouth and some dizziness.", "Not sure yet."),
)
_BOTH: Final = (
    "Both adapters judged this review. To tell which words moved their verdicts takes as long as "
    "hundreds of verdicts, so it is not done as you type."
)
_EMPTY: Final = "Type into a box, or take an example; verdicts come as you type."


def review_tab(models: LoadedModels) -> None:
    """Build the tab inside a `gr.Blocks`."""
    with gr.Row():
        chosen, rule = choosers(models)
    with gr.Row():
        boxes = [_box(name, label) for name, label in _BOXES if name != LONE]
    boxes += [_box(name, label) for name, label in _BOXES if name == LONE]
    with gr.Row():
        buttons = [gr.Button(f"Example: {title}", size="sm") for title, *_ in EXAMPLES]
        clear = gr.Button("Clear", size="sm")
    said = aloud("dm-said", seen=False)
    told = gr.HTML(html.hint(_EMPTY), elem_id="dm-verdicts")
    why = gr.HTML("", elem_id="dm-why")
    ask = gr.Button("Show the words", size="sm", visible=False, elem_id="dm-ask")
    inputs: list[Any] = [chosen, rule, *boxes]

    def judge(name: str, rule: str, *texts: str) -> tuple[str, str]:
        return _judge(models, name, rule, texts)

    def explain(name: str, rule: str, *texts: str) -> tuple[str, Any]:
        if _both_judge(models, name, rule, texts):
            return html.hint(_BOTH), gr.update(visible=True)
        return _explain(models, name, rule, texts), gr.update(visible=False)

    def explain_both(name: str, rule: str, *texts: str) -> tuple[str, Any]:
        return _explain(models, name, rule, texts), gr.update(visible=False)

    changed = [component.change for component in inputs]
    # Of what is typed while one is computed, only the last is computed next.
    last: dict[str, Any] = {"trigger_mode": "always_last"}
    # Words of what was typed before are dimmed: they are not of the verdicts above them.
    words: dict[str, Any] = {"concurrency_id": "explain", "show_progress_on": why}
    gr.on(changed, judge, inputs, [told, said], show_progress="hidden", **last)
    gr.on(changed, explain, inputs, [why, ask], **last, **words)
    ask.click(explain_both, inputs, [why, ask], **words)
    for button, (_, *texts) in zip(buttons, EXAMPLES, strict=True):
        button.click(lambda texts=texts: [*texts, ""], None, boxes, show_progress="hidden")
    clear.click(lambda: [""] * len(boxes), None, boxes, show_progress="hidden")


def _box(name: str, label: str) -> gr.Textbox:
    elem_id = f"dm-{name.replace('_', '-')}"
    return gr.Textbox(label=label, lines=3, elem_id=elem_id, min_width=240)


def _judge(models: LoadedModels, name: str, rule: str, texts: Sequence[str]) -> tuple[str, str]:
    """What is shown, and what is read aloud of it."""
    try:
        review = _named(texts)
        if not review:
            return html.hint(_EMPTY), ""
        by_target = models.get(name, rule).predict(**review)
    except DrugmonError as error:
        return html.problem(str(error)), ""
    calibrated = not models.is_base(name)
    return html.verdicts(by_target, rule, calibrated), html.spoken(by_target)


def _both_judge(models: LoadedModels, name: str, rule: str, texts: Sequence[str]) -> bool:
    """Whether both adapters of a cascade judge this review."""
    if not models.cascade(name).then:
        return False
    try:
        review, model = _named(texts), models.get(name, rule)
        by_target = model.predict(**review) if review else {}
        return any(verdict.adapter == model.identity for verdict in by_target.values())
    except DrugmonError:
        return False  # the verdicts' place tells it


def _explain(models: LoadedModels, name: str, rule: str, texts: Sequence[str]) -> str:
    try:
        review = _named(texts)
        if not review:
            return ""
        by_target = models.get(name, rule).explain(**review)
    except DrugmonError:
        return ""  # the verdicts' place tells it
    order = sorted(by_target, key=lambda target: target != "overall")
    first, *others = (html.explanation(by_target[target]) for target in order)
    more = "".join(others)
    return first + (f"<details><summary>Why each aspect</summary>{more}</details>" if more else "")


def _named(texts: Sequence[str]) -> dict[str, str]:
    """The texts that are there, by field.

    Raises:
        UsageError: one is longer than the page takes.
    """
    fields = (name for name, _ in _BOXES)
    named = {field: text for field, text in zip(fields, texts, strict=True) if clean(text)}
    longest = max(map(len, named.values()), default=0)
    if longest > LONGEST:
        raise UsageError(
            f"a text has {longest:,} characters and the page takes {LONGEST:,}; score it in a "
            "file, which has no limit"
        )
    return named
