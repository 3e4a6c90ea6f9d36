"""What the page shows of verdicts, words and files, as HTML; everything from data is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

from drugmon.labels import LABELS
from drugmon.models.adapters.manifest import first_identity
from drugmon.workflows.explain import Explanation, Word
from drugmon.workflows.predict import Verdict
from drugmon.workflows.score.score import ScoreResult
from drugmon.workflows.show import Shown
from drugmon.workflows.upload import Recognised

TITLES: Final = {
    "benefits": "Benefits",
    "side_effects": "Side effects",
    "comments": "Comments",
    "overall": "Overall",
    "text": "The review",
}
SCORED: Final = "The file is scored: below are class balance and the least certain rows."
"""What is read aloud then."""

_TOLD: Final = 0.02
_STRONG: Final = 0.1
_EXCERPT: Final = 160


def verdicts(by_target: Mapping[str, Verdict], rule: str, calibrated: bool) -> str:
    """Each target's verdict with bars, overall first, and which adapter judged.

    Args:
        by_target: the verdicts, at least one.
        rule: the decision rule that made the labels.
        calibrated: whether the probabilities are.
    """
    judge = next(iter(by_target.values())).adapter
    order = sorted(by_target, key=lambda target: target != "overall")
    cards = "".join(_card(by_target[target], rule) for target in order)
    tolerated = "Positive side effects are ones that were borne well. "
    return (
        f'<div class="dm-cards">{cards}</div>'
        f'<p class="dm-small">Judged by <code>{escape(judge)}</code>; probabilities are '
        f"{'' if calibrated else 'not '}calibrated. "
        f"{tolerated if 'side_effects' in by_target else ''}</p>"
    )


def spoken(by_target: Mapping[str, Verdict]) -> str:
    """The verdicts as one sentence."""
    order = sorted(by_target, key=lambda target: target != "overall")
    return "; ".join(
        f"{TITLES[target]} {by_target[target].label}, {by_target[target].confidence:.0%}"
        for target in order
    )


def _card(verdict: Verdict, rule: str) -> str:
    bars = "".join(
        f'<div class="dm-bar dm-{label}"><span>{label}</span>'
        f'<span class="dm-track" aria-hidden="true"><span style="width:{share:.1%}"></span></span>'
        f"<span>{share:.0%}</span></div>"
        for label, share in verdict.probabilities.items()
    )
    note = ""
    if verdict.likeliest != verdict.label:
        note = (
            f'<p class="dm-note">The {rule} rule says <b>{verdict.label}</b> although '
            f"<b>{verdict.likeliest}</b> has the longer bar: it weighs labels so that rare ones "
            "are found too. The rule “likeliest” goes by the bars.</p>"
        )
    return (
        f'<section class="dm-card"><h3>{TITLES[verdict.target]}: '
        f'<span class="dm-label dm-{verdict.label}">{verdict.label}</span> '
        f"<small>{verdict.confidence:.0%}</small></h3>{bars}{note}</section>"
    )


def explanation(why: Explanation) -> str:
    """The review with the words marked that moved a verdict, and those that moved it most."""
    texts = "".join(f"<p><b>{TITLES[field]}.</b> {_marked(why, field)}</p>" for field in why.texts)
    ranked = why.strongest
    told = [word for word in (*ranked[:5], *ranked[5:][-3:]) if abs(word.push) >= _TOLD]
    words = ", ".join(f"{escape(word.text)}&nbsp;{100 * word.push:+.0f}" for word in told)
    title = TITLES[why.target].lower()
    verb = "are" if title.endswith("s") else "is"
    return (
        f'<section class="dm-card dm-words"><h3>Why {title} {verb} '
        f"{why.label}</h3>{texts}<p>Points of probability: "
        f"{words or 'no word moves it by much'}.</p>"
        f'<p class="dm-small">{why.label} has {why.baseline:.0%} where nothing is said and '
        f"{why.probability:.0%} here; what all words add is the difference. Words in bold "
        "speak for the label, those over a wavy line against it.</p></section>"
    )


def _marked(why: Explanation, field: str) -> str:
    whole, parts, end = why.texts[field], [], 0
    for word in why.words:
        if word.field == field:
            parts += [escape(whole[end : word.start]), _word(word, why.label)]
            end = word.end
    return "".join(parts)


def _word(word: Word, label: str) -> str:
    text = escape(word.text)
    if abs(word.push) < _TOLD:
        return text
    points = f'title="{100 * word.push:+.0f} points"'
    if word.push < 0:
        return f"<u {points}>{text}</u>"
    strong = " dm-strong" if word.push >= _STRONG else ""
    return f'<mark class="dm-{label}{strong}" {points}>{text}</mark>'


def problem(sentence: str) -> str:
    """What is wrong and what to do."""
    return f'<p class="dm-note dm-wrong" role="alert">{escape(sentence)}</p>'


def hint(sentence: str) -> str:
    """A sentence in small letters."""
    return f'<p class="dm-small">{escape(sentence)}</p>'


def progress(done: int, total: int) -> str:
    """How far scoring is."""
    return (
        f'<label class="dm-progress">Scored {done:,} of {total:,} rows '
        f'<progress max="{max(total, 1)}" value="{done}"></progress></label>'
    )


def recognised(upload: Recognised) -> str:
    """Rows, and which column was read as what."""
    rows = "".join(
        f"<tr><th scope='row'>{escape(field.replace('_', ' '))}</th><td>{escape(name)}</td></tr>"
        for field, name in upload.columns.items()
    )
    return (
        f'<section class="dm-card"><h3>{upload.rows:,} row{"s" * (upload.rows != 1)}</h3><table>'
        f"<caption>Which column is read as what</caption>{rows}</table></section>"
    )


def judged_by(result: ScoreResult) -> str:
    """Which adapter judged a file, or which two."""
    first, both = escape(first_identity(result.adapter)), escape(result.adapter)
    told = f"Judged by <code>{first}</code>."
    if result.sent_on is not None:
        told = (
            f"Judged by <code>{first}</code>; the {result.sent_on:,} of {result.total:,} rows of "
            f"which it was least sure by both, <code>{both}</code>. The column drugmon_adapter "
            "tells who judged each."
        )
    return f'<p class="dm-small">{told}</p>'


def summary(shown: Shown) -> str:
    """Class balance, and the least certain rows."""
    heads = "".join(f"<th scope='col'>{label}</th>" for label in LABELS)
    balance = "".join(
        f"<tr><th scope='row'>{TITLES[target]}</th>"
        + "".join(f"<td>{_share(counts[label], sum(counts.values()))}</td>" for label in LABELS)
        + "</tr>"
        for target, counts in shown.counts.items()
    )
    return (
        '<section class="dm-card"><h3>Class balance</h3><div class="dm-wide">'
        f"<table><thead><tr><td></td>{heads}</tr></thead><tbody>{balance}</tbody></table></div>"
        f"</section>{_least_certain(shown)}"
    )


def _share(count: int, total: int) -> str:
    return f"{count:,} ({count / max(total, 1):.0%})"


def _least_certain(shown: Shown) -> str:
    names = list(shown.context)
    heads = "".join(
        f"<th scope='col' role='columnheader'>{escape(name)}</th>" for name in ("overall", *names)
    )
    rows = []
    for number, by_target in enumerate(shown.verdicts):
        label, confidence = by_target["overall"] or ("", 0.0)
        told = [("overall", f"{label}&nbsp;{confidence:.0%}")]
        told += [(name, _cell(shown.context[name][number])) for name in names]
        cells = "".join(
            f"<td role='cell' data-column='{escape(name)}'>{cell}</td>" for name, cell in told
        )
        rows.append(f"<tr role='row'>{cells}</tr>")
    return (
        '<section class="dm-card"><h3>The least certain rows</h3><div class="dm-wide">'
        # On a phone each row is a block, which is a table only by these roles.
        f"<table class='dm-rows' role='table'><thead role='rowgroup'><tr role='row'>{heads}</tr>"
        f"</thead><tbody role='rowgroup'>{''.join(rows)}</tbody></table></div></section>"
    )


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return escape(text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…")
