from __future__ import annotations

from pathlib import Path

import pytest

from drugmon.errors import SettingsError, UsageError
from drugmon.monitoring.checks.gate import Gate, Limits, read_gate
from drugmon.monitoring.checks.summary import AREAS, Status


def test_the_packaged_thresholds_name_every_key() -> None:
    gate = read_gate()
    assert gate.fail_on == AREAS
    assert gate.balance == Limits(0.05, 0.08)


def test_a_file_changes_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "gate.toml"
    path.write_text('fail_on = ["drift"]\n[balance]\nfail = 0.3\n')
    gate = read_gate(path)
    assert (gate.fail_on, gate.balance) == (("drift",), Limits(0.05, 0.3))
    assert gate.quality == read_gate().quality
    assert read_gate(path, ("volume",)).fail_on == ("volume",)
    assert read_gate(path, ("none",)).fail_on == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[balace]\nwarn = 1", r"has no key 'balace'; valid keys: fail_on, alpha, .*balance"),
        ("[balance]\nwarm = 1", r"balance has no key 'warm'; valid keys: warn, fail"),
        ("[balance]\nwarn = 0.5", "balance: it would fail before it warns"),
        ("[volume]\nwarn = 0.1", "volume: it would fail before it warns"),
        ("alpha = 2", r"alpha = 2.0 will not do: give a number from 1e-06 to 0.5"),
        ('fail_on = ["moon"]', "no area 'moon'; valid: freshness, volume, balance, drift"),
        ("balance = 3", "balance is a section"),
        ("x = ", "is not valid TOML: "),
        ("fail_on = 5", "fail_on = 5 will not do: give a list of areas"),
        ("fail_on = [5]", "fail_on = .5. will not do: give a list of areas"),
        ("fail_on = [[]]", "will not do: give a list of areas"),
    ],
)
def test_what_will_not_do_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "gate.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_gate(path)
    with pytest.raises(SettingsError, match="no such file of thresholds"):
        read_gate(tmp_path / "nowhere.toml")
    with pytest.raises(UsageError, match="--fail-on: no area 'moon'"):
        read_gate(None, ("moon",))


def test_significance_and_size_are_both_needed() -> None:
    gate, limits = Gate(), Limits(0.1, 0.2)
    assert gate.status(limits, 0.3, 0.2) is Status.UNCLEAR
    assert gate.status(limits, 0.09, 0.2) is Status.PASS
    assert gate.status(limits, 0.05, 0.001) is Status.PASS
    assert gate.status(limits, 0.15, 0.001) is Status.WARN
    assert gate.status(limits, 0.25, 0.001) is Status.FAIL
    assert gate.status(limits, None, 0.001) is Status.UNJUDGED
