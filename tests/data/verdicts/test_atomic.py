from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drugmon.data.verdicts.atomic import (
    building,
    make_own_folder,
    replacing,
    temporary_folder,
)
from drugmon.errors import SinkError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_target_is_new_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    with replacing(target) as path:
        path.write_text("new")
        assert target.read_text() == "old"
        assert path.parent == tmp_path
        assert path.name.startswith(f".a.csv.drugmon-{os.getpid()}-")
    assert target.read_text() == "new"
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SinkError])
def test_a_failure_leaves_all_as_it_was(failure: type[BaseException], tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    with pytest.raises(failure), replacing(target) as path:
        path.write_text("half")
        raise failure("no")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.csv"]


def test_the_mode_stays_and_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    before = os.umask(0o027)
    try:
        with replacing(target):
            pass
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
    finally:
        os.umask(before)
    target.chmod(0o604)
    with replacing(target):
        pass
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "a.csv", tmp_path / "link.csv"
    real.parent.mkdir()
    real.write_text("old")
    link.symlink_to(real)
    with replacing(link) as path:
        path.write_text("new")
        assert path.parent == real.parent
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_temporaries_of_killed_runs_are_swept(tmp_path: Path) -> None:
    # A container's next run has the pid of the one that was killed: the pid tells nothing.
    left = tmp_path / f".a.csv.drugmon-{os.getpid()}-0011aabb.tmp"
    other = tmp_path / f".b.csv.drugmon-{os.getpid()}-0011aabb.tmp"
    for path in (left, other):
        path.write_text("half")
    with replacing(tmp_path / "a.csv") as running, replacing(tmp_path / "a.csv"):
        assert running.exists()
        assert not left.exists()
    assert names(tmp_path) == sorted([other.name, "a.csv"])


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with building(tmp_path / "out" / "night") as aside:
        (aside / "page").write_text("new")
        assert names(tmp_path / "out") == [aside.name]
    assert names(tmp_path / "out") == ["night"]
    assert names(tmp_path / "out" / "night") == ["page"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SinkError])
def test_of_a_folder_that_fails_nothing_is_left(
    failure: type[BaseException], tmp_path: Path
) -> None:
    with pytest.raises(failure), building(tmp_path / "night") as aside:
        (aside / "page").write_text("half")
        raise failure("no")
    assert names(tmp_path) == []


def test_folders_that_killed_runs_left_half_built_are_swept(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from drugmon.data.verdicts.atomic import building\n"
        "with building(Path(sys.argv[1])) as aside:\n"
        "    (aside / 'page').write_text('half'); print(flush=True); input()"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "killed")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        (half,) = tmp_path.iterdir()
        (tmp_path / ".mine.tmp").mkdir()
        with building(tmp_path / "first"):
            assert half.exists(), "its process lives"
        other.kill()
        other.wait()
        with building(tmp_path / "second"):
            assert not half.exists()
    assert names(tmp_path) == [".mine.tmp", "first", "second"]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "disk full; nothing was changed, make room and run again"),
        (errno.EDQUOT, "disk full; nothing was changed, make room and run again"),
        (errno.EROFS, "cannot be written (Read-only file system); nothing was changed, choose"),
        (errno.EACCES, "cannot be written (Permission denied); nothing was changed, choose"),
        (errno.EIO, "cannot be written (Input/output error); nothing was changed, look at the"),
        (errno.EMFILE, "cannot be written (Too many open files); nothing was changed, let the"),
    ],
)
def test_what_the_system_refuses_is_said_plainly(number: int, message: str, tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    with pytest.raises(SinkError) as caught, replacing(target):
        raise OSError(number, os.strerror(number))
    assert str(caught.value).startswith(f"{target}: {message}")
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_no_error_of_the_system_passes_for_a_bug(number: int, tmp_path: Path) -> None:
    says = r"^/.*/a\.csv: .*[;,] .*"
    with pytest.raises(SinkError, match=says) as caught, replacing(tmp_path / "a.csv"):
        raise OSError(number, os.strerror(number))
    assert isinstance(caught.value.__cause__, OSError)
    assert names(tmp_path) == []


def test_an_error_without_a_number_is_told_in_its_words(tmp_path: Path) -> None:
    says = r"a\.csv: cannot be written \(no more of it\); nothing was"
    with pytest.raises(SinkError, match=says), replacing(tmp_path / "a.csv"):
        raise OSError("no more\n of it")


def test_a_name_that_is_too_long_is_told(tmp_path: Path) -> None:
    target = tmp_path / f"{'a' * 300}.csv"
    says = r"\(File name too long\); .* a shorter name with --out$"
    with pytest.raises(SinkError, match=says), replacing(target):
        pytest.fail("there is no such file")


def test_a_folder_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="is a folder; name a file"), replacing(tmp_path):
        pass


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "none", tmp_path / "file"):
        with pytest.raises(SinkError) as caught, replacing(folder / "a.csv"):
            pass
        assert str(caught.value) == (
            f"{folder}/a.csv: the folder {folder} does not exist; create it first"
        )


