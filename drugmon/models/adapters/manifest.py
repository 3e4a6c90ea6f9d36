"""The manifest of an adapter: all that another machine, or a person in a year, needs to know."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from drugmon.config import DEFAULT_RULE, RULES
from drugmon.data.verdicts.atomic import replacing
from drugmon.errors import AdapterError
from drugmon.grading import Grading
from drugmon.models.adapters.calibration import Calibration
from drugmon.models.adapters.records import DataRecord, TrainingRecord, to_dict
from drugmon.models.bases.bases import BaseIdentity
from drugmon.models.files import HELD_OUT, MANIFEST
from drugmon.records import filled
from drugmon.statistics.figures import Quality

FORMAT_VERSION: Final = 1
DIGEST_LENGTH: Final = 12
RULE_MARK: Final = "+"
"""Between digest and rule in an identity, and between the two adapters of a cascade."""

_BETWEEN: Final = re.compile(rf"(?<=@[0-9a-f]{{{DIGEST_LENGTH}}})" + re.escape(RULE_MARK))


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` says.

    Attributes:
        base: the base's identity.
        levels: for each target in output order, the label of every level that its head predicts.
        prompt: the template of a seq2seq base's prompts, None where the base reads plain texts.
        recipe: the whole recipe, to be read and to be trained by again.
        grading: what the graded columns of its target reviews mean.
        files: SHA-256 of every other file of the folder.
        metrics: per target, the quality on held-out reviews, by the balanced rule.
        metrics_likeliest: likewise by the likeliest label; empty in adapters of before the rule.
        metrics_lone: by decision rule, the quality of overall on held-out lone texts; empty where
            none were held out.
        rule: the decision rule, one of `RULES`: in the file the one to use where none is asked for.
        data: the training data; None where nothing was trained, as is `training`.
    """

    name: str
    created_at: str
    base: BaseIdentity
    levels: Mapping[str, list[str]]
    max_length: int
    calibration: Mapping[str, Mapping[str, object]]
    recipe: Mapping[str, Any]
    grading: Grading
    seeds: list[int]
    versions: Mapping[str, str]
    data: DataRecord | None
    training: TrainingRecord | None
    metrics: Mapping[str, Quality]
    metrics_likeliest: Mapping[str, Quality] = field(default_factory=dict)
    metrics_lone: Mapping[str, Quality] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    prompt: str | None = None
    rule: str = DEFAULT_RULE
    format_version: int = FORMAT_VERSION

    @property
    def targets(self) -> tuple[str, ...]:
        """The trained targets, in output order."""
        return tuple(self.levels)

    @cached_property
    def digest(self) -> str:
        """12 hex digits over all that decides the verdicts.

        That is weights, heads, base, layout and calibration. Metrics, dates, the card and what was
        said of held-out reviews do not change a verdict, so they do not change the digest.
        """
        decides: dict[str, object] = {
            "files": {
                name: digest
                for name, digest in self.files.items()
                if name.endswith(".safetensors") and name != HELD_OUT
            },
            "lora": self.recipe.get("lora"),
            "base": [self.base.sha256, self.base.tokenizer_sha256],
            "levels": self.levels,
            "max_length": self.max_length,
            "calibration": {
                target: Calibration.from_dict(c).to_dict() for target, c in self.calibration.items()
            },
        }
        if self.prompt is not None:
            decides["prompt"] = self.prompt
        canonical = json.dumps(decides, sort_keys=True).encode()
        return hashlib.sha256(canonical).hexdigest()[:DIGEST_LENGTH]

    @property
    def identity(self) -> str:
        """`name@digest`, as written beside every verdict, with the rule unless it is balanced."""
        suffix = "" if self.rule == DEFAULT_RULE else f"{RULE_MARK}{self.rule}"
        return f"{self.name}@{self.digest}{suffix}"

    @property
    def qualities(self) -> Mapping[str, Quality]:
        """Per target, the quality on held-out reviews, by the rule that decides."""
        return self.metrics_likeliest if self.rule == "likeliest" else self.metrics

    def calibrations(self) -> dict[str, Calibration]:
        """Each target's calibration, deciding by `rule`; the ECE beside it is for the reader."""
        read = {target: Calibration.from_dict(c) for target, c in self.calibration.items()}
        if self.rule == "likeliest":
            return {target: calibration.likeliest() for target, calibration in read.items()}
        return read

    def under(self, rule: str | None) -> Manifest:
        """The same adapter deciding by `rule`; None leaves its own.

        Raises:
            AdapterError: there is no such rule.
        """
        if rule is not None and rule not in RULES:
            raise AdapterError(f"there is no decision rule {rule!r}; there are {', '.join(RULES)}")
        return dataclasses.replace(self, rule=rule or self.rule)

    def to_dict(self) -> dict[str, object]:
        """Return plain dicts, lists, texts and numbers, as JSON can hold."""
        return {
            **asdict(self),
            "grading": self.grading.to_dict(),
            "data": to_dict(self.data),
            "training": to_dict(self.training),
            "metrics": _as_dicts(self.metrics),
            "metrics_likeliest": _as_dicts(self.metrics_likeliest),
            "metrics_lone": _as_dicts(self.metrics_lone),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, object]) -> Manifest:
        """Return what `to_dict` gave, in this version or in an earlier one.

        Raises:
            KeyError, ValueError: it is of another form.
        """
        if unknown := content.keys() - {spec.name for spec in dataclasses.fields(cls)}:
            raise ValueError(f"there is no key {min(unknown)}")
        written = filled(_Written, content)
        # Earlier versions kept the grading in the recipe only.
        grading = Grading.from_dict(written.grading or written.recipe["labels"])
        untrained = {name: content.get(name) or None for name in ("data", "training")}
        return filled(cls, {**content, **untrained, "grading": asdict(grading)})

    def write(self, folder: Path) -> None:
        """Write `manifest.json` in `folder`, or replace it.

        Raises:
            SinkError: it cannot be written.
        """
        content = {"digest": self.digest, "targets": list(self.targets), **self.to_dict()}
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        with replacing(folder / MANIFEST) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")


