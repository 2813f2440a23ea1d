"""Every error that crosses a package boundary.

    CompositeScalerError
    ├── InvalidManifest        a CompositeScaler that the models refuse
    ├── InvalidConfiguration   the operator's configuration file
    ├── InvalidAmount          text that is no quantity, share or duration
    └── KubernetesError        the API server said no, or said nothing
        ├── NotFound           404
        ├── Conflict           409, or 422 of a failed JSON-patch test: somebody else wrote
        ├── Forbidden          401, 403
        ├── Gone               410: a watch or continue token that is too old
        ├── TooManyRequests    429, carries retry_after seconds
        ├── ServerError        5xx
        ├── Rejected           any other 4xx
        └── Unreachable        no answer: refused, reset, timed out

Faults of a metrics source are not errors: they are values (`controller.prometheus.Fault`), because a cycle goes on with them.
"""

__all__ = [
    "CompositeScalerError",
    "Conflict",
    "Forbidden",
    "Gone",
    "InvalidAmount",
    "InvalidConfiguration",
    "InvalidManifest",
    "KubernetesError",
    "NotFound",
    "Rejected",
    "ServerError",
    "TooManyRequests",
    "Unreachable",
]


class CompositeScalerError(Exception):
    """The root of the project's errors; its text is a sentence for the user."""


class InvalidManifest(CompositeScalerError):
    """A CompositeScaler is wrong; the text names the field, the value and what to write instead."""


class InvalidConfiguration(CompositeScalerError):
    """The operator's configuration file is wrong; the text names the key, the value and what to write instead."""


class InvalidAmount(CompositeScalerError, ValueError):
    """A text is no quantity, share or duration."""


class KubernetesError(CompositeScalerError):
    """A request to the API server did not succeed."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class NotFound(KubernetesError):
    """404."""


class Conflict(KubernetesError):
    """409, or 422 of a failed JSON-patch test: somebody else wrote in between."""


class Forbidden(KubernetesError):
    """401 or 403; the text says which verb on which resource."""


class Gone(KubernetesError):
    """410: list again."""


class TooManyRequests(KubernetesError):
    """429; `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message, 429)
        self.retry_after = retry_after


class ServerError(KubernetesError):
    """5xx."""


class Rejected(KubernetesError):
    """Any other 4xx."""


class Unreachable(KubernetesError):
    """No answer: connection refused, reset or timed out."""
