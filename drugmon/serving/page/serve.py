"""Start the page and serve it until it is ended."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable

from drugmon.errors import UsageError
from drugmon.serving.page.config import PageConfig
from drugmon.serving.page.uploads import Uploads
from drugmon.signals import Terminated


def serve(config: PageConfig, *, on_start: Callable[[str], None]) -> None:
    """Serve the page; `on_start` is told its address.

    Raises:
        UsageError: the extra is not installed, the port is taken, or users cannot be read.
        DrugmonError: the adapter cannot be had.
    """
    with Uploads() as uploads:
        # Read when gradio is imported: no telemetry, and uploads where they are removed.
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "0"
        os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
        os.environ["GRADIO_TEMP_DIR"] = str(uploads.received)
        _check_extra()
        import uvicorn

        from drugmon.serving.page.app import make_app
        from drugmon.serving.page.models import LoadedModels

        models = LoadedModels(config.adapter, config.engine, config.cascade)
        with contextlib.closing(models), _listening(config) as listening:
            models.load_first()  # what is wrong with it is told before all else
            app = make_app(config, models, uploads)
            host = f"[{config.host}]" if ":" in config.host else config.host
            on_start(f"http://{host}:{listening.getsockname()[1]}/")
            settings = uvicorn.Config(
                app, log_level="error", access_log=False, timeout_graceful_shutdown=2
            )
            # What uvicorn hands on once requests have come to their end.
            with contextlib.suppress(Terminated, KeyboardInterrupt):
                uvicorn.Server(settings).run(sockets=[listening])


def _check_extra() -> None:
    from importlib.util import find_spec

    if find_spec("gradio") is None:
        raise UsageError(
            "the page needs gradio: pip install -c constraints.txt '.[ui]' in drugmon's folder, "
            "or pip install 'drugmon[ui]'"
        )


def _listening(config: PageConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((config.host, config.port))
        listening.listen()  # who comes before the server is up waits
    except OSError as error:
        listening.close()
        raise UsageError(
            f"cannot listen on {config.host}:{config.port} ({error.strerror or error}): "
            "give another --port or --host"
        ) from error
    return listening
