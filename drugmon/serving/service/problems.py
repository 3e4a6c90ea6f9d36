"""What clients are told when something is wrong: problem details, RFC 9457, with the remedy.

No word of a review is told: only places, names of keys, and what was expected.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from drugmon.errors import DrugmonError, UsageError
from drugmon.wording import name_told

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


MEDIA_TYPE: Final = "application/problem+json"
_MOST_TOLD: Final = 3
_log = logging.getLogger("drugmon.service")


class Problem(HTTPException):
    """A request that cannot be answered as asked.

    Args:
        status: of HTTP.
        kind: its short name, the end of the problem's type.
        detail: what is wrong, where, and what to do.
        headers: of the answer.
    """

    def __init__(
        self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.kind = kind

    def to_dict(self) -> dict[str, object]:
        """The problem as an object for JSON."""
        return {
            "type": f"urn:drugmon:{self.kind}",
            "title": HTTPStatus(self.status_code).phrase,
            "status": self.status_code,
            "detail": self.detail,
        }

    def response(self) -> Response:
        """The problem as an answer."""
        return Response(json.dumps(self.to_dict()), self.status_code, self.headers, MEDIA_TYPE)


def problem_of(error: HTTPException) -> Problem:
    """An error of the web framework: an unknown path, a wrong method, a body that is no JSON."""
    if isinstance(error, Problem):
        return error
    kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    remedies = {
        400: "the body cannot be read as JSON in UTF-8",
        404: "there is no such path; /openapi.json lists those that are",
        405: "this path takes another method; /openapi.json tells which",
    }
    detail = remedies.get(error.status_code, str(error.detail))
    return Problem(error.status_code, kind, detail, error.headers)


def problem_from(error: Exception) -> Problem:
    """What a client is told of any error; of a bug, the log has the place."""
    if isinstance(error, HTTPException):
        return problem_of(error)
    if isinstance(error, UsageError):
        return Problem(422, "invalid-review", str(error))
    if isinstance(error, DrugmonError):
        return Problem(503, "cannot-score", str(error))
    # Where it happened, and not what it says: an error may hold a review's words.
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames[-6:]))
    _log.error("a bug in drugmon (%s) at %s", type(error).__name__, places)
    return Problem(
        500, "bug", f"a bug in drugmon ({type(error).__name__}); the service's log has the place"
    )


def invalid(errors: Sequence[ErrorDetails]) -> Problem:
    """A body of the wrong form, from pydantic's errors."""
    told = "; ".join(map(_told, errors[:_MOST_TOLD]))
    more = len(errors) - _MOST_TOLD
    return Problem(422, "invalid-review", told + (f"; and {more} more" if more > 0 else ""))


def _told(error: ErrorDetails) -> str:
    location = [part for part in error["loc"] if part not in ("body", "one", "many")]
    kind, message = error["type"], error["msg"]
    if kind == "json_invalid":
        return f"this is no JSON: {error.get('ctx', {}).get('error', 'it cannot be read')}"
    if kind == "extra_forbidden":
        name = location.pop()
        message = (
            f"there is no such key: {name_told(str(name))}; a review has benefits, side_effects, "
            "comments or text, and may have id, drug, condition and rating"
        )
    if kind in ("model_attributes_type", "missing") and not location:
        message = (
            "the body is no JSON object; send one, with the header Content-Type: application/json"
        )
    place = ""
    for part in location:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
    message = message.removeprefix("Value error, ")
    return f"{place}: {message}" if place else str(message)