@dataclass(frozen=True)
class _Written:
    """What has to be looked at before the whole can be read."""

    recipe: Mapping[str, Any]
    grading: Mapping[str, Mapping[str, str]] | None = None


def _as_dicts(qualities: Mapping[str, Quality]) -> dict[str, object]:
    return {name: quality.to_dict() for name, quality in qualities.items()}


def rule_of(identity: str) -> str:
    """The decision rule that `name@digest` or `name@digest+rule` names."""
    return identity.rpartition("@")[2].partition(RULE_MARK)[2] or DEFAULT_RULE


def pair_identity(first: Manifest, second: Manifest) -> str:
    """What judged a review that both adapters of a cascade judged, by the rule of the second."""
    return f"{first.name}@{first.digest}{RULE_MARK}{second.identity}"


def first_identity(identity: str) -> str:
    """The first adapter of a cascade that an identity names, with the rule; else the same."""
    first, *others = _BETWEEN.split(identity)
    rule = others[-1] if others and "@" not in others[-1] else None
    return RULE_MARK.join(filter(None, (first, rule)))


def read_manifest(folder: Path) -> Manifest:
    """Read and check `manifest.json` in `folder` (not the other files: see `Adapter.verify`).

    Raises:
        AdapterError: it is missing, damaged, altered, or of another format version.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content.pop("format_version")
        if version != FORMAT_VERSION:
            raise AdapterError(
                f"{path} has format version {version}, this drugmon reads {FORMAT_VERSION}: "
                "train the adapter again or use the drugmon that wrote it"
            )
        digest = content.pop("digest")
        content.pop("targets")
        manifest = Manifest.from_dict(content)
        computed = manifest.digest
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AdapterError(f"cannot read the adapter's manifest {path}: {error!r}") from error
    if computed != digest:
        raise AdapterError(
            f"{path} was altered: it says digest {digest}, its content gives {computed}; "
            "restore the adapter or train it again"
        )
    return manifest


def with_files(manifest: Manifest, files: Mapping[str, str]) -> Manifest:
    """The same manifest, naming the folder's files and their hashes."""
    return dataclasses.replace(manifest, files=dict(files))