@given(st.binary(), st.binary(), st.booleans())
def test_the_target_is_always_the_old_or_the_new(
    tmp_path_factory: pytest.TempPathFactory, old: bytes, new: bytes, fails: bool
) -> None:
    target = tmp_path_factory.mktemp("atomic") / "a"
    target.write_bytes(old)
    try:
        with replacing(target) as path:
            path.write_bytes(new)
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert target.read_bytes() == old
    else:
        assert target.read_bytes() == new
    assert names(target.parent) == ["a"]


@pytest.mark.parametrize("existing", [None, 0o644, 0o600])
@pytest.mark.parametrize(("mode", "expected"), [(0o600, 0o600), (0o640, 0o640), (0o444, 0o644)])
def test_the_target_is_never_more_open_than_its_source(
    tmp_path: Path, mode: int, expected: int, existing: int | None
) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_text("x")
    source.chmod(mode)
    if existing is not None:
        target.write_text("old")
        target.chmod(existing)
    with replacing(target, source) as path:
        path.write_text("new")
    assert target.stat().st_mode & 0o777 == expected & (existing or 0o644)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another user")
def test_a_folder_of_another_user_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / ".drugmon"
    folder.mkdir()
    os.chown(folder, 4321, 4321)
    with pytest.raises(SinkError, match=r"belongs to another user \(uid 4321\); remove it"):
        make_own_folder(folder)
    os.chown(tmp_path, 4321, 4321)
    make_own_folder(folder)


def test_a_folder_of_drugmons_own_is_closed_to_others(tmp_path: Path) -> None:
    make_own_folder(tmp_path / ".drugmon")
    assert (tmp_path / ".drugmon").stat().st_mode & 0o777 == 0o700


def test_texts_that_a_killed_run_left_are_swept_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    script = (
        "import sys, tempfile; from drugmon.data.verdicts.atomic import temporary_folder\n"
        "tempfile.tempdir = sys.argv[1]\n"
        "with temporary_folder() as aside:\n"
        "    (aside / '0.parquet').write_text('a review'); print(flush=True); input()"
    )
    (tmp_path / ".texts.drugmon-1-00.tmp.kept").mkdir()
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        (left,) = tmp_path.glob(".texts.*.tmp")
        assert stat.S_IMODE(left.stat().st_mode) == 0o700
        with temporary_folder() as mine:
            assert (left / "0.parquet").exists(), "its process lives"
            assert stat.S_IMODE(mine.stat().st_mode) == 0o700
        other.kill()
        other.wait()
        assert left.exists()
        with temporary_folder():
            assert not left.exists()
    assert names(tmp_path) == [".texts.drugmon-1-00.tmp.kept"]


def test_texts_of_other_users_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / ".texts.drugmon-1-00.tmp"
    left.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with temporary_folder():
        pass
    assert left.exists()
