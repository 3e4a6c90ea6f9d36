"""The tab for a file: drop it, see what was recognised, score it, look, download."""

from __future__ import annotations

import queue
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import gradio as gr

from drugmon.errors import DrugmonError
from drugmon.serving.page import html
from drugmon.serving.page.config import PageConfig
from drugmon.serving.page.models import LoadedModels
from drugmon.serving.page.parts import aloud, choosers
from drugmon.serving.page.uploads import Session, Uploads
from drugmon.workflows.score.config import ScoreConfig
from drugmon.workflows.score.run import ScoreProgress
from drugmon.workflows.score.score import ScoreResult, score
from drugmon.workflows.upload import least_certain, recognise

TYPES: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".gz", ".zst")
LEAST_CERTAIN: Final = 10
_BROKEN: Final = "The page could not score the file, by a fault of its own; `drugmon score` may."

Update = dict[str, object]
"""What changes of a component of the page."""


class _StoppedError(Exception):
    """The visitor has cancelled, or left."""


def file_tab(models: LoadedModels, uploads: Uploads, config: PageConfig) -> None:
    """Build the tab inside a `gr.Blocks`."""
    gr.Markdown(
        f"csv, tsv, jsonl or parquet, up to {config.max_bytes / 2**20:,.0f} MB and "
        f"{config.max_rows:,} rows. Files are removed when you leave the page."
    )
    upload = gr.File(label="Reviews", file_types=list(TYPES), elem_id="dm-file")
    with gr.Row():
        chosen, rule = choosers(models)
    seen = aloud("dm-recognised")
    with gr.Row():
        start = gr.Button("Score", variant="primary", interactive=False, elem_id="dm-score")
        cancel = gr.Button("Cancel", interactive=False, elem_id="dm-cancel")
        download = gr.DownloadButton("Download", interactive=False, elem_id="dm-download")
    progress = gr.HTML("", elem_id="dm-progress")
    said = aloud("dm-file-said", seen=False)
    result = gr.HTML("", elem_id="dm-result")

    def look(path: str | None, request: gr.Request) -> tuple[Any, ...]:
        session = uploads.session(request.session_hash)
        session.stop.set()
        return (*_look(path, session, config), gr.update(value=None, interactive=False), "", "")

    def run(
        path: str, name: str, rule: str, request: gr.Request
    ) -> Iterator[tuple[str | Update, ...]]:
        yield from _run(path, name, rule, uploads.session(request.session_hash), models, config)

    def stop(request: gr.Request) -> None:
        uploads.session(request.session_hash).stop.set()

    upload.change(look, upload, [seen, start, download, progress, result], show_progress="hidden")
    start.click(
        run,
        [upload, chosen, rule],
        [progress, said, result, download, start, cancel],
        concurrency_limit=1,
        show_progress="hidden",
    )
    cancel.click(stop, None, None, queue=False)


def _look(path: str | None, session: Session, config: PageConfig) -> tuple[str, Update]:
    """What was recognised, and whether it can be scored."""
    if path is None:
        return "", gr.update(interactive=False)
    session.uploaded.add(Path(path))
    try:
        upload = recognise(Path(path), config.max_rows)
    except DrugmonError as error:
        return html.problem(_without_paths(str(error), path)), gr.update(interactive=False)
    return html.recognised(upload), gr.update(interactive=upload.rows > 0)


def _run(
    path: str, name: str, rule: str, session: Session, models: LoadedModels, config: PageConfig
) -> Iterator[tuple[str | Update, ...]]:
    """Score in a thread and tell of it; at the end the summary and the file."""
    session.stop.clear()
    off, on = gr.update(interactive=False), gr.update(interactive=True)
    total = recognise(Path(path), config.max_rows).rows
    yield html.progress(0, total), "", "", off, off, on
    told: queue.Queue[int | str | ScoreResult] = queue.Queue()
    # Of its own, so that all a run leaves that does not come to its end goes with it.
    folder = session.new_folder()
    output = folder / _scored_name(Path(path))

    scoring = ScoreConfig(
        path,
        models.options(name, rule),
        models.cascade(name),
        out=str(output),
        history=folder / "history.duckdb",
        engine=config.engine,
    )

    def on_progress(progress: ScoreProgress) -> None:
        if session.stop.is_set():
            raise _StoppedError
        told.put(progress.done)

    def work() -> None:
        said: str | ScoreResult
        try:
            said = score(scoring, on_progress=on_progress)
        except _StoppedError:
            said = "Cancelled; nothing was kept."
        except DrugmonError as error:
            said = _without_paths(str(error), path)
        except Exception:
            # Whatever it was may hold texts: it is not told and not logged.
            said = _BROKEN
        if isinstance(said, str):
            shutil.rmtree(folder, ignore_errors=True)
        told.put(said)

    threading.Thread(target=work, daemon=True).start()
    while isinstance(said := _last(told), int):
        yield html.progress(said, total), "", "", off, off, on
    if isinstance(said, str):
        yield html.problem(said), "", "", off, on, off
        return
    summary = html.judged_by(said) + html.summary(least_certain(output, LEAST_CERTAIN))
    scored = gr.update(value=str(output), interactive=True)
    yield html.progress(total, total), html.SCORED, summary, scored, on, off


def _last(told: queue.Queue[int | str | ScoreResult]) -> int | str | ScoreResult:
    """What was told last: who shows it may be slower than who scores."""
    said = told.get()
    while isinstance(said, int) and not told.empty():
        said = told.get()
    return said


def _scored_name(path: Path) -> str:
    stem, dot, rest = path.name.partition(".")
    return f"{stem}.scored{dot}{rest}"


def _without_paths(sentence: str, path: str) -> str:
    """Say the file's name where a message has the path that it has here."""
    return sentence.replace(path, Path(path).name).replace(str(Path(path).parent), "")
