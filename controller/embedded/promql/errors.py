"""What can go wrong with a query, in Prometheus' own classes.

    QueryError
    ├── BadQuery         bad_data, 400: the text or a parameter cannot be used, or needs what this subset does not have
    ├── ExecutionError   execution, 422: the text is right, the data do not allow an answer
    └── QueryTimeout     timeout, 503

How these become HTTP is the business of `controller.embedded.metrics_api`.
"""

from controller.api.errors import CompositeScalerError

__all__ = ["BadQuery", "ExecutionError", "QueryError", "QueryTimeout", "parse_error", "place", "unsupported"]


class QueryError(CompositeScalerError):
    """A query has no answer; `kind` is Prometheus' errorType and `status` its HTTP status."""

    kind = "internal"
    status = 500


class BadQuery(QueryError):
    """The query or a parameter of it cannot be used."""

    kind = "bad_data"
    status = 400


class ExecutionError(QueryError):
    """The query is right, but the data do not allow an answer."""

    kind = "execution"
    status = 422


class QueryTimeout(QueryError):
    """The query took longer than it was given."""

    kind = "timeout"
    status = 503


def parse_error(text: str, offset: int, problem: str) -> BadQuery:
    """The error of a query `text` that cannot be parsed at `offset` (in characters)."""
    return BadQuery(f"{place(text, offset)}: parse error: {problem}")


def unsupported(text: str, offset: int, what: str) -> BadQuery:
    """The error of a query that Prometheus would answer and this subset does not; `what` names it."""
    return BadQuery(
        f"{place(text, offset)}: the embedded metrics source does not support {what}; use a real Prometheus for it"
    )


def place(text: str, offset: int) -> str:
    """`line:column`, both from 1, as Prometheus writes positions."""
    before = text[:offset]
    return f"{before.count(chr(10)) + 1}:{offset - before.rfind(chr(10))}"
