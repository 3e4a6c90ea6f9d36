"""What `drugmon init` prints: what a source holds, in counts and names of columns only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from drugmon.cli.output.lines import print_json, say
from drugmon.cli.output.terminal import console, text
from drugmon.wording import is_name, name_told, names_told

if TYPE_CHECKING:
    from drugmon.data.survey import Dates, Ids, Ratings, Survey
    from drugmon.workflows.init import InitResult


def print_init(result: InitResult, *, as_json: bool, quiet: bool) -> None:
    """What was found field by field, what to look at, and the command to run next."""
    survey = result.survey
    if as_json:
        return print_json(_to_json(result))
    if quiet:
        return None
    of = f" in {result.files} files" if result.files > 1 else ""
    say(f"{survey.rows:,} rows{of}, {_texts_told(survey)}")
    table = Table("read as", "column", "what it holds", header_style="bold", box=SIMPLE_HEAD)
    for field, column in _columns(survey):
        table.add_row(text(field), text(name_told(column)), text(_holds(field, survey)))
    console().print_table(table)
    if survey.unread:
        say(f"not read: {names_told(survey.unread)}")
    say(f"language: {_language_told(survey)}")
    for sentence in result.advice:
        say(f"- {sentence}")
    say(f"wrote {result.settings}; look it through, then run")
    say(result.next_command)
    say(f"drugmon init: ok rows={survey.rows} settings={result.settings}")
    return None


def _texts_told(survey: Survey) -> str:
    without, repeated = survey.without_text, survey.repeated
    return f"{without:,} of them without a text, {repeated:,} with the texts of an earlier row"


def _language_told(survey: Survey) -> str:
    return f"looks like {survey.language}" if survey.language else "cannot be told"


def _columns(survey: Survey) -> Iterator[tuple[str, str]]:
    for field, column in asdict(survey.columns).items():
        if column is not None:
            yield field, column


def _holds(field: str, survey: Survey) -> str:
    if field == "rating" and survey.ratings is not None:
        return _ratings_told(survey.ratings)
    if field == "id" and survey.ids is not None:
        return _ids_told(survey.ids, survey.rows)
    if field == "date" and survey.dates is not None:
        return _dates_told(survey.dates)
    return ""


def _ratings_told(ratings: Ratings) -> str:
    odd = f"; {ratings.unreadable:,} are no numbers" if ratings.unreadable else ""
    if not ratings.count:
        return f"no numbers{odd}"
    scale = f"scale {ratings.scale}" if ratings.scale else "which scale cannot be told"
    return f"{ratings.count:,} from {ratings.low:g} to {ratings.high:g}: {scale}{odd}"


def _ids_told(ids: Ids, rows: int) -> str:
    missing = f"; {rows - ids.filled:,} are missing" if ids.filled < rows else ""
    if ids.repeated:
        return f"{ids.repeated:,} rows have the id of an earlier one{missing}"
    return f"no id twice{missing}"


def _dates_told(dates: Dates) -> str:
    odd = f"; {dates.unreadable:,} are no dates" if dates.unreadable else ""
    if dates.first is None or dates.last is None:
        return f"no dates{odd}"
    return f"{dates.first:%Y-%m-%d} to {dates.last:%Y-%m-%d}{odd}"


def _to_json(result: InitResult) -> dict[str, object]:
    survey = result.survey
    plain: dict[str, Any] = asdict(survey)
    # Without a header, the names of columns are cells of a review.
    plain["columns"] = {
        field: column if is_name(column) else None for field, column in _columns(survey)
    }
    plain["unread"] = list(survey.unread) if all(map(is_name, survey.unread)) else None
    if plain["ratings"]:
        del plain["ratings"]["beyond"]  # it is there for the scale
        plain["ratings"]["scale"] = (
            survey.ratings and survey.ratings.scale and str(survey.ratings.scale)
        )
        for end in ("low", "high"):
            plain["ratings"][end] = plain["ratings"][end] if plain["ratings"]["count"] else None
    for end in ("first", "last") if plain["dates"] else ():
        moment = plain["dates"][end]
        plain["dates"][end] = moment and moment.isoformat()
    return {
        "settings": str(result.settings),
        "files": result.files,
        **plain,
        "advice": list(result.advice),
        "next": result.next_command,
    }
