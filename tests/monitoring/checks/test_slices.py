from __future__ import annotations

from drugmon.labels import LABELS
from drugmon.monitoring.checks.gate import Gate
from drugmon.monitoring.checks.slices import LEAST, slices
from drugmon.monitoring.checks.summary import Status
from drugmon.monitoring.profiles.reference import Profile


def profile(**rows: tuple[int, int]) -> Profile:
    """Drugs by name, each with its negative and positive side effects."""
    drugs = {
        name: {"side_effects": dict(zip(LABELS, (negative, 0, positive), strict=True))}
        for name, (negative, positive) in rows.items()
    }
    return Profile(sum(map(sum, rows.values())), {}, {}, groups={"drug": drugs})


def test_only_what_is_beyond_chance_is_said_to_have_turned() -> None:
    found = slices(
        profile(Zyban=(40, 60), Lexapro=(12, 88)),
        profile(Zyban=(10, 90), Lexapro=(10, 90)),
        Gate(),
    )
    turned, calm = found.slices
    assert turned.says == (
        "side effects of Zyban turned negative: 10.0 % → 40.0 %: +30.0 points (+18.3 to +40.8) "
        "(n = 100)"
    )
    assert calm.says == (
        "side effects of Lexapro: negative 10.0 % → 12.0 %: +2.0 points (-7.0 to +11.0) (n = 100)"
    )
    assert (turned.status, calm.status) == (Status.FAIL, Status.PASS)
    assert found.finding
    assert found.finding.says.endswith("; 1 of 2 slices changed.")


def test_small_and_new_values() -> None:
    found = slices(profile(Zyban=(9, 21), Rare=(5, LEAST - 6)), profile(Other=(10, 90)), Gate())
    (new,) = found.slices
    assert new.says == "side effects of Zyban: 30.0 % negative (n = 30)"
    assert (new.change, new.status) == (None, Status.UNJUDGED)
    assert found.withheld == {"drug": 1}
    assert found.finding is None
