"""Init: look at a source of reviews and write the settings of its nightly job."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from drugmon.config import DEFAULT_ADAPTER
from drugmon.data.copies import fetched
from drugmon.data.language import ENGLISH
from drugmon.data.resolve import resolve_source
from drugmon.data.sources import StandardInput
from drugmon.data.stores.uri import is_uri
from drugmon.data.survey import Survey, Surveyor, survey_file, survey_table
from drugmon.data.textformat import DEFAULT_TEXT_FORMAT, TextFormat
from drugmon.data.verdicts.atomic import sink_errors
from drugmon.errors import SinkError, SourceError, UsageError
from drugmon.grading import TEN
from drugmon.labels import ASPECTS
from drugmon.wording import is_name
from drugmon.workflows.configs import InitConfig

REFERENCE: Final = "previous:7"
"""What the job compares with: its own earlier runs, of which the first is the baseline."""

_LIKE_RATINGS: Final = re.compile("rating|stars?|score|grade", re.IGNORECASE)


@dataclass(frozen=True)
class InitResult:
    """What was found and written.

    Attributes:
        survey: of all files that could be read, or of the table.
        files: how many could be read; 0 for a table.
        settings: the file that was written.
        advice: what to look at before the first night, a sentence each.
        next_command: the line to run next.
    """

    survey: Survey
    files: int
    settings: Path
    advice: tuple[str, ...]
    next_command: str


def init(config: InitConfig, *, warn: Callable[[str], None] = lambda _warning: None) -> InitResult:
    """Read the source to its end and write settings for it; a file that is there is left alone.

    Args:
        config: what, how, and where to.
        warn: told of files in a folder or a glob that cannot be read.

    Raises:
        SinkError: the settings are there already, or cannot be written.
        SourceError: the source cannot be read, or has no text column.
        UsageError: an override names no field or no column.
        BusyError: another process did not close the database in time.
    """
    _check_free(config.out)
    survey, files = _survey(config, warn)
    text = settings_text(config, survey)
    with sink_errors(config.out):
        try:
            with config.out.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            _check_free(config.out)
    next_command = shlex.join(["drugmon", "nightly", str(config.out), "--check"])
    return InitResult(survey, files, config.out, tuple(_advice(config, survey)), next_command)


def settings_text(config: InitConfig, survey: Survey) -> str:
    """The settings of a nightly job for what was found, as TOML with comments.

    Raises:
        UsageError: a path or a name has bytes that are no UTF-8, which TOML cannot hold.
    """
    source = "\n".join([*_source_lines(config), *_prefix_lines(survey), *_scale_lines(survey)])
    date = (survey.columns.date or "") if survey.dates and survey.dates.count else ""
    return _SETTINGS.format(source=source, reference=_toml(REFERENCE), date=_toml(date))


_SETTINGS: Final = """\
# A nightly job for `drugmon nightly`, written by `drugmon init`. Paths are relative to the folder
# of this file. jobs/nightly.toml has every key with its default, docs/nightly.md tells more.

[[source]]
{source}

[report]
# The first night is the baseline, the next ones are compared with up to seven runs before. With
# "adapter" they would be compared with the reviews that the adapter was tried on.
reference = {reference}
# window = "new"           # the rows that are new or changed; "7d" for the last seven days
# date_column = {date}     # what dates a row in a window such as 7d; "" for the time of scoring
# evidently = true         # pages for analysts, some 7 MB a report; false leaves them out
# keep = 90                # so many reports stay

