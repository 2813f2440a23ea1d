"""Prometheus' query API without the transport: parameters in, status and JSON out.

Serving it over HTTP, and making it go wrong, is the business of `controller.embedded.metrics_source`.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from controller.embedded.promql import lexer
from controller.embedded.promql.errors import BadQuery, QueryError
from controller.embedded.promql.evaluation import Answer, evaluate, evaluate_range
from controller.embedded.promql.formats import formatted
from controller.embedded.promql.series import SeriesStore, milliseconds
from controller.embedded.promql.values import Labels, Trace, ValueType, Vector

__all__ = ["Reply", "failure", "query", "query_range", "success"]

_TIMEOUT_SECONDS = 120.0
_MOST_POINTS = 11_000
_UNSUPPORTED = ("limit", "stats", "lookback_delta")


class Reply(NamedTuple):
    """An HTTP status and the JSON document that goes with it."""

    status: int
    body: dict[str, Any]


def query(store: SeriesStore, parameters: Mapping[str, str], clock: Callable[[], float]) -> Reply:
    """`/api/v1/query`: query, time (default: `clock`), timeout."""

    def ask() -> Answer:
        at = _time(parameters, "time", clock())
        return _asked(lambda text, timeout: evaluate(store, text, at, timeout), parameters)

    return _reply(ask, parameters)


def query_range(store: SeriesStore, parameters: Mapping[str, str]) -> Reply:
    """`/api/v1/query_range`: query, start, end, step, timeout."""

    def ask() -> Answer:
        start, end = _time(parameters, "start"), _time(parameters, "end")
        if end < start:
            raise BadQuery('invalid parameter "end": end timestamp must not be before start time')
        step = milliseconds(_seconds(parameters, "step"))
        if step <= 0:
            raise BadQuery(
                'invalid parameter "step": zero or negative query resolution step widths are not accepted. '
                "Try a positive integer"
            )
        if (end - start) // step > _MOST_POINTS:
            raise BadQuery(
                "exceeded maximum resolution of 11,000 points per timeseries. "
                "Try decreasing the query resolution (?step=XX)"
            )
        return _asked(lambda text, timeout: evaluate_range(store, text, start, end, step, timeout), parameters)

    return _reply(ask, parameters)


def success(answer: Answer) -> dict[str, Any]:
    """The document of an answer; warnings and infos only when there are some."""
    document: dict[str, Any] = {"status": "success", "data": _data(answer)}
    if answer.annotations.warnings:
        document["warnings"] = list(answer.annotations.warnings)
    if answer.annotations.infos:
        document["infos"] = list(answer.annotations.infos)
    return document


def failure(kind: str, message: str) -> dict[str, Any]:
    """The document of an error."""
    return {"status": "error", "errorType": kind, "error": message}


def _reply(ask: Callable[[], Answer], parameters: Mapping[str, str]) -> Reply:
    try:
        for name in _UNSUPPORTED:
            if parameters.get(name):
                raise BadQuery(f'the embedded metrics source does not support the parameter "{name}"; leave it out')
        return Reply(200, success(ask()))
    except QueryError as error:
        return Reply(error.status, failure(error.kind, str(error)))


def _asked(evaluated: Callable[[str, float], Answer], parameters: Mapping[str, str]) -> Answer:
    timeout = _TIMEOUT_SECONDS
    if parameters.get("timeout"):
        timeout = min(_seconds(parameters, "timeout"), timeout)
    try:
        return evaluated(parameters.get("query", ""), timeout)
    except BadQuery as error:
        raise BadQuery(f'invalid parameter "query": {error}') from None


def _time(parameters: Mapping[str, str], name: str, default: float | None = None) -> int:
    text = parameters.get(name, "")
    if not text and default is not None:
        return milliseconds(default)
    try:
        seconds = float(text)
        if math.isfinite(seconds):
            return milliseconds(seconds)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
            return milliseconds((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
        except ValueError:
            pass
    problem = f'cannot parse "{text}" to a valid timestamp'
    if default is not None:
        problem = f"invalid time value for '{name}': {problem}"
    raise BadQuery(f'invalid parameter "{name}": {problem}')


def _seconds(parameters: Mapping[str, str], name: str) -> float:
    text = parameters.get(name, "")
    try:
        seconds: float | None = float(text)
    except ValueError:
        seconds = lexer.duration(text)
    if seconds is None or not math.isfinite(seconds):
        raise BadQuery(f'invalid parameter "{name}": cannot parse "{text}" to a valid duration')
    return seconds


def _data(answer: Answer) -> dict[str, Any]:
    at = _written(answer.at)
    match answer.type:
        case ValueType.SCALAR:
            return {"resultType": "scalar", "result": [at, formatted(cast(float, answer.value))]}
        case ValueType.STRING:
            return {"resultType": "string", "result": [at, answer.value]}
        case ValueType.VECTOR:
            vector = cast(Vector, answer.value)
            return {
                "resultType": "vector",
                "result": [{"metric": labels, "value": [at, formatted(value)]} for labels, value in vector],
            }
        case ValueType.MATRIX:
            return {"resultType": "matrix", "result": [_trace(trace) for trace in cast(list[Trace], answer.value)]}


def _trace(trace: Trace) -> dict[str, Labels | list[list[float | str]]]:
    return {
        "metric": trace.labels,
        "values": [[_written(time), formatted(value)] for time, value in trace.points],
    }


def _written(time: int) -> float:
    return time // 1000 if time % 1000 == 0 else time / 1000
