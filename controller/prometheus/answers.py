"""From the body of an instant query's answer to a `Column`, a `Scalar` or a named `Fault`.

A bad single value (NaN, infinite, negative) stays; the engine judges it. Only an answer that is wrong as a whole is a
fault.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from controller.api import Per, Reason
from controller.prometheus.families import AGE_LABEL_VALUE
from controller.prometheus.faults import excerpt, fault
from controller.prometheus.payload import Payload, Sample, parse_payload
from controller.prometheus.query import Answer, Column, Fault, Query, Scalar

__all__ = ["read_answer"]

#: So many bytes of an answer that is none are shown, for people to recognize it.
_SHOWN = 60
_LOOK_AT_URL = "look whether its url leads to the root of Prometheus' API"


# Parsing holds the interpreter lock, and a large answer unfolds to many times its size. One answer after another lets the
# event loop run in between, and only one is unfolded in memory.
_ONE_AT_A_TIME = threading.Lock()


def read_answer(body: bytes, query: Query, at: float) -> Answer:
    """What a body says to a query that was evaluated at `at` (unix seconds); safe to call from several threads."""
    with _ONE_AT_A_TIME, _without_collection():
        try:
            payload = parse_payload(body)
        except ValueError as error:
            return fault(query.source, Reason.MALFORMED_ANSWER, _unreadable(body, error), _LOOK_AT_URL)
        return _of_payload(payload, query, at)


@contextmanager
def _without_collection() -> Iterator[None]:
    # Nothing of an answer is garbage while it is read; looking for it again and again takes half of the time.
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _unreadable(body: bytes, error: ValueError) -> str:
    start = body[:_SHOWN].decode(errors="replace").strip()
    if not start:
        return "gave an empty answer"
    if not start.startswith("{"):
        return f"gave an answer that is no JSON but begins with {excerpt(start)!r}"
    return f"gave an answer that is no instant query's ({excerpt(str(error))})"


def _of_payload(payload: Payload, query: Query, at: float) -> Answer:
    # Prometheus before 2.53 puts mere hints about the query among the warnings.
    warnings = [warning for warning in payload.get("warnings", []) if not warning.startswith("PromQL info")]
    if warnings:
        return fault(
            query.source,
            Reason.PARTIAL_ANSWER,
            f"answered with a warning, so something may be missing: {excerpt(warnings[0])}",
            "mend the store or the query that it names",
        )
    data = payload["data"]
    try:
        if data["resultType"] == "scalar":
            return _of_number(data["result"], query, at)
        if data["resultType"] == "vector":
            return _of_vector(data["result"], query, at)
    except ValueError as error:
        what = f"gave a value that is no number ({excerpt(str(error))})"
        return fault(query.source, Reason.MALFORMED_ANSWER, what, _LOOK_AT_URL)
    wanted = "one value a pod" if query.per is Per.POD else "one number"
    what = f"answered with a {data['resultType']}"
    return fault(query.source, Reason.NOT_A_VECTOR, what, f"write a query that gives {wanted}")


def _of_number(number: tuple[float, str], query: Query, at: float) -> Scalar | Fault:
    if query.per is Per.POD:
        remedy = "write per: Target, or a query that keeps the labels namespace and pod"
        return fault(query.source, Reason.NOT_A_VECTOR, "answered with one number instead of one value a pod", remedy)
    stamp, text = number
    return Scalar(float(_numbers([text])[0]), max(at - stamp, 0.0))


def _of_vector(samples: list[Sample], query: Query, at: float) -> Answer:
    if not samples:
        remedy = "look whether the metric is scraped and the labels in the query are right"
        return fault(query.source, Reason.NO_DATA, "has no series for the query", remedy)
    if not all("value" in sample for sample in samples):
        remedy = "write histogram_quantile(...) around the query"
        return fault(query.source, Reason.NOT_A_VECTOR, "answered with native histograms", remedy)
    return _column(samples, query) if query.per is Per.POD else _scalar(samples, query, at)


def _column(samples: list[Sample], query: Query) -> Column | Fault:
    keys: list[tuple[str, str]] = []
    values: list[str] = []
    aged: dict[tuple[str, str], str] = {}
    aged_rows = 0
    for sample in samples:
        labels = sample["metric"]
        try:
            key = (labels["namespace"], labels["pod"])
        except KeyError as lacking:
            return fault(
                query.source,
                Reason.MALFORMED_ANSWER,
                f"gave a series without the label {lacking.args[0]}, and per: Pod needs namespace and pod",
                "write sum by (namespace, pod) (...) around the query, or per: Target for one value",
            )
        if labels.get("compositescaler_sample") == AGE_LABEL_VALUE:
            aged[key] = sample["value"][1]
            aged_rows += 1
        else:
            keys.append(key)
            values.append(sample["value"][1])
    repeated = len(keys) - len(set(keys)) + aged_rows - len(aged)
    if repeated:
        what = f"gave {repeated} series too many: several for the same pod"
        remedy = "write sum by (namespace, pod) (...) around the query"
        return fault(query.source, Reason.NOT_ONE_SERIES, what, remedy)
    if not aged:
        return Column(keys, _numbers(values), np.zeros(len(keys)))
    ages = dict(zip(aged, _numbers(list(aged.values())).tolist(), strict=True))
    # A pod of which only the age is known is there but has no value: NaN, never zero.
    without_value = aged.keys() - set(keys)
    keys += without_value
    values += ["NaN"] * len(without_value)
    return Column(keys, _numbers(values), np.array([ages.get(key, 0.0) for key in keys]))


def _scalar(samples: list[Sample], query: Query, at: float) -> Scalar | Fault:
    aged = [sample for sample in samples if sample["metric"].get("compositescaler_sample") == AGE_LABEL_VALUE]
    values = [sample for sample in samples if sample["metric"].get("compositescaler_sample") != AGE_LABEL_VALUE]
    most = max(len(values), len(aged))
    if most > 1:
        remedy = "write sum(...) or max(...) around the query, or per: Pod"
        what = f"gave {most} series where the target needs one value"
        return fault(query.source, Reason.NOT_ONE_SERIES, what, remedy)
    known_age = float(_numbers([aged[0]["value"][1]])[0]) if aged else 0.0
    if not values:
        return Scalar(float("nan"), known_age)
    stamp, text = values[0]["value"]
    return Scalar(float(_numbers([text])[0]), max(known_age, at - stamp))


def _numbers(texts: list[str]) -> NDArray[np.float64]:
    return np.array(texts, dtype=np.float64)
