"""Ray's private functions: where they were with the pinned release, and not missed without them."""

from __future__ import annotations

from types import ModuleType

import pytest

from drugmon.scoring.cluster import internals


@pytest.fixture
def services() -> ModuleType:
    module: ModuleType = pytest.importorskip("ray._private.services")
    return module


@pytest.mark.usefixtures("services")
def test_all_are_usable_with_the_pinned_release() -> None:
    assert set(internals.usable().values()) == {True}


def test_a_function_that_is_gone_is_told_and_not_missed(
    services: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    raylet = pytest.importorskip("ray._raylet")
    monkeypatch.delattr(services, "canonicalize_bootstrap_address")
    monkeypatch.delattr(raylet, "AuthenticationTokenLoader")
    assert set(internals.usable().values()) == {False}
    assert internals.address_of_this_machine() == ""
    internals.forget_token()
