"""What the API server's answers mean when they are not what was asked for: they become one of our errors."""

import contextlib
import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from controller.api.errors import (
    Conflict,
    Forbidden,
    Gone,
    KubernetesError,
    NotFound,
    Rejected,
    ServerError,
    TooManyRequests,
)

__all__ = ["error_of", "parsed"]

T = TypeVar("T")

DEFAULT_RETRY_SECONDS: Final = 1.0
LONGEST_TEXT: Final = 200


def error_of(
    what: str, code: int, body: bytes, headers: Mapping[str, str] | None = None, *, json_patch: bool = False
) -> KubernetesError:
    """The error for a refused request.

    `what` names the request ("GET /api/v1/pods") where the server said nothing readable. `json_patch`: the request was
    a JSON patch, whose failed `test` the server answers with 422 and no cause.
    """
    status = _status_of(body)
    message = str(status.get("message") or "") or _fallback(what, code, body)
    match code:
        case 404:
            return NotFound(message, code)
        case 409:
            return Conflict(message, code)
        case 410:
            return Gone(message, code)
        case 401 | 403:
            return Forbidden(message, code)
        case 429:
            return TooManyRequests(message, _retry_after(status, headers or {}))
        case 422 if json_patch and not _details(status).get("causes"):
            return Conflict(message, code)
        case _ if code >= 500:
            return ServerError(message, code)
        case _:
            return Rejected(message, code)


def parsed(adapter: TypeAdapter[T], what: str, body: bytes) -> T:
    """Parse an answer of status 200; raises `ServerError` when it is not what `what` should be."""
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ServerError(f"{what} cannot be read: {_fallback('it', 200, body)} ({first['msg']})", 200) from error


def _status_of(body: bytes) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        status = json.loads(body)
        if isinstance(status, dict):
            return status
    return {}


def _details(status: dict[str, Any]) -> dict[str, Any]:
    details = status.get("details")
    return details if isinstance(details, dict) else {}


def _fallback(what: str, code: int, body: bytes) -> str:
    text = " ".join(body[: 4 * LONGEST_TEXT].decode(errors="replace").split())[:LONGEST_TEXT]
    return f"{what} was answered with {code}" + (f": {text}" if text else "")


def _retry_after(status: dict[str, Any], headers: Mapping[str, str]) -> float:
    for value in (headers.get("Retry-After"), _details(status).get("retryAfterSeconds")):
        with contextlib.suppress(TypeError, ValueError):
            seconds = float(value)  # type: ignore[arg-type]  # None and nonsense are what is suppressed
            if 0 <= seconds < 3600:
                return seconds
    return DEFAULT_RETRY_SECONDS
