"""The doors of the service: what goes in, what comes out, and what bad input is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from drugmon.data.reviews import Texts
from drugmon.data.verdicts.columns import VERDICT_COLUMNS
from drugmon.workflows.model import Model

Make = Callable[..., TestClient]
JSON = {"content-type": "application/json"}
SECRET = "zyzzyva"
"""A word of a review that must stand in no answer, log or number."""


def test_one_review_gets_the_fields_of_the_scored_columns(client: Make, model: Model) -> None:
    answer = client().post("/v1/score", json={"id": 7, "benefits": "good", "side_effects": "bad"})
    assert (answer.status_code, answer.json()["adapter"]) == (200, model.identity)
    (row,) = answer.json()["reviews"]
    assert list(row) == ["id", *VERDICT_COLUMNS]
    assert row["id"] == 7
    verdicts = model.predict(benefits="good", side_effects="bad")
    for target, verdict in verdicts.items():
        assert row[f"{target}_sentiment"] == verdict.label
        assert row[f"{target}_confidence"] == pytest.approx(verdict.confidence, abs=1e-4)
    assert row["comments_sentiment"] is None and row["comments_p_neutral"] is None


def test_several_reviews_keep_their_order_and_ids(client: Make) -> None:
    reviews = [{"id": f"r{n}", "text": "good " * (n % 50)} for n in range(200)]
    answers = client().post("/v1/score", json={"reviews": reviews}).json()["reviews"]
    assert [answer["id"] for answer in answers] == [review["id"] for review in reviews]
    empty = [answer["id"] for answer in answers if answer["overall_sentiment"] is None]
    assert empty == ["r0", "r50", "r100", "r150"]


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"id": 1}, 422, "there is no text: give benefits, side_effects, comments or text"),
        ({"benefits": 3}, 422, "benefits: Input should be a valid string"),
        (
            {"text": "a", "comments": "b"},
            422,
            "give the review as one text, or by its aspects, not both",
        ),
        (
            {"reviews": [{"text": "a"}, {"text": "b", "foo": 1}]},
            422,
            "reviews[1]: there is no such key: 'foo'; a review has benefits, side_effects, "
            "comments or text, and may have id, drug, condition and rating",
        ),
        (
            [],
            422,
            "the body is no JSON object; send one, with the header Content-Type: application/json",
        ),
        ({"reviews": {}}, 422, "reviews: Input should be a valid list"),
        ({"text": "a", "id": True}, 422, None),
        ({"text": "a", "rating": 11}, 422, "rating: Input should be less than or equal to 10"),
        (
            {"text": "x" * 1_000_001},
            413,
            "a text has 1,000,001 characters and at most 50,000 are taken; score it with `drugmon "
            "score`, which has no limit, or cut it, which may change its verdict",
        ),
        (
            {"reviews": [{"text": "x"}] * 10_000},
            413,
            "a request has at most 1,000 reviews and this one 10,000; send several, or use "
            "/v1/score/stream",
        ),
    ],
)
def test_bad_input_is_told_what_is_wrong(
    client: Make, body: object, status: int, detail: str | None
) -> None:
    answer = client().post("/v1/score", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {"type", "title", "status", "detail"}
    assert answer.json()["status"] == status
    if detail is not None:
        assert answer.json()["detail"] == detail


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b'{"text": "x", "rating": NaN}', 422, "rating: Input should be a finite number"),
        (b'{"text": NaN}', 422, "text: Input should be a valid string"),
        (b'{"text": "x", "rating": 1e999}', 422, "rating: Input should be a finite number"),
        (b'{"text": "x"', 422, "this is no JSON: Expecting ',' delimiter"),
        (b'{"text": "\xff"}', 400, "the body cannot be read as JSON in UTF-8"),
        (b"[" * 100_000, 400, "the body cannot be read as JSON in UTF-8"),
        (b"", 422, None),
    ],
)
def test_bytes_that_are_no_review(
    client: Make, body: bytes, status: int, detail: str | None
) -> None:
    answer = client().post("/v1/score", content=body, headers=JSON)
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    )
    if detail is not None:
        assert answer.json()["detail"] == detail


@pytest.mark.parametrize("path", ["/v1/score", "/v1/score/stream", "/v1/explain"])
def test_half_a_character_is_replaced_as_in_files(client: Make, path: str) -> None:
    body = rb'{"id": "\ud83d", "text": "good \ud83d"}'
    if path == "/v1/explain":
        body = rb'{"text": "good \ud83d"}'
    answer = client().post(path, content=body, headers=JSON)
    assert answer.status_code == 200
    told = answer.json()
    if path == "/v1/explain":
        words = [word["text"] for word in told["explanations"]["overall"]["words"]]
        assert words == ["good", "\ufffd"]
    else:
        (review,) = told.get("reviews", [told])
        assert review["id"] == "\ufffd"
        assert review["overall_sentiment"]


BAD: dict[str, bytes] = {
    "nothing": b"",
    "a review without a text": b'{"id": 1}',
    "an empty text": b'{"text": ""}',
    "a text of 1 MB": b'{"text": "%s"}' % (b"x" * 1_000_000),
    "a number for a text": b'{"text": 3}',
    "an adapter, which `--adapter` alone names": b'{"text": "good", "adapter": "other"}',
    "a rating of NaN": b'{"text": "good", "rating": NaN}',
    "10,000 reviews in one object": b'{"reviews": [%s]}' % b",".join([b'{"text":"x"}'] * 10_000),
    "an array": b"[]",
    "half an object": b'{"text": "go',
    "bytes that are not UTF-8": b'{"text": "\xff"}',
    "100,000 open brackets": b"[" * 100_000,
}
"""As docs/service.md names it."""
DOORS = ("/v1/score", "/v1/score/stream", "/v1/explain")


def told_of(answer: httpx2.Response) -> str:
    """An answer as docs/service.md tells of it."""
    if answer.status_code == 200 and not answer.text:
        return "no line"
    body = json.loads(answer.text)
    if answer.status_code == 200 and "error" not in body:
        (row,) = body.get("reviews", [body])
        assert row["overall_sentiment"] is None
        return "null verdicts"
    problem = body.get("error", body)
    assert problem["status"] == answer.status_code or body["line"] == 1
    assert not problem["detail"].startswith("Field required")
    return f"{problem['status']} {problem['type'].removeprefix('urn:drugmon:')}"


def test_bad_input_gets_at_each_door_what_the_docs_say(client: Make) -> None:
    make, docs = client(), Path(__file__).parents[3] / "docs" / "service.md"
    lines = docs.read_text(encoding="utf-8").splitlines()
    for name, body in BAD.items():
        found = [told_of(make.post(door, content=body, headers=JSON)) for door in DOORS]
        assert f"| {' | '.join([name, *found])} |" in lines


def test_nothing_is_told_apart_from_a_missing_key(client: Make) -> None:
    answer = client().post("/v1/score", content=b"", headers=JSON)
    assert answer.json()["detail"].startswith("the body is no JSON object; send one")


def test_keys_without_texts_do_no_harm(client: Make) -> None:
    body = {"text": "good", "benefits": None, "side_effects": "", "drug": None, "id": None}
    assert client().post("/v1/score", json=body).status_code == 200


def test_a_blank_text_beside_others_is_none_as_in_files(client: Make, model: Model) -> None:
    for body, texts in (
        ({"text": "", "benefits": "good"}, Texts("good", None, None, "")),
        ({"text": "good", "comments": " "}, Texts(None, None, " ", "good")),
    ):
        (row,) = client().post("/v1/score", json=body).json()["reviews"]
        in_a_file = model.judge([texts]).to_pylist()[0]
        assert row["overall_sentiment"] == in_a_file["overall_sentiment"]
        assert row["overall_confidence"] == pytest.approx(in_a_file["overall_confidence"], abs=1e-5)


def test_lone_surrogates_are_scored(client: Make) -> None:
    answer = client().post("/v1/score", content=b'{"text": "\\ud800 good"}', headers=JSON)
    assert answer.status_code == 200


def test_a_body_over_the_limit_is_not_read(client: Make) -> None:
    make = client(max_body=100)
    detail = "a request has at most 100 bytes; send several, or use /v1/score/stream"
    for body in ({"text": "x" * 200}, None):
        content = iter([b'{"text": "', b"x" * 200, b'"}'])
        answer = (
            make.post("/v1/score", json=body)
            if body
            else make.post("/v1/score", content=content, headers=JSON)
        )
        assert (answer.status_code, answer.json()["detail"]) == (413, detail)


def test_a_full_queue_says_when_to_come_again(client: Make) -> None:
    make = client(max_queue=10, max_reviews=10)
    make.app.state.service.batcher.waiting = 5  # type: ignore[attr-defined]
    answer = make.post("/v1/score", json={"reviews": [{"text": "x"}] * 6})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert answer.json()["detail"] == (
        "5 reviews wait already and 10 may; send these again in 1 s, or use /v1/score/stream, "
        "which waits for room"
    )


def test_tokens(client: Make, tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("# of the team\n0123456789abcdef\nfedcba9876543210\n", encoding="utf-8")
    make = client(tokens=path)
    assert make.get("/healthz").status_code == 200
    for path_, headers in (
        ("/v1/adapters", {}),
        ("/metrics", {}),
        ("/nowhere", {}),
        ("/v1/adapters", {"authorization": "Bearer wrong"}),
        ("/v1/adapters", {"authorization": "Basic 0123456789abcdef"}),
        ("/v1/adapters", {"authorization": "Bearer "}),
    ):
        answer = make.get(path_, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json()["detail"] == (
            "send a token that the service knows, as the header Authorization: Bearer TOKEN"
        )
    good = {"authorization": "bearer fedcba9876543210"}
    assert make.get("/v1/adapters", headers=good).status_code == 200


def test_state_and_adapters(client: Make, model: Model) -> None:
    make = client()
    assert make.get("/readyz").json() == {"status": "ready"}
    found = make.get("/v1/adapters").json()
    assert (found["serving"], found["targets"]) == (model.identity, list(model.targets))
    shipped = {adapter["name"]: adapter for adapter in found["installed"]}
    assert shipped["minilm-druglib"]["targets"] == list(model.targets)
    make.app.state.service.draining.set()  # type: ignore[attr-defined]
    assert make.get("/readyz").json()["detail"] == "the service is going down; ask another one"


def test_metrics_count_what_was_done(client: Make) -> None:
    make = client()
    make.post("/v1/score", json={"reviews": [{"text": "good"}, {"text": "bad"}, {"text": ""}]})
    make.post("/v1/score", json={"id": SECRET})
    make.get(f"/{SECRET}")
    text = make.get("/metrics").text
    for line in (
        'drugmon_requests_total{path="/v1/score",status="200"} 1.0',
        'drugmon_requests_total{path="/v1/score",status="422"} 1.0',
        'drugmon_requests_total{path="other",status="404"} 1.0',
        "drugmon_reviews_total 3.0",
        'drugmon_labels_total{label="none",target="overall"} 1.0',
        "drugmon_queue_reviews 0.0",
        "drugmon_batch_reviews_count 1.0",
        "drugmon_batch_seconds_count 1.0",
        'drugmon_request_seconds_count{path="/v1/score"} 2.0',
    ):
        assert f"{line}\n" in text
    assert SECRET not in text


def test_a_bug_tells_where_and_no_text(
    client: Make, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    make = client()

    def judge(reviews: list[Texts]) -> None:
        raise ValueError(f"cannot judge {reviews[0].text}")

    make.app.state.service.batcher._judge = judge  # type: ignore[attr-defined]
    with caplog.at_level(logging.DEBUG):
        answer = make.post("/v1/score", json={"text": SECRET})
    assert answer.status_code == 500
    detail = "a bug in drugmon (ValueError); the service's log has the place"
    assert answer.json()["detail"] == detail
    assert "a bug in drugmon (ValueError) at " in caplog.text
    assert SECRET not in caplog.text + "".join(capfd.readouterr()) + answer.text


def test_unknown_paths_and_methods(client: Make) -> None:
    make = client()
    assert make.get("/docs").status_code == 404  # they would load scripts from elsewhere
    answer = make.get("/v1/score")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["detail"] == "this path takes another method; /openapi.json tells which"


def test_the_description_has_examples_that_work(client: Make) -> None:
    make = client()
    described = make.get("/openapi.json").json()["paths"]
    assert set(described) >= {"/v1/score", "/v1/score/stream", "/v1/adapters", "/metrics"}
    body = described["/v1/score"]["post"]["requestBody"]["content"]["application/json"]
    assert set(body["examples"]) == {"one", "many"}
    for example in body["examples"].values():
        answer = make.post("/v1/score", json=example["value"])
        assert answer.status_code == 200
    shown = make.get("/openapi.json").json()["components"]["schemas"]["ScoresAnswer"]["examples"][0]
    assert set(shown["reviews"][0]) == set(answer.json()["reviews"][0])


def test_explanations_add_up(client: Make) -> None:
    make = client()
    answer = make.post("/v1/explain", json={"benefits": "good and wonderful"})
    assert answer.status_code == 200
    found = answer.json()["explanations"]
    assert set(found) == {"benefits", "overall"}
    for why in found.values():
        pushed = sum(word["push"] for word in why["words"])
        assert pushed == pytest.approx(why["probability"] - why["baseline"], abs=1e-3)
        assert [word["text"] for word in why["words"]] == ["good", "and", "wonderful"]
    answer = make.post("/v1/explain", json={"text": "  "})
    detail = "all texts are empty: there is nothing to explain"
    assert (answer.status_code, answer.json()["detail"]) == (422, detail)
    make.app.state.service._explaining = 4  # type: ignore[attr-defined]
    answer = make.post("/v1/explain", json={"text": "good"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
