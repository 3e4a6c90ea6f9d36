"""The page as an ASGI app: three tabs, and the pages of the nights."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from pathlib import Path

import gradio as gr
from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse

from drugmon.serving.page.access import Guarded, read_users
from drugmon.serving.page.config import PageConfig
from drugmon.serving.page.file_tab import file_tab
from drugmon.serving.page.models import LoadedModels
from drugmon.serving.page.review_tab import review_tab
from drugmon.serving.page.uploads import Uploads

_TITLE = "drugmon"
_FONTS = ["system-ui", "sans-serif"]
_MONO = ["ui-monospace", "monospace"]


def make_app(config: PageConfig, models: LoadedModels, uploads: Uploads) -> Guarded:
    """Put the page together.

    Raises:
        UsageError: the file of users will not do.
    """
    users = read_users(config.auth_file) if config.auth_file else {}
    app = FastAPI(title=_TITLE, docs_url=None, redoc_url=None, openapi_url=None)
    if config.reports:
        _add_nights(app, config.reports)
    mounted = gr.mount_gradio_app(
        app,
        _blocks(config, models, uploads),
        path="/",
        server_name=config.host,
        server_port=config.port,
        root_path=config.root_path or None,
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=config.max_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        # No fonts but the system's: gradio's themes may fetch theirs.
        theme=gr.themes.Base(font=_FONTS, font_mono=_MONO),
        css=files("drugmon.serving.page").joinpath("page.css").read_text(encoding="utf-8"),
    )
    return Guarded(mounted, users)


def _blocks(config: PageConfig, models: LoadedModels, uploads: Uploads) -> gr.Blocks:
    blocks = gr.Blocks(title=_TITLE, analytics_enabled=False)
    with blocks:
        gr.Markdown("# drugmon\nThe sentiment of drug reviews, and how sure it is.")
        with gr.Tab("One review"):
            review_tab(models)
        with gr.Tab("A file"):
            file_tab(models, uploads, config)
        with gr.Tab("The nights"):
            gr.HTML(lambda: _nights(config.reports))  # asked whenever the page is opened

        def leave(request: gr.Request) -> None:
            uploads.end(request.session_hash)

        blocks.unload(leave)
    return blocks


def _nights(reports: Path | None) -> str:
    if reports is None:
        return (
            "<p>No folder of reports was named: start the page with "
            "<code>drugmon ui --reports FOLDER</code>.</p>"
        )
    if not (reports / "index.html").is_file():
        return f"<p>There is no report in <code>{escape(reports.name)}</code> yet.</p>"
    return (
        '<p><a href="nights/index.html" target="_blank" rel="noopener">Open in a tab of its own'
        '</a></p><iframe class="dm-nights" src="nights/index.html" title="All nights"></iframe>'
    )


def _add_nights(app: FastAPI, reports: Path) -> None:
    root = reports.resolve()

    @app.get("/nights/{page:path}")
    def night(page: str) -> FileResponse:
        """One page of the folder; nothing else in it is handed out."""
        path = (root / page).resolve()
        if not (path.is_relative_to(root) and path.suffix == ".html" and path.is_file()):
            raise HTTPException(404, "there is no such page")
        return FileResponse(path, media_type="text/html")
