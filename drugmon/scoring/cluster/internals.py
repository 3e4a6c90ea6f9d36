"""The fence around private functions of Ray: one function for each, as `models.internals` has them.

They may go or change with any release. `usable` tells which are as they were; without one, callers
go on with what Ray does by itself, as each docstring says.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import Final

_GONE: Final = (ImportError, AttributeError, TypeError)
"""What a function that is gone, has moved, or takes other arguments raises."""

_HERE: Final = "auto"


def usable() -> dict[str, bool]:
    """Which private functions are where they were, by what they are for; Ray is imported."""
    return {
        "forgetting a cluster's token": _can_forget(),
        "finding this machine's cluster": _can_find(),
    }


def forget_token() -> None:
    """Let Ray read token and mode of a cluster anew: it does so once a process.

    Without it, one process can use only clusters of one token.
    """
    with contextlib.suppress(*_GONE):
        raylet = importlib.import_module("ray._raylet")
        raylet.AuthenticationTokenLoader.instance().reset_cache()
        raylet.Config.initialize("")


def address_of_this_machine() -> str:
    """Where Ray would look for the cluster of this machine; empty if it does not tell.

    Without it, Ray itself looks, and waits long for a cluster that has died.
    """
    with contextlib.suppress(*_GONE):
        services = importlib.import_module("ray._private.services")
        return str(services.canonicalize_bootstrap_address(_HERE))
    return ""


def _can_forget() -> bool:
    with contextlib.suppress(*_GONE):
        raylet = importlib.import_module("ray._raylet")
        loader = raylet.AuthenticationTokenLoader.instance()
        return callable(loader.reset_cache) and callable(raylet.Config.initialize)
    return False


def _can_find() -> bool:
    with contextlib.suppress(*_GONE):
        services = importlib.import_module("ray._private.services")
        return callable(services.canonicalize_bootstrap_address)
    return False