[notify]
# url = ""                 # called at URL/start, URL and URL/fail, as healthchecks.io has it
"""


def _source_lines(config: InitConfig) -> list[str]:
    folder = config.out.absolute().parent
    lines = [f"source = {_toml(_relative(config.source, folder))}"]
    if config.database.table:
        lines.append(f"table = {_toml(config.database.table)}")
    if config.adapter != DEFAULT_ADAPTER:
        is_folder = Path(config.adapter).is_dir()
        adapter = _relative(config.adapter, folder) if is_folder else config.adapter
        lines.append(f"adapter = {_toml(adapter)}")
    if config.reading.columns:
        pairs = ", ".join(
            f"{name} = {_toml(column)}" for name, column in config.reading.columns.items()
        )
        lines.append(f"columns = {{ {pairs} }}")
    if config.folders.partitions:
        lines.append("partitions = true")
    return [*lines, *_format_lines(config.reading.text_format)]


def _survey(config: InitConfig, warn: Callable[[str], None]) -> tuple[Survey, int]:
    with Surveyor() as surveyor:
        if config.database.table:
            database = Path(config.source)
            survey_table(
                surveyor,
                database,
                config.database.table,
                config.reading.columns,
                config.database.lock_timeout,
            )
            return surveyor.survey(), 0
        sources = resolve_source(config.source, partitions=config.folders.partitions)
        assert not isinstance(sources, StandardInput)
        failures = []
        for source in sources:
            try:
                with fetched(replace(source, partition=())) as file:
                    survey_file(surveyor, file, config.reading.columns, config.reading.text_format)
            except SourceError as error:
                failures.append(error)
                if len(sources) > 1:
                    warn(f"not counted: {error}")
        if len(failures) == len(sources):
            raise failures[0]
        return surveyor.survey(), len(sources) - len(failures)


def _advice(config: InitConfig, survey: Survey) -> list[str]:
    """What to look at before the first night."""
    advice = []
    ratings, has_aspects = survey.ratings, any(getattr(survey.columns, a) for a in ASPECTS)
    if not survey.rows:
        advice.append("there are no rows yet: run this again when there are, to see what they hold")
    if ratings is not None and ratings.count and ratings.scale is None:
        advice.append(
            f"no usual scale suits the ratings: declare theirs with rating_scale in {config.out}, "
            "or the quality on the pages is wrong"
        )
    if ratings is None and survey.columns.overall_label is None:
        likely = [name for name in survey.unread if is_name(name) and _LIKE_RATINGS.search(name)]
        hint = f"; if {likely[0]!r} holds them, --column rating={likely[0]}" if likely else ""
        advice.append(f"there are no ratings: quality is estimated, and not measured{hint}")
    if survey.prefix:
        advice.append(
            "the source has columns of its own that are called like verdicts: they stay, and the "
            f"names of the verdicts begin with {survey.prefix}"
        )
    if survey.language not in (None, ENGLISH):
        advice.append(
            f"the texts look like {survey.language}: the adapters that come with drugmon were "
            "trained on English reviews"
        )
    if survey.other_columns:
        advice.append(
            f"{survey.other_columns} files have other columns than the first one: see that each "
            "means the same"
        )
    if not has_aspects:
        advice.append("the reviews have one text each: they get the overall verdict only")
    return advice


def _format_lines(text_format: TextFormat) -> list[str]:
    keys = {
        "encoding": text_format.encoding,
        "quoting": text_format.quoting,
        "delimiter": text_format.delimiter,
    }
    default = DEFAULT_TEXT_FORMAT
    return [
        f"{key} = {_toml(value)}"
        for key, value in keys.items()
        if value is not None and value != getattr(default, key)
    ]


def _scale_lines(survey: Survey) -> list[str]:
    ratings = survey.ratings
    if ratings is None or not ratings.count:
        return []
    if ratings.scale is None:
        return ['# rating_scale = "1-10"    # declare the scale: it could not be told']
    said = f"the ratings lie between {ratings.low:g} and {ratings.high:g}"
    comment = "# " if ratings.scale == TEN else ""
    return [f"{comment}rating_scale = {_toml(str(ratings.scale))}    # {said}"]


def _prefix_lines(survey: Survey) -> list[str]:
    if not survey.prefix:
        return []
    return [f"prefix = {_toml(survey.prefix)}    # the source has columns called like verdicts"]


def _check_free(path: Path) -> None:
    if os.path.lexists(path):
        raise SinkError(f"{path}: is there already, and is left alone; give another --out")


def _relative(path: str, folder: Path) -> str:
    """A path as the settings in `folder` name it: from there where it lies below, else absolute."""
    if is_uri(path):
        return path
    slash = os.sep if path.endswith(os.sep) else ""
    absolute = os.path.abspath(path)  # noqa: PTH100 - a glob is no path, and no link is followed
    if Path(absolute).is_relative_to(folder):
        relative = os.path.relpath(absolute, folder)
        # The settings take ~ for a home folder.
        return f"{'./' if relative.startswith('~') else ''}{relative}{slash}"
    return f"{absolute}{slash}"


def _toml(value: str) -> str:
    """A TOML string. JSON's are, but for DEL, and TOML has no lone surrogates."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(
            "a path or a name has bytes that are not UTF-8, which settings cannot hold; rename it"
        ) from None
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
