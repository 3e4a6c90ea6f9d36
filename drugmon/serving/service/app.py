"""The doors of the service: paths, what they take, and what they answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Body, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from drugmon.data.reviews import clean
from drugmon.models.adapters.adapter import Adapter, Unreadable, list_adapters
from drugmon.serving.service import metrics, problems
from drugmon.serving.service.door import STREAM, Door
from drugmon.serving.service.problems import Problem, invalid, problem_of
from drugmon.serving.service.rows import Row
from drugmon.serving.service.schemas import (
    EXAMPLE,
    AdapterInfo,
    Adapters,
    Explanations,
    ProblemDetails,
    Review,
    Reviews,
    ScoreBody,
    ScoresAnswer,
    State,
    Why,
)
from drugmon.serving.service.service import Service
from drugmon.serving.service.stream import MEDIA_TYPE, ScoreStream
from drugmon.version import __version__

_LEFT: Final = 499
"""The client closed the request: counted, and seen by nobody."""

_PROBLEM: Final = {
    "model": ProblemDetails,
    "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
}


def _problems(*statuses: int) -> dict[int | str, dict[str, object]]:
    told = {"description": "what was wrong, and the remedy", **_PROBLEM}
    return dict.fromkeys(statuses, told)


router = APIRouter()
_EXAMPLES: Final[Any] = {
    "one": {"summary": "one review", "value": EXAMPLE},
    "many": {
        "summary": "several",
        "value": {"reviews": [EXAMPLE, {"id": 8, "text": "It cured my headache at once."}]},
    },
}


@router.post(
    "/v1/score", response_model=ScoresAnswer, responses=_problems(400, 401, 413, 422, 429, 503)
)
async def score(
    request: Request, body: Annotated[ScoreBody, Body(openapi_examples=_EXAMPLES)]
) -> Response:
    """Score one review, or several: `{"reviews": [...]}`."""
    service = _service(request)
    reviews = body.reviews if isinstance(body, Reviews) else [body]
    most = service.config.max_reviews
    if len(reviews) > most:
        raise Problem(
            413,
            "too-many-reviews",
            f"a request has at most {most:,} reviews and this one {len(reviews):,}; send several, "
            f"or use {STREAM}",
        )
    service.check_texts(reviews)
    rows = await _unless_left(request, service.batcher.submit([review.texts for review in reviews]))
    if rows is None:
        return Response(status_code=_LEFT)
    answers = [service.answered(review, row) for review, row in zip(reviews, rows, strict=True)]
    return _json({"adapter": service.model.identity, "reviews": answers})


_NDJSON: Final = {MEDIA_TYPE: {"schema": {"type": "string"}, "example": json.dumps(EXAMPLE) + "\n"}}


@router.post(
    STREAM,
    response_class=Response,
    responses={200: {"description": "one verdict a line", "content": _NDJSON}, **_problems(401)},
    openapi_extra={"requestBody": {"required": True, "content": _NDJSON}},
)
async def stream(request: Request) -> Response:
    """Score reviews as they come: a review a line in, a verdict a line out, in the same order.

    A line that is no review is answered in its place, with its number and what is wrong.
    """
    return ScoreStream(_service(request))


@router.post("/v1/explain", responses=_problems(400, 401, 413, 422, 429))
async def explain(request: Request, review: Review) -> Explanations:
    """Which words of one review moved each verdict to its label, and by how much."""
    service = _service(request)
    service.check_texts([review])
    if not any(map(clean, review.texts)):
        raise Problem(422, "invalid-review", "all texts are empty: there is nothing to explain")
    by_target = await service.explain(review.texts)
    return Explanations(
        adapter=next(iter(by_target.values())).adapter,
        explanations={target: Why(**asdict(why)) for target, why in by_target.items()},
    )


@router.get("/v1/adapters", responses=_problems(401))
async def adapters(request: Request) -> Adapters:
    """What scores here, and which adapters are installed."""
    model = _service(request).model
    installed = await asyncio.to_thread(lambda: [_info(adapter) for adapter in list_adapters()])
    return Adapters(serving=model.identity, targets=list(model.targets), installed=installed)


@router.get("/healthz")
async def healthz() -> State:
    """Whether the process is alive."""
    return State(status="alive")


@router.get("/readyz", responses=_problems(503))
async def readyz(request: Request) -> State:
    """Whether requests should be sent here."""
    service = _service(request)
    if service.draining.is_set():
        raise Problem(503, "going-down", "the service is going down; ask another one")
    if service.batcher.waiting >= service.config.max_queue:
        raise Problem(503, "queue-full", "the queue is full; ask another one, or later")
    return State(status="ready")


@router.get("/metrics", response_class=Response, responses=_problems(401))
async def numbers(request: Request) -> Response:
    """What is counted, for Prometheus."""
    return Response(_service(request).metrics.text(), media_type=metrics.MEDIA_TYPE)


def make_app(service: Service) -> FastAPI:
    """The service as an ASGI application."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="drugmon",
        summary="Sentiment of drug reviews.",
        version=__version__,
        lifespan=lifespan,
        # Their pages would load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.include_router(router)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(
        Door, metrics=service.metrics, tokens=service.tokens, max_body=service.config.max_body
    )
    return app


async def _unless_left(request: Request, answer: asyncio.Future[list[Row]]) -> list[Row] | None:
    """The rows; None where the client leaves before they are there, and what is left is left."""
    gone: asyncio.Future[Any] = asyncio.ensure_future(
        request.receive()
    )  # the body is read: only the end can come
    try:
        await asyncio.wait([answer, gone], return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else None
    finally:
        gone.cancel()
        answer.cancel()


def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


def _info(adapter: Adapter | Unreadable) -> AdapterInfo:
    if isinstance(adapter, Adapter):
        manifest = adapter.manifest
        return AdapterInfo(
            name=adapter.folder.name,
            identity=manifest.identity,
            base=manifest.base.name,
            targets=list(manifest.targets),
            problem=None,
        )
    # The whole error has the machine's paths.
    return AdapterInfo(
        name=adapter.folder.name, identity=None, base=None, targets=[], problem="cannot be read"
    )


def _json(content: object) -> Response:
    body = json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
    return Response(body, media_type="application/json")


async def _http_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem_of(error).response()


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return invalid(error.errors()).response()
