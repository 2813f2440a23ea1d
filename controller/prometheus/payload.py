"""The JSON of an instant query, typed and projected while it is parsed: of each series only what a column needs.

Whether a payload is a good answer is judged in `answers`.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

__all__ = [
    "Labels",
    "Matrix",
    "Number",
    "Payload",
    "Refusal",
    "Sample",
    "Text",
    "Vector",
    "parse_payload",
    "parse_refusal",
]


class Labels(TypedDict, total=False):
    """The labels that mean something here; all others are left out while parsing."""

    namespace: str
    pod: str
    compositescaler_sample: str


class Sample(TypedDict):
    """One series of a vector; `value` is (unix seconds, text), lacking where the sample is a native histogram."""

    metric: Labels
    value: NotRequired[tuple[float, str]]


class Vector(TypedDict):
    """Any number of series, one sample each."""

    resultType: Literal["vector"]
    result: list[Sample]


class Number(TypedDict):
    """PromQL's scalar."""

    resultType: Literal["scalar"]
    result: tuple[float, str]


class Text(TypedDict):
    """PromQL's string."""

    resultType: Literal["string"]


class Matrix(TypedDict):
    """A range vector."""

    resultType: Literal["matrix"]


Data: TypeAlias = Annotated[Vector | Number | Text | Matrix, Field(discriminator="resultType")]


class Payload(TypedDict):
    """A whole successful answer; `warnings` say that something is missing from it."""

    status: Literal["success"]
    data: Data
    warnings: NotRequired[list[str]]


class Refusal(TypedDict):
    """What Prometheus says when it cannot answer."""

    status: Literal["error"]
    errorType: str
    error: str


_PAYLOAD = TypeAdapter(Payload)
_REFUSAL = TypeAdapter(Refusal)


def parse_payload(body: bytes) -> Payload:
    """The typed answer; raises `ValueError` with a short description of what is wrong with it."""
    try:
        return _PAYLOAD.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None


def parse_refusal(body: bytes) -> Refusal | None:
    """Prometheus' own words; `None` where the body is not Prometheus', but a proxy's page, say."""
    try:
        return _REFUSAL.validate_json(body)
    except ValidationError:
        return None
