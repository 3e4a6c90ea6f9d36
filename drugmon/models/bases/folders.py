"""Where bases are on this machine: installed, fetched, put into a folder of models, or anywhere."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from drugmon.errors import BaseModelError
from drugmon.models.bases.known import CONFIG, HUB_ID, KNOWN_BASES, TOKENIZER, KnownBase
from drugmon.models.bases.weights import INDEX

MODELS_VARIABLE: Final = "DRUGMON_MODELS"
BASE_FILES: Final = (CONFIG, TOKENIZER, "*.safetensors", INDEX)


def models_folder() -> Path:
    """Where fetched bases go: DRUGMON_MODELS, else drugmon's folder among this user's data."""
    named = os.environ.get(MODELS_VARIABLE)
    return Path(named).expanduser() if named else _data_folder() / "drugmon" / "models"


def places() -> list[Path]:
    """The folders that are looked through for bases."""
    data_folder = _data_folder() / "drugmon" / "models"
    return list(dict.fromkeys((models_folder(), data_folder)))


def is_here(name: str) -> bool:
    """Whether a known base is on this machine."""
    return next(folders_of(name), None) is not None


def folders_of(name: str) -> Iterator[Path]:
    """The folders that a base's name may mean on this machine, in order of preference."""
    entry = KNOWN_BASES.get(name)
    if entry and entry.package:
        yield from _installed(entry)
    here = Path(name).expanduser()
    for folder in [place / name for place in places()] + [here]:
        # A folder here that is called like a known base, but is something else, is not meant.
        if folder.is_dir() and not (folder == here and entry and not (here / CONFIG).is_file()):
            yield folder.resolve()
    match = HUB_ID.fullmatch(name)
    if entry:
        yield from _cached(entry.hub_id, entry.revision)
    elif match and match["revision"]:
        yield from _cached(match["repo"], match["revision"])


def all_folders() -> Iterator[Path]:
    """Every folder in `places` that may hold a base, and the places themselves."""
    for place in places():
        for folder in (place, *sorted(place.glob("*/"))):
            if (folder / CONFIG).is_file() and (folder / TOKENIZER).is_file():
                yield folder.resolve()


def absolute_name(name: str) -> str:
    """The name, but of a folder that stands in no place of models the whole path.

    From where else it is looked for later, a relative path means nothing.
    """
    path = Path(name).expanduser()
    elsewhere = name in KNOWN_BASES or any((place / name).is_dir() for place in places())
    return name if elsewhere or not path.is_dir() else str(path.resolve())


def missing(name: str) -> BaseModelError:
    """What to say of a base that is nowhere, with the way to get it."""
    match, entry = HUB_ID.fullmatch(name), KNOWN_BASES.get(name)
    if match and not match["revision"]:
        return BaseModelError(
            f"base {name!r} is no folder here; to take it from the hub, pin its revision: "
            f"{name}@<40 hex digits>"
        )
    if entry or match:
        return BaseModelError(f"base {name} is not on this machine: {how_to_get(name)}")
    return BaseModelError(
        f"no base {name!r}: name one of {', '.join(KNOWN_BASES)}, a folder, a folder under "
        f"${MODELS_VARIABLE}, or a hub id with its revision (org/name@<40 hex digits>)"
    )


def how_to_get(name: str) -> str:
    """What to do to have a base that can be fetched."""
    return (
        f"run `drugmon bases fetch {name}`, which puts it into {models_folder()}; where there is "
        f"no network, copy the folder from a machine that has one and set {MODELS_VARIABLE} to "
        "the folder that holds it"
    )


def _installed(entry: KnownBase) -> Iterator[Path]:
    # find_spec of a top-level name locates the package without running its code.
    spec = importlib.util.find_spec(str(entry.package))
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location) / entry.package_folder
        if folder.is_dir():
            yield folder


def _cached(repo: str, revision: str) -> Iterator[Path]:
    """What the hub's client keeps; the hub is not asked."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(repo, revision=revision, local_files_only=True))
    except Exception:  # the client raises many kinds; all mean that it is not here
        return
    if (folder / CONFIG).is_file():
        yield folder


def _data_folder() -> Path:
    """Where this system keeps what programs need of a user's data."""
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Application Support"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
