"""What clients send and are sent, as the API's description shows it."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from drugmon.data.reviews import Texts, clean, is_lone
from drugmon.data.verdicts.columns import VERDICT_SCHEMA
from drugmon.labels import ASPECTS, LABELS
from drugmon.wording import encodable
from drugmon.workflows.predict import ONE_FORM

EXAMPLE: Final[dict[str, Any]] = {
    "id": 7,
    "benefits": "No more headaches.",
    "side_effects": "Slept badly for a week.",
    "comments": "I would take it again.",
}
ANSWER_EXAMPLE: Final[dict[str, Any]] = {
    "id": 7,
    **{
        field.name: "positive" if field.name.endswith("_sentiment") else 0.9
        for field in VERDICT_SCHEMA
        if not field.name.startswith("drugmon_")
    },
    "drugmon_adapter": "minilm-druglib@0123456789abcdef",
    "drugmon_scored_at": "2026-11-27T03:00:00+00:00",
    "drugmon_fingerprint": "0123456789abcdef0123456789abcdef",
}

String = Annotated[str, AfterValidator(encodable)]
"""Half a character is replaced, as in files: clients that cut texts leave some."""


class Review(BaseModel):
    """One review: a text in one piece, or up to three by aspect.

    A text that is empty or null gets no verdict. `id` comes back as it is; `drug`, `condition` and
    `rating` decide nothing and are kept where the service records.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, json_schema_extra={"examples": [EXAMPLE]}
    )

    id: int | String | None = None
    benefits: String | None = None
    side_effects: String | None = None
    comments: String | None = None
    text: String | None = Field(default=None, description="A review in one piece; overall only.")
    drug: String | None = None
    condition: String | None = None
    rating: float | None = Field(default=None, ge=1, le=10)

    @model_validator(mode="after")
    def _has_texts(self) -> Self:
        given = self.model_fields_set & {*ASPECTS, "text"}
        if not given:
            raise ValueError("there is no text: give benefits, side_effects, comments or text")
        if clean(self.text) and not is_lone(self.texts):
            raise ValueError(ONE_FORM)
        return self

    @classmethod
    def of_line(cls, line: bytes) -> Self:
        """The review that a line of JSON holds.

        Raises:
            ValidationError: it holds none.
        """
        if rb"\u" not in line:
            return cls.model_validate_json(line)
        try:  # pydantic's own reader refuses escapes of half a character
            review = json.loads(line)
        except (ValueError, RecursionError):
            return cls.model_validate_json(line)
        return cls.model_validate(review)

    @property
    def texts(self) -> Texts:
        """Its texts, as scoring takes them."""
        return Texts(self.benefits, self.side_effects, self.comments, self.text)


class Reviews(BaseModel):
    """Several reviews."""

    model_config = ConfigDict(extra="forbid")

    reviews: list[Review] = Field(min_length=1)


def _form(body: object) -> str:
    return "many" if isinstance(body, dict) and "reviews" in body else "one"


ScoreBody = Annotated[
    Annotated[Review, Tag("one")] | Annotated[Reviews, Tag("many")], Discriminator(_form)
]
"""One review, or several: an object with `reviews` is several."""


class ScoresAnswer(BaseModel):
    """The reviews' verdicts, in the order of the reviews: the fields of the scored columns."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"adapter": "minilm-druglib@0123", "reviews": [ANSWER_EXAMPLE]}]
        }
    )

    adapter: str = Field(
        description="name@digest of what scores here; in a cascade of both adapters, and each "
        "review tells in drugmon_adapter who judged it"
    )
    reviews: list[dict[str, Any]] = Field(
        description=f"Per target its sentiment ({', '.join(LABELS)}, or null), the confidence and "
        "three probabilities; who scored, when, and a fingerprint."
    )


class Push(BaseModel):
    """A word, where it stands in the cleaned text of `field`, and what it added to the label."""

    field: str
    start: int
    end: int
    text: str
    push: float = Field(description="in units of probability")


class Why(BaseModel):
    """Why a verdict has its label: the pushes add up to `probability - baseline`."""

    label: str
    probability: float
    baseline: float = Field(description="the label's probability where nothing is said")
    words: list[Push]


class Explanations(BaseModel):
    """The words of one review that moved its verdicts, by target."""

    adapter: str = Field(description="name@digest of what judged the review")
    explanations: dict[str, Why]


class AdapterInfo(BaseModel):
    """An adapter that is installed."""

    name: str
    identity: str | None = Field(description="name@digest; null where it cannot be read")
    base: str | None
    targets: list[str]
    problem: str | None = Field(description="null, or why it cannot be read")


class Adapters(BaseModel):
    """What scores here, and what is installed beside it."""

    serving: str = Field(description="name@digest of what scores here")
    targets: list[str]
    installed: list[AdapterInfo]


class State(BaseModel):
    """Whether the service is well."""

    status: str


class ProblemDetails(BaseModel):
    """What was wrong, and what to do (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
