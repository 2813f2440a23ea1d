"""Every way in which an API server says no: the Status object, worded as Kubernetes words it.

Clients act on `code` and `reason`, people read `message`, kubectl rebuilds its sentence from `details`: all four are part of the
contract. What is *decided* here is nothing; the callers decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.embedded.objects import Object

__all__ = [
    "Cause",
    "Refusal",
    "Undecodable",
    "already_exists",
    "bad_request",
    "conflict",
    "expired",
    "invalid",
    "method_not_allowed",
    "no_such_resource",
    "not_acceptable",
    "not_found",
    "unauthorized",
    "unprocessable",
    "unsupported_media_type",
]

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


@dataclass(frozen=True)
class Cause:
    """One field that is wrong: why (`FieldValueInvalid`, ...), the sentence without the path, the path."""

    reason: str
    message: str
    field: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class Refusal(Exception):
    """A request is answered with a Status of failure."""

    def __init__(
        self, code: int, reason: str, message: str, details: Object | None = None, metadata: Object | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.metadata = metadata or {}

    def status(self) -> Object:
        """The Status object."""
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status


class Undecodable(Refusal):
    """400: the object has fields of a wrong type or, where that is strict, unknown ones."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)

    def as_patch(self) -> Refusal:
        """The same about a patched object: there it is the patch that is invalid (422)."""
        return invalid("", "", "", [Cause("FieldValueInvalid", f"Invalid value: {self.message}", "patch")])


def _details(group: str, kind: str, name: str) -> Object:
    details = {"name": name, "group": group, "kind": kind}
    return {key: value for key, value in details.items() if value}


def _qualified(group: str, plural: str) -> str:
    return f"{plural}.{group}" if group else plural


def not_found(group: str, plural: str, name: str) -> Refusal:
    """404: there is no such object."""
    message = f'{_qualified(group, plural)} "{name}" not found'
    return Refusal(404, "NotFound", message, _details(group, plural, name))


def no_such_resource() -> Refusal:
    """404: this server does not serve that resource at all."""
    return Refusal(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(group: str, plural: str, name: str) -> Refusal:
    """409: an object of that name is there."""
    message = f'{_qualified(group, plural)} "{name}" already exists'
    return Refusal(409, "AlreadyExists", message, _details(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str = MODIFIED) -> Refusal:
    """409: the caller's version is not the present one."""
    message = f'Operation cannot be fulfilled on {_qualified(group, plural)} "{name}": {why}'
    return Refusal(409, "Conflict", message, _details(group, plural, name))


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> Refusal:
    """422: fields of the object are wrong, each with its cause."""
    sentences = [str(cause) for cause in causes]
    text = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    details = _details(group, kind, name)
    details["causes"] = [{"reason": c.reason, "message": c.message, "field": c.field} for c in causes]
    return Refusal(422, "Invalid", f'{_qualified(group, kind)} "{name}" is invalid: {text}', details)


def unprocessable() -> Refusal:
    """422: the patch cannot be applied, a failed `test` of a JSON patch included; Kubernetes does not say why."""
    return Refusal(422, "Invalid", "the server rejected our request due to an error in our request", {})


def bad_request(message: str) -> Refusal:
    """400: the request makes no sense."""
    return Refusal(400, "BadRequest", message)


def expired(message: str, continue_token: str | None = None) -> Refusal:
    """410: the asked-for version is no longer remembered."""
    metadata = {"continue": continue_token} if continue_token else None
    return Refusal(410, "Expired", message, metadata=metadata)


def unauthorized() -> Refusal:
    """401: no token, or one that this server does not know."""
    return Refusal(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> Refusal:
    """405: the resource is there, the verb is not."""
    return Refusal(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def not_acceptable(accepted: Sequence[str]) -> Refusal:
    """406: none of the asked-for representations is served."""
    message = f"only the following media types are accepted: {', '.join(accepted)}"
    return Refusal(406, "NotAcceptable", message)


def unsupported_media_type(accepted: Sequence[str]) -> Refusal:
    """415: the body is in a format that is not understood here."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return Refusal(415, "UnsupportedMediaType", message)
