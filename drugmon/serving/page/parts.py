"""Parts that both tabs have: what judges and by which rule, and places that are read aloud."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from drugmon.config import RULES
from drugmon.serving.page.models import LoadedModels

# Screen readers read what changes in a place that was live before: not what comes with the role.
_LIVE: Final = "element.setAttribute('role', 'status')"


def choosers(models: LoadedModels) -> tuple[gr.Dropdown, gr.Radio]:
    """A list of models and a choice of rules, which goes to a model's own rule with the model."""
    # On a phone one stands below the other, as a pair has a long name.
    wide: dict[str, Any] = {"min_width": 240}
    chosen = gr.Dropdown(models.choices, value=models.first, label="Adapter or base", **wide)
    rule = gr.Radio(list(RULES), value=models.rule_of(models.first), label="Decision rule", **wide)
    chosen.input(models.rule_of, chosen, rule, show_progress="hidden")
    return chosen, rule


def aloud(elem_id: str, *, seen: bool = True) -> gr.HTML:
    """A place whose changes a screen reader reads out; one that is not seen is for it alone."""
    return gr.HTML("", elem_id=elem_id, elem_classes=[] if seen else "dm-unseen", js_on_load=_LIVE)
