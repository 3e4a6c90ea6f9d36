"""drugmon: batch sentiment of drug reviews that a team can trust every morning.

In Python: `load` a model once and score frames or texts with it; `score` a source into files or
tables as the command does; `report` on what was scored. Importing this module is light: what a
function needs is imported when it is called.
"""

from __future__ import annotations

from os import fspath
from typing import TYPE_CHECKING, Any

from drugmon.errors import DrugmonError
from drugmon.version import __version__

if TYPE_CHECKING:
    from drugmon.workflows.model import Model
    from drugmon.workflows.predict import Verdict
    from drugmon.workflows.report.report import ReportResult
    from drugmon.workflows.score.score import ScoreResult

__all__ = [
    "DrugmonError",
    "Model",
    "ReportResult",
    "ScoreResult",
    "Verdict",
    "__version__",
    "load",
    "predict",
    "report",
    "score",
]

_HOMES = {
    "Model": "drugmon.workflows.model",
    "ReportResult": "drugmon.workflows.report.report",
    "ScoreResult": "drugmon.workflows.score.score",
    "Verdict": "drugmon.workflows.predict",
}


def __getattr__(name: str) -> object:
    """Import a class when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'drugmon' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def load(
    adapter: str | None = None,
    *,
    base: str | None = None,
    rule: str | None = None,
    then: str | None = None,
    share: float | None = None,
    below: float | None = None,
    device: str = "auto",
    dtype: str = "auto",
    threads: int | None = None,
) -> Model:
    """Load a model that scores frames and texts.

    Args:
        adapter: a shipped adapter by name, or a folder; None is the default one.
        base: a base of the T5 family by itself instead (zero-shot).
        rule: what decides labels, `balanced` or `likeliest`; None is the adapter's own.
        then: a second adapter, which judges too what the first one is least sure of; None for none.
        share: which share of reviews like the held-out ones goes on to it; None for .2, or
        below: the confidence of the first adapter below which a review does.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        dtype: `auto`, `fp32`, `bf16` or `int8`.
        threads: CPU threads; None for all cores.

    Raises:
        DrugmonError: it cannot be had, or is not what it should be; an option will not do.

    Example:
        >>> import drugmon, polars
        >>> frame = polars.DataFrame({"id": [7], "review": ["It cured my headache at once."]})
        >>> with drugmon.load("minilm-druglib") as model:
        ...     scored = model.score(frame)
        >>> scored["id"][0], scored["overall_sentiment"][0]
        (7, 'positive')

    Example:
        >>> with drugmon.load(then="mpnet-druglib", share=0.3) as pair:  # doctest: +SKIP
        ...     scored = pair.score(frame)
        >>> scored["drugmon_adapter"][0]  # doctest: +SKIP
        'minilm-druglib@0123456789ab+mpnet-druglib@0123456789ab'
    """
    from drugmon.config import EngineConfig
    from drugmon.options import build
    from drugmon.workflows.model import Model

    engine = build(EngineConfig, device=device, dtype=dtype, threads=threads)
    return Model(adapter, base=base, rule=rule, then=then, share=share, below=below, engine=engine)


def predict(text: str | None = None, **aspects: str | None) -> dict[str, Verdict]:
    """The verdicts of one review by the default model, by target.

    Args:
        text: a review in one piece, or
        aspects: `benefits`, `side_effects` and `comments`, any of them.

    Raises:
        DrugmonError: there is no text, or the model cannot be loaded.

    Example:
        >>> import drugmon
        >>> verdicts = drugmon.predict(benefits="No more pain.", side_effects="Awful nausea.")
        >>> sorted(verdicts)
        ['benefits', 'overall', 'side_effects']
        >>> verdicts["side_effects"].label
        'negative'
    """
    with load() as model:
        return model.predict(text, **aspects)


def score(source: str, **options: object) -> ScoreResult:
    """Score a file, folder, glob or DuckDB table as `drugmon score` does, and write the verdicts.

    Args:
        source: what to score.
        options: those of the command, as `drugmon.workflows.score.config.ScoreConfig` names them:
            `out`, `in_place`, `table`, `id_column`, `adapter`, `columns`, `where`, ...

    Raises:
        DrugmonError: any expected failure; an output is replaced whole or not at all.

    Warns:
        UserWarning: of what should be known although the run goes on, as the command does.

    Example:
        >>> import drugmon, polars
        >>> reviews = polars.DataFrame({"id": [1, 2], "review": ["It helped me a lot.", None]})
        >>> reviews.write_csv("reviews.csv")
        >>> result = drugmon.score("reviews.csv")
        >>> result.scored, result.empty
        (1, 1)
    """
    from drugmon.options import build
    from drugmon.wording import warn_program
    from drugmon.workflows.score.config import ScoreConfig
    from drugmon.workflows.score.score import score as run

    return run(build(ScoreConfig, source=fspath(source), **options), warn=warn_program)


def report(source: str, **options: Any) -> ReportResult:
    """Judge scored reviews as `drugmon report` does, and write the page.

    Args:
        source: a scored file, or a database with `table`.
        options: those of the command, as `drugmon.workflows.report.options.ReportOptions`
            names them: `table`, `since`, `last`, `reference`, `out`, ...

    Returns:
        `summary` holds all numbers of the report as typed objects, `page` is the page's path.

    Raises:
        DrugmonError: any expected failure.

    Warns:
        UserWarning: of what should be known although the report goes on, as the command does.

    Example:
        >>> import drugmon
        >>> from pathlib import Path
        >>> from drugmon.data.sample import write_sample
        >>> rows = write_sample(Path("sample.csv"))
        >>> written = drugmon.score("sample.csv")
        >>> result = drugmon.report(written.outputs[0], evidently=False)
        >>> [balance.target for balance in result.summary.balance]
        ['benefits', 'side_effects', 'comments', 'overall']
        >>> result.page.name
        'index.html'
    """
    from drugmon.wording import warn_program
    from drugmon.workflows.report.config import report_config
    from drugmon.workflows.report.report import report as run

    return run(report_config(fspath(source), **options), warn=warn_program)
