"""Whatever pods the answers name, in whatever order: every value lands with its own pod, for every scaler that asked."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from controller.engine import Scalers
from controller.kube import Pod
from controller.operator.plan import Planner, Signal, SourceCatalogue
from controller.operator.snapshot import Layout, join
from controller.prometheus import READY_MADE, Answer, Column, Query
from tests.operator_support import WALL, manifest, scaler

NAMES = ["a", "b", "c", "d", "e"]
#: The pods that an answer names: few, so that many answers begin and end alike and differ in between.
ORDERS = st.lists(st.sampled_from(NAMES), unique=True)
DIMENSIONS = ({"metric": "latency", "target": "250ms"}, {"metric": "cpu", "target": "350m"})


def pod(name: str) -> Pod:
    return Pod("default", name, name, {}, "Running", True, False, None, WALL, None, None, None, WALL, WALL, False)


@given(
    st.lists(st.tuples(ORDERS, st.lists(st.sampled_from(DIMENSIONS), min_size=1, unique_by=str)), max_size=4),
    st.lists(ORDERS, min_size=8, max_size=8),
)
def test_every_row_gets_what_the_answer_says_of_its_pod(
    asking: list[tuple[list[str], list[dict[str, str]]]], orders: list[list[str]]
) -> None:
    scalers = [scaler(manifest(f"app-{at}", dimensions=wanted)) for at, (_, wanted) in enumerate(asking)]
    batch = Scalers.of([each.spec for each in scalers if each.spec])
    plan = Planner({"default": SourceCatalogue(READY_MADE, 60.0)}).plan(scalers, batch.used.shape[1])
    told = [{name: float(at * 10 + NAMES.index(name)) for name in order} for at, order in enumerate(orders)]
    answers: dict[Query, Answer] = {
        query: Column([("default", name) for name in of], np.array(list(of.values())), np.zeros(len(of)))
        for query, of in zip(plan.queries, told, strict=False)
    }
    layout = Layout.of([[pod(name) for name in names] for names, _ in asking])
    samples, _ = join(batch, layout, plan, answers, [1] * len(scalers), WALL)

    rows = [(at, name) for at, (names, _) in enumerate(asking) for name in names]

    def expected(queries: list[int]) -> list[float]:
        return [told[at].get(name, np.nan) if at >= 0 else np.nan for at, (_, name) in zip(queries, rows, strict=True)]

    for column in range(batch.used.shape[1]):
        np.testing.assert_equal(
            samples.values[:, column], np.array(expected([plan.query_of[at, column] for at, _ in rows]), np.float64)
        )
    for signal, found in zip(Signal, (samples.load.newest, samples.load.served, samples.load.waited), strict=False):
        np.testing.assert_equal(found, np.array(expected([plan.signal_of[at, signal] for at, _ in rows]), np.float64))
