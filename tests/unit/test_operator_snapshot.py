"""The join: whose value lands in which row, and what stays empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from controller.api import Reason
from controller.engine import NONE, LoadKind, Samples, Scalers, code
from controller.kube import Pod
from controller.operator.plan import Planner, Signal, SourceCatalogue
from controller.operator.scalers import Scaler
from controller.operator.snapshot import Layout, join
from controller.prometheus import READY_MADE, Answer, Column, Fault, Query, Scalar
from tests.operator_support import WALL, manifest, scaler

CPU, CORES = {"metric": "cpu", "target": "50%"}, {"metric": "cpu", "target": "350m"}
MEMORY = {"metric": "memory", "target": "50%"}
LATENCY = {"metric": "latency", "target": "250ms"}
ARRIVING = {"query": "arriving"}
QUEUE = {"name": "queue", "query": "queue", "target": "30", "per": "Target"}
WINDOW = 120.0


def pod(name: str, *, namespace: str = "default", **changes: Any) -> Pod:
    base = Pod(
        namespace=namespace,
        name=name,
        uid=f"uid-{name}",
        labels={},
        phase="Running",
        ready=True,
        deleting=False,
        start_time=WALL - 600,
        ready_since=WALL - 590,
        cpu_request=0.5,
        memory_request=100.0,
        owner=None,
        created=WALL - 620,
        first_ready=WALL - 590,
        unscheduled=False,
    )
    return base._replace(**changes)


def asking(*dimensions: dict[str, Any], name: str = "web", **spec: Any) -> Scaler:
    return scaler(manifest(name, dimensions=list(dimensions), **spec))


def column(**values: float | tuple[float, float]) -> Column:
    """Values of pods of the namespace default, with their age where it is known."""
    pairs = [each if isinstance(each, tuple) else (each, 0.0) for each in values.values()]
    return Column(
        [("default", name.replace("_", "-")) for name in values],
        np.array([value for value, _ in pairs]),
        np.array([age for _, age in pairs]),
    )


def joined(
    scalers: Sequence[Scaler],
    members: Sequence[Sequence[Pod]],
    answers: Sequence[Answer],
    current: Sequence[int] | None = None,
    demand: Mapping[Signal, Answer] | None = None,
) -> tuple[Samples, list[dict[str, str]]]:
    """Join what the queries of these scalers' dimensions, in the plan's order, were answered, and those of their demand: nothing
    unless said."""
    batch = Scalers.of([each.spec for each in scalers if each.spec])
    plan = Planner({"default": SourceCatalogue(READY_MADE, WINDOW)}).plan(scalers, batch.used.shape[1])
    by_query: dict[Query, Answer] = {}
    for signal, indexes in zip(Signal, plan.signal_of.T, strict=True):
        nothing = Scalar(np.nan, 0.0) if signal is Signal.ARRIVALS else column()
        by_query |= {plan.queries[at]: (demand or {}).get(signal, nothing) for at in indexes if at >= 0}
    of_dimensions = [query for query, (rows, _) in zip(plan.queries, plan.cells(), strict=True) if len(rows)]
    by_query |= dict(zip(of_dimensions, answers, strict=True))
    return join(batch, Layout.of(members), plan, by_query, current or [1] * len(scalers), WALL)


def test_the_rows_are_the_pods_of_each_scaler_in_turn() -> None:
    layout = Layout.of([[pod("a"), pod("b")], [], [pod("c")]])
    assert layout.scaler.tolist() == [0, 0, 2]
    assert layout.rows == {("default", "a"): 0, ("default", "b"): 1, ("default", "c"): 2}
    assert layout.more_rows == {}


def test_no_pod_at_all_is_a_layout_too() -> None:
    layout = Layout.of([[], []])
    assert (layout.scaler.shape, layout.requests.shape, layout.rows) == ((0,), (0, 2), {})


@pytest.mark.parametrize("change", [{"deleting": True}, {"phase": "Failed"}, {"phase": "Succeeded"}])
def test_a_pod_that_is_going_or_done_does_not_count(change: dict[str, Any]) -> None:
    assert Layout.of([[pod("a", **change), pod("b")]]).rows == {("default", "b"): 0}


def test_a_pod_that_is_not_ready_counts_as_such() -> None:
    layout = Layout.of([[pod("a", ready=False, ready_since=None, phase="Pending"), pod("b")]])
    assert layout.ready.tolist() == [False, True]


def test_a_request_that_is_not_set_is_not_a_number() -> None:
    layout = Layout.of([[pod("a", cpu_request=None), pod("b", memory_request=None)]])
    np.testing.assert_equal(layout.requests, [[np.nan, 100.0], [0.5, np.nan]])


def test_a_value_lands_in_the_row_of_its_pod_with_its_age() -> None:
    samples, said = joined([asking(CORES)], [[pod("a"), pod("b"), pod("c")]], [column(c=3.0, a=(1.0, 20.0))])
    np.testing.assert_equal(samples.values[:, 0], [1.0, np.nan, 3.0])
    assert samples.seen[:, 0].tolist() == [True, False, True]
    assert samples.ages[:, 0].tolist() == [20.0, 0.0, 0.0]
    assert said == [{}]


def test_values_of_strangers_land_nowhere() -> None:
    samples, _ = joined([asking(CORES)], [[pod("a")]], [column(stranger=9.0)])
    assert not samples.seen.any()
    elsewhere = Column([("other", "a")], np.array([9.0]), np.array([0.0]))
    samples, _ = joined([asking(CORES)], [[pod("a")]], [elsewhere])
    assert not samples.seen.any()


def test_an_empty_answer_leaves_everything_unseen() -> None:
    samples, _ = joined([asking(CORES)], [[pod("a")]], [column()])
    assert not samples.seen.any()


def test_a_sample_that_is_not_a_number_was_seen() -> None:
    samples, _ = joined([asking(CORES)], [[pod("a")]], [column(a=float("nan"))])
    assert samples.seen.tolist() == [[True]]


def test_one_answer_serves_every_scaler_in_its_own_column() -> None:
    scalers = [asking(CORES), asking(QUEUE, CORES, name="api")]
    samples, _ = joined(scalers, [[pod("web-1")], [pod("api-1")]], [column(web_1=1.0, api_1=2.0), Scalar(7.0, 3.0)])
    np.testing.assert_equal(samples.values, [[1.0, np.nan], [np.nan, 2.0]])
    np.testing.assert_equal(samples.target_values, [[np.nan, np.nan], [7.0, np.nan]])
    assert samples.target_seen.tolist() == [[False, False], [True, False]]
    assert samples.target_ages[1, 0] == 3.0


def test_a_pod_of_two_scalers_gives_its_value_to_both() -> None:
    shared = pod("a")
    samples, _ = joined([asking(CORES), asking(CORES, name="api")], [[shared], [shared, pod("b")]], [column(a=1.0)])
    np.testing.assert_equal(samples.values[:, 0], [1.0, 1.0, np.nan])


def test_a_fault_marks_every_dimension_that_asked_and_keeps_its_sentence() -> None:
    fault = Fault(Reason.SOURCE_TIMEOUT, "default: nothing within 10 s")
    scalers = [asking(CORES, QUEUE), asking({**CORES, "name": "busy"}, name="api")]
    samples, said = joined(scalers, [[pod("web-1")], [pod("api-1")]], [fault, Scalar(7.0, 0.0)])
    assert samples.faults.tolist() == [[code(Reason.SOURCE_TIMEOUT), NONE], [code(Reason.SOURCE_TIMEOUT), NONE]]
    assert said == [{"cpu": fault.message}, {"busy": fault.message}]
    assert not samples.seen.any()


def test_a_share_is_the_value_over_the_pods_request() -> None:
    members = [pod("a", cpu_request=2.0), pod("b", cpu_request=0.25)]
    samples, _ = joined([asking(CPU)], [members], [column(a=1.0, b=0.25)])
    assert samples.values[:, 0].tolist() == [0.5, 1.0]


def test_cpu_and_memory_are_divided_by_their_own_request_and_an_amount_by_none() -> None:
    scalers = [asking(CPU, MEMORY), asking(CORES, name="api")]
    answers = [column(web_1=1.0, api_1=1.0), column(web_1=50.0)]
    samples, _ = joined(scalers, [[pod("web-1")], [pod("api-1")]], answers)
    np.testing.assert_equal(samples.values, [[2.0, 0.5], [1.0, np.nan]])


@pytest.mark.parametrize("request_", [None, 0.0])
def test_one_ready_pod_without_the_request_makes_the_share_meaningless_for_its_scaler_only(
    request_: float | None,
) -> None:
    members = [[pod("a"), pod("b", cpu_request=request_)], [pod("c")]]
    samples, _ = joined([asking(CPU), asking(CPU, name="api")], members, [column(a=0.1, b=0.1, c=0.1)])
    assert samples.faults.tolist() == [[code(Reason.MISSING_REQUEST)], [NONE]]


def test_a_pod_without_the_request_that_is_not_ready_spoils_nothing() -> None:
    members = [pod("a"), pod("b", cpu_request=None, ready=False, ready_since=None)]
    samples, _ = joined([asking(CPU)], [members], [column(a=0.1)])
    assert samples.faults.tolist() == [[NONE]]


def test_a_request_that_is_not_needed_may_lack() -> None:
    samples, _ = joined([asking(CORES)], [[pod("a", cpu_request=None)]], [column(a=0.1)])
    assert (samples.faults.tolist(), samples.values.tolist()) == ([[NONE]], [[0.1]])


def test_what_the_source_says_comes_before_a_missing_request() -> None:
    fault = Fault(Reason.SOURCE_ERROR, "default: 503")
    samples, said = joined([asking(CPU)], [[pod("a", cpu_request=None)]], [fault])
    assert samples.faults.tolist() == [[code(Reason.SOURCE_ERROR)]]
    assert said == [{"cpu": "default: 503"}]


def test_the_replicas_are_those_of_the_targets() -> None:
    samples, _ = joined([asking(CORES), asking(CORES, name="api")], [[], []], [column()], current=[4, 0])
    assert samples.current.tolist() == [4, 0]


def test_a_pod_is_young_until_it_has_been_ready_for_the_range_of_its_sources_rates() -> None:
    members = [
        pod("a", ready_since=WALL - WINDOW + 1.0),
        pod("b", ready_since=WALL - WINDOW),
        pod("c", ready=False, ready_since=None),
    ]
    samples, _ = joined([asking(CORES)], [members], [column()])
    assert samples.young.tolist() == [True, False, False]


def test_columns_that_a_scaler_does_not_use_stay_empty() -> None:
    samples, _ = joined(
        [asking(CORES), asking(CORES, MEMORY, name="api")], [[pod("a")], []], [column(a=1.0), column(a=9.0)]
    )
    assert samples.seen.tolist() == [[True, False]]


def test_what_the_pods_served_is_theirs_and_says_what_is_counted() -> None:
    served = {
        Signal.NEWEST: column(b=21.0, a=11.0),
        Signal.SERVED: column(a=10.0, b=20.0),
        Signal.WAITED: column(a=0.5, b=0.7),
    }
    load = joined([asking(LATENCY)], [[pod("a"), pod("b"), pod("c")]], [column()], demand=served)[0].load
    np.testing.assert_equal(load.newest, [11.0, 21.0, np.nan])
    np.testing.assert_equal(load.served, [10.0, 20.0, np.nan])
    np.testing.assert_equal(load.waited, [0.5, 0.7, np.nan])
    np.testing.assert_equal(load.arrivals, [np.nan])
    assert (load.window.tolist(), load.kind.tolist()) == ([WINDOW], [LoadKind.REQUESTS])


def test_every_scaler_gets_the_demand_that_it_asked_for() -> None:
    shared = pod("a")
    scalers = [asking(LATENCY), asking(CORES, name="api"), asking(LATENCY, name="gate", demand=ARRIVING)]
    plan = Planner({"default": SourceCatalogue(READY_MADE, WINDOW)}).plan(scalers, 1)
    newest = [plan.queries[at] for at in plan.signal_of[:2, Signal.NEWEST]]
    answers: dict[Query, Answer] = dict.fromkeys(plan.queries, column())
    answers |= {
        newest[0]: column(a=40.0),
        newest[1]: column(a=0.4),
        plan.queries[plan.signal_of[2, 3]]: Scalar(99.0, 0.0),
    }
    batch = Scalers.of([each.spec for each in scalers if each.spec])
    load = join(batch, Layout.of([[shared], [shared], [shared]]), plan, answers, [1, 1, 1], WALL)[0].load
    np.testing.assert_equal(load.newest, [40.0, 0.4, np.nan])
    np.testing.assert_equal(load.arrivals, [np.nan, np.nan, 99.0])
    assert load.kind.tolist() == [LoadKind.REQUESTS, LoadKind.CORES, LoadKind.ARRIVALS]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1.0, (10.0, 91.0), (10.0, np.nan)])
def test_a_sample_of_the_demand_that_cannot_be_believed_is_none(bad: float | tuple[float, float]) -> None:
    served = {Signal.NEWEST: column(a=bad, b=5.0)}
    load = joined([asking(LATENCY)], [[pod("a"), pod("b")]], [column()], demand=served)[0].load
    np.testing.assert_equal(load.newest, [np.nan, 5.0])
    scalar = Scalar(*bad) if isinstance(bad, tuple) else Scalar(bad, 0.0)
    asks = asking(CORES, demand=ARRIVING)
    load = joined([asks], [[pod("a")]], [column()], demand={Signal.ARRIVALS: scalar})[0].load
    np.testing.assert_equal(load.arrivals, [np.nan])


def test_no_demand_at_night_is_zero_and_not_unknown() -> None:
    load = joined([asking(LATENCY)], [[pod("a")]], [column()], demand={Signal.NEWEST: column(a=0.0)})[0].load
    assert load.newest.tolist() == [0.0]


def test_a_demand_that_fails_is_told_and_is_no_fault_of_a_dimension() -> None:
    fault = Fault(Reason.SOURCE_TIMEOUT, "default: nothing within 10 s")
    samples, said = joined([asking(LATENCY)], [[pod("a")]], [column(a=0.2)], demand={Signal.NEWEST: fault})
    assert samples.faults.tolist() == [[NONE]]
    assert said == [{"demand": fault.message}]
    np.testing.assert_equal(samples.load.newest, [np.nan])
    samples, said = joined([asking(CORES, demand=ARRIVING)], [[]], [column()], demand={Signal.ARRIVALS: fault})
    assert (samples.faults.tolist(), said) == ([[NONE]], [{"demand": fault.message}])


def test_a_dimension_named_demand_is_not_blamed_for_a_demand_that_fails() -> None:
    fault = Fault(Reason.SOURCE_TIMEOUT, "default: nothing within 10 s")
    scalers = [asking({**QUEUE, "name": "demand"}, demand=ARRIVING)]
    assert joined(scalers, [[]], [Scalar(1.0, 0.0)], demand={Signal.ARRIVALS: fault})[1] == [{}]


def test_a_pod_without_a_node_is_neither_ready_nor_load_though_its_namesake_was_seen() -> None:
    starting = pod("c", ready=False, ready_since=None, first_ready=None)
    members = [pod("a"), starting._replace(name="b", unscheduled=True), starting]
    served = {signal: column(a=1.0, b=2.0) for signal in (Signal.NEWEST, Signal.SERVED, Signal.WAITED)}
    samples, _ = joined([asking(LATENCY)], [members], [column(a=0.2, b=0.2)], demand=served)
    assert samples.unscheduled.tolist() == [False, True, False]
    assert samples.ready.tolist() == [True, False, False]
    for of_pods in (samples.load.newest, samples.load.served, samples.load.waited):
        np.testing.assert_equal(of_pods, [1.0, np.nan, np.nan])


def test_a_start_up_is_from_the_creation_of_a_pod_to_its_first_ready_time() -> None:
    slow = pod("a", created=WALL - 620, first_ready=WALL - 590)
    back = pod("b", created=WALL - 620, first_ready=WALL - 580, ready_since=WALL - 60)
    load = joined([asking(CORES), asking(CORES, name="api")], [[slow, back], []], [column()])[0].load
    np.testing.assert_equal(load.startup, [35.0, np.nan])
