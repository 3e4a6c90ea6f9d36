from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from drugmon.data.verdicts.journal import Journal
from drugmon.errors import BusyError, SinkError

Make = Callable[..., pa.RecordBatch]


def journal_file(target: Path) -> Path:
    return target.parent / ".drugmon" / f"{target.name}.journal"


def write_two(target: Path, first: pa.RecordBatch, second: pa.RecordBatch) -> tuple[int, bytes]:
    """Write a journal of two batches: where the second one begins, and all of its bytes."""
    with Journal(target) as journal:
        journal.append(first)
        start = journal_file(target).stat().st_size
        journal.append(second)
    return start, journal_file(target).read_bytes()


def test_a_run_that_ends_early_leaves_its_verdicts_to_the_next(
    tmp_path: Path, make_some_verdicts: Make
) -> None:
    target = tmp_path / "odd [name]*.parquet"
    batches = [make_some_verdicts(4, seed) for seed in (0, 10, 20)]
    for done, batch in enumerate(batches):
        with Journal(target) as journal:
            assert list(journal.read()) == batches[:done]
            journal.append(batch)
    with Journal(target) as journal:
        assert list(journal.read()) == batches
        journal.finish()
    assert not journal_file(target).exists()
    with Journal(target) as journal:
        assert list(journal.read()) == []


def test_a_tail_torn_anywhere_costs_only_its_batch(
    tmp_path: Path, make_some_verdicts: Make
) -> None:
    target, first, second = tmp_path / "a", make_some_verdicts(3), make_some_verdicts(3, 10)
    start, whole = write_two(target, first, second)
    for end in [*range(0, start, 97), *range(start, len(whole), 61), len(whole) - 1]:
        journal_file(target).write_bytes(whole[:end])
        with Journal(target) as journal:
            kept = list(journal.read())
            assert kept == ([first] if end >= start else [])
            journal.append(second)
        with Journal(target) as journal:
            assert list(journal.read()) == [*kept, second]


def test_a_batch_that_is_not_what_was_written_is_cut_off(
    tmp_path: Path, make_some_verdicts: Make
) -> None:
    """After a loss of power, a file may have zeros where its last blocks were to be."""
    target, first, second = tmp_path / "a", make_some_verdicts(3), make_some_verdicts(3, 10)
    start, whole = write_two(target, first, second.slice(1))
    with Journal(target) as journal:
        assert list(journal.read()) == [first, second.slice(1)]
    for hole in range(start, len(whole), 64):
        zeros = b"\0" * 64
        if whole[hole : hole + 64] in (zeros, zeros[: len(whole) - hole]):
            continue
        journal_file(target).write_bytes(whole[:hole] + zeros + whole[hole + 64 :])
        with Journal(target) as journal:
            assert list(journal.read()) == [first]


def test_a_bit_that_has_changed_anywhere_ends_no_run(
    tmp_path: Path, make_some_verdicts: Make
) -> None:
    """Of a length too: Arrow then wants more memory than any machine has."""
    target, first, second = tmp_path / "a", make_some_verdicts(3), make_some_verdicts(3, 10)
    start, whole = write_two(target, first, second)
    length = int.from_bytes(whole[start + 4 : start + 8], "little")
    assert 1_000 < length < 10_000, "of what describes the batch"
    for place in range(start, start + 8 + length, 3):
        for bit in (0x20, 0x80):
            changed = bytearray(whole)
            changed[place] ^= bit
            journal_file(target).write_bytes(changed)
            with Journal(target) as journal:
                assert list(journal.read())[:1] == [first]


@pytest.mark.parametrize("rubbish", [b"", b"\0" * 5000, b"rubbish " * 500])
def test_rubbish_is_started_afresh(
    tmp_path: Path, rubbish: bytes, make_some_verdicts: Make
) -> None:
    target = tmp_path / "a"
    journal_file(target).parent.mkdir()
    journal_file(target).write_bytes(rubbish)
    with Journal(target) as journal:
        assert list(journal.read()) == []
        journal.append(make_some_verdicts(2))
    with Journal(target) as journal:
        assert list(journal.read()) == [make_some_verdicts(2)]


HOLDER = """
import sys, time
from pathlib import Path
from drugmon.data.verdicts.journal import Journal
with Journal(Path(sys.argv[1])):
    print("in", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    target = tmp_path / "a.parquet"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(target)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert holder.stdout is not None
    try:
        holder.stdout.readline()
        with pytest.raises(BusyError) as raised, Journal(target):
            pass
        assert str(raised.value) == (
            f"another drugmon run (pid {holder.pid}) is scoring into {target}; "
            "wait for it or stop it"
        )
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    with Journal(target) as journal:
        assert list(journal.read()) == []


def test_a_folder_that_cannot_be_is_a_sink_error(tmp_path: Path) -> None:
    (tmp_path / ".drugmon").write_text("a file in the way")
    with pytest.raises(SinkError, match="cannot keep finished verdicts"), Journal(tmp_path / "a"):
        pass


@pytest.mark.parametrize("link", ["folder", "file"])
def test_nothing_is_written_through_a_symbolic_link(tmp_path: Path, link: str) -> None:
    target, victim = tmp_path / "a.parquet", tmp_path / "victim"
    path = journal_file(target)
    if link == "folder":
        victim.mkdir()
        path.parent.symlink_to(victim)
    else:
        victim.write_text("precious" * 100)
        path.parent.mkdir()
        path.symlink_to(victim)
    message = "is a symbolic link, through which drugmon writes nothing of its own; remove it"
    with pytest.raises(SinkError, match=message), Journal(target):
        pass
    if link == "folder":
        assert list(victim.iterdir()) == []
    else:
        assert victim.read_text() == "precious" * 100
