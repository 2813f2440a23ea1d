"""Which questions are asked, about dimensions and demand: what is shared, what is not, and who may not ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from controller.api import Per, Reason, SourceConfiguration
from controller.engine import LoadKind
from controller.operator.plan import Divisor, Plan, Planner, Signal, SourceCatalogue
from controller.operator.scalers import Problem, Scaler
from controller.prometheus import READY_MADE, families_of
from tests.operator_support import manifest, scaler

CPU, MEMORY = {"metric": "cpu", "target": "70%"}, {"metric": "memory", "target": "80%"}
LATENCY = {"metric": "latency", "target": "250ms"}
QUEUE = {"name": "queue", "query": "queue_length", "target": "30", "per": "Target"}
WINDOW = 120.0

ARRIVING = {"query": 'sum(rate(arrived{of="$name"}[1m]))'}

INGRESS = {"metric": "latency-ingress-nginx", "target": "250ms"}
OWN = SourceConfiguration.model_validate(
    {
        "url": "http://prometheus:9090",
        "families": {
            "jobs": {"kind": "Gauge", "metric": "jobs", "selectors": ['of="$name",queue="$queue"'], "per": "Target"},
            "cpu": {"kind": "Counter", "metric": "cpu", "selectors": ['of="$name"'], "per": "Target"},
            "calls": {"kind": "Counter", "metric": "calls_total"},
            "busy": {"kind": "Gauge", "metric": "requests_in_flight"},
        },
    }
)


@pytest.fixture
def planner() -> Planner:
    return Planner(
        {
            "default": SourceCatalogue(READY_MADE, WINDOW),
            "other": SourceCatalogue(READY_MADE, WINDOW),
            "own": SourceCatalogue(families_of(OWN), WINDOW),
        }
    )


def asking(*dimensions: dict[str, Any], name: str = "web", **spec: Any) -> Scaler:
    return scaler(manifest(name, dimensions=list(dimensions), **spec))


def plan(planner: Planner, *scalers: Scaler) -> Plan:
    assert [planner.problem(each) for each in scalers] == [None] * len(scalers)
    return planner.plan(scalers, max(len(each.spec.dimensions) for each in scalers if each.spec))


def of_dimensions(found: Plan) -> list[str]:
    """The texts that answer dimensions, in their order."""
    return [found.queries[at].text for at in dict.fromkeys(found.query_of.ravel().tolist()) if at >= 0]


def demand(found: Plan, row: int = 0) -> tuple[LoadKind, dict[Signal, str]]:
    """What is measured as the demand of a scaler, and the texts that tell it."""
    texts = {signal: found.queries[at].text for signal, at in zip(Signal, found.signal_of[row], strict=True) if at >= 0}
    return LoadKind(found.kind[row]), texts


def problem(planner: Planner, *dimensions: dict[str, Any], **spec: Any) -> Problem:
    found = planner.problem(asking(*dimensions, **spec))
    assert found is not None
    return found


def test_a_family_is_asked_once_for_all_scalers(planner: Planner) -> None:
    found = plan(planner, asking(CPU, MEMORY), asking(MEMORY, CPU, name="api"))
    assert len(of_dimensions(found)) == 2
    assert found.query_of.tolist() == [[0, 1], [1, 0]]


def test_a_family_of_another_source_is_another_query(planner: Planner) -> None:
    found = plan(planner, asking(CPU), asking(CPU, name="api", source="other"))
    assert [found.queries[at].source for at in found.query_of[:, 0]] == ["default", "other"]
    assert {name: len(queries) for name, queries in found.by_source().items()} == {"default": 3, "other": 3}


def test_all_users_of_a_family_share_the_smallest_max_age(planner: Planner) -> None:
    patient, strict = (
        asking(CPU, name=name, quality={"maxAge": age}) for name, age in (("web", "90s"), ("api", "30s"))
    )
    for found in (plan(planner, patient, strict), plan(planner, strict, patient)):
        assert of_dimensions(found) == [READY_MADE["cpu"].text(None, WINDOW, 30.0)]
    assert plan(planner, patient).queries[0].text == READY_MADE["cpu"].text(None, WINDOW, 90.0)


def test_another_quantile_is_another_query_with_its_own_max_age(planner: Planner) -> None:
    p95 = asking(LATENCY, quality={"maxAge": "30s"})
    p99 = asking({**LATENCY, "quantile": 0.99}, name="api", quality={"maxAge": "90s"})
    latency = READY_MADE["latency"]
    assert of_dimensions(plan(planner, p95, p99)) == [
        latency.text(0.95, WINDOW, 30.0),
        latency.text(0.99, WINDOW, 90.0),
    ]


def test_a_custom_query_is_filled_in_for_its_target_and_shared_where_it_is_the_same(planner: Planner) -> None:
    named = {**QUEUE, "query": 'queue{of="$name"}'}
    found = plan(planner, asking(named), asking(named, name="api"), asking(QUEUE, name="b"), asking(QUEUE, name="c"))
    assert of_dimensions(found) == ['queue{of="web"}', 'queue{of="api"}', "queue_length"]
    assert found.query_of[2, 0] == found.query_of[3, 0]


def test_the_same_query_per_pod_and_per_target_are_two(planner: Planner) -> None:
    found = plan(planner, asking(QUEUE, {**QUEUE, "name": "each", "per": "Pod"}))
    assert [found.queries[at].per for at in found.query_of[0]] == [Per.TARGET, Per.POD]
    assert found.per_pod.tolist() == [[False, True]]


def test_a_family_per_target_is_filled_in_for_the_target(planner: Planner) -> None:
    found = plan(planner, asking(INGRESS))
    assert found.queries[0].per is Per.TARGET
    assert 'exported_service="web"' in found.queries[0].text
    assert found.per_pod.tolist() == [[False]]


def test_columns_that_a_scaler_does_not_have_ask_nothing(planner: Planner) -> None:
    found = plan(planner, asking(CPU), asking(CPU, MEMORY, name="api"))
    assert (found.query_of >= 0).tolist() == [[True, False], [True, True]]
    assert found.query_of[0, 0] == found.query_of[1, 0]
    assert found.per_pod.tolist() == [[True, False], [True, True]]


def test_a_share_is_divided_by_the_request_of_its_resource_and_an_amount_by_nothing(planner: Planner) -> None:
    amounts = asking({"metric": "cpu", "target": "350m"}, {"metric": "memory", "target": "1Gi"}, name="api")
    found = plan(planner, asking(CPU, MEMORY, LATENCY), amounts)
    assert found.divisor.tolist() == [
        [Divisor.CPU_REQUEST, Divisor.MEMORY_REQUEST, Divisor.NONE],
        [Divisor.NONE, Divisor.NONE, Divisor.NONE],
    ]


def test_a_share_of_a_custom_query_is_not_divided(planner: Planner) -> None:
    found = plan(planner, asking({"name": "busy", "query": "busy", "target": "70%"}))
    assert found.divisor.tolist() == [[Divisor.NONE]]


def test_the_range_of_the_rates_is_that_of_each_scalers_source() -> None:
    planner = Planner({"default": SourceCatalogue(READY_MADE, 120.0), "fast": SourceCatalogue(READY_MADE, 60.0)})
    found = plan(planner, asking(CPU), asking(CPU, name="api", source="fast"))
    assert found.window.tolist() == [120.0, 60.0]


def test_nobody_asks_nothing(planner: Planner) -> None:
    found = planner.plan([], 1)
    assert (found.queries, found.query_of.shape, found.signal_of.shape) == ((), (0, 1), (0, 4))
    assert found.query_of.dtype == np.int32


def test_an_unknown_source_names_those_that_there_are(planner: Planner) -> None:
    found = problem(planner, CPU, source="elsewhere")
    assert found.reason is Reason.UNKNOWN_SOURCE
    assert "'elsewhere'" in found.message
    assert "write one of: default, other, own" in found.message


def test_an_unknown_family_names_those_that_the_source_has(planner: Planner) -> None:
    found = problem(planner, {"name": "gpu", "metric": "gpu", "target": "70%"})
    assert found.reason is Reason.UNKNOWN_FAMILY
    assert "'gpu'" in found.message
    assert "cpu, latency" in found.message


def test_a_query_with_an_unknown_word_is_refused_with_the_name_of_its_dimension(planner: Planner) -> None:
    found = problem(planner, {**QUEUE, "query": "queue{of='$pod'}"})
    assert found.reason is Reason.INVALID_SPEC
    assert found.message.startswith("dimension queue: query has $pod; write")


def test_a_family_per_target_that_cannot_be_filled_in_is_the_problem_of_its_users_only(planner: Planner) -> None:
    found = problem(planner, {"metric": "jobs", "target": "30"}, source="own")
    assert found.reason is Reason.INVALID_SPEC
    assert "$queue" in found.message
    assert planner.problem(asking(MEMORY, source="own")) is None


def test_a_value_of_the_whole_target_is_no_share_of_the_requests_of_its_pods(planner: Planner) -> None:
    found = problem(planner, CPU, source="own")
    assert found.reason is Reason.INVALID_SPEC
    assert found.message.endswith("(got '70%'); write an amount")
    assert planner.problem(asking({"metric": "cpu", "target": "5"}, source="own")) is None


def test_a_target_whose_name_cannot_stand_in_a_query_is_refused(planner: Planner) -> None:
    found = problem(planner, INGRESS, scaleTargetRef={"kind": "Deployment", "name": 'web"} or vector(1)'})
    assert found.reason is Reason.INVALID_SPEC
    assert "is no DNS name" in found.message


def test_what_the_models_refused_keeps_its_problem(planner: Planner) -> None:
    refused = scaler(manifest(maxReplicas=0))
    assert planner.problem(refused) is refused.problem


def test_what_most_scalers_wait_for_is_asked_first(planner: Planner) -> None:
    """A source answers a few queries at a time: one tenant's own must not keep everybody's families waiting."""
    own = {"name": "own", "query": 'up{namespace="$namespace"}', "per": "Target", "target": "1"}
    scalers = asking(own, name="a", demand=ARRIVING), asking(CPU, name="b"), asking(CPU, name="c")
    asked = plan(planner, *scalers).by_source()["default"]
    assert ["container_cpu" in each.text for each in asked] == [True, True, True, False, False]


def test_each_query_knows_the_cells_that_it_answers(planner: Planner) -> None:
    found = plan(planner, asking(MEMORY, CPU), asking(CPU, name="api"), asking(QUEUE, CPU, name="work"))
    for index, cells in enumerate(found.cells()):
        expected = np.nonzero(found.query_of == index)
        assert [each.tolist() for each in cells] == [each.tolist() for each in expected]
    for index, cells in enumerate(found.signals()):
        expected = np.nonzero(found.signal_of == index)
        assert [each.tolist() for each in cells] == [each.tolist() for each in expected]


def test_ten_scalers_with_default_settings_ask_six_questions_and_those_without_requests_two_more(
    planner: Planner,
) -> None:
    usual = [asking(CPU, MEMORY, LATENCY, name=f"app-{number}") for number in range(10)]
    assert len(plan(planner, *usual).queries) == 6
    assert len(plan(planner, *usual, asking(CPU, name="batch"), asking(MEMORY, name="cache")).queries) == 8


def test_the_demand_is_what_the_first_latency_histogram_counts(planner: Planner) -> None:
    otel = {"metric": "latency-otel", "target": "250ms"}
    for number, metric in enumerate(("latency", "latency-otel")):
        first, second = ((LATENCY, otel), (otel, LATENCY))[number]
        family = READY_MADE[metric]
        assert demand(plan(planner, asking(CPU, first, second))) == (
            LoadKind.REQUESTS,
            {
                Signal.NEWEST: family.newest(WINDOW),
                Signal.SERVED: family.served(WINDOW),
                Signal.WAITED: family.waited(WINDOW),
            },
        )


@pytest.mark.parametrize("dimension", [MEMORY, QUEUE])
def test_without_a_histogram_of_its_pods_the_demand_is_cpu_cores_even_without_a_cpu_dimension(
    planner: Planner, dimension: dict[str, Any]
) -> None:
    cpu = READY_MADE["cpu"]
    assert demand(plan(planner, asking(dimension))) == (
        LoadKind.CORES,
        {Signal.NEWEST: cpu.newest(WINDOW), Signal.SERVED: cpu.served(WINDOW)},
    )


def test_what_a_gateway_counts_is_the_demand_wherever_a_dimension_names_it(planner: Planner) -> None:
    kind, signals = demand(plan(planner, asking(CPU, LATENCY, INGRESS)))
    assert kind is LoadKind.ARRIVALS
    assert signals.keys() == {Signal.ARRIVALS}
    assert "nginx_ingress_controller_request_duration_seconds_count" in signals[Signal.ARRIVALS]


def test_a_source_without_cores_of_pods_gives_no_demand_unasked(planner: Planner) -> None:
    assert demand(plan(planner, asking(MEMORY, source="own"))) == (LoadKind.NONE, {})


def test_a_demand_query_is_one_value_of_the_whole_target_filled_in_for_it(planner: Planner) -> None:
    found = plan(planner, asking(CPU, LATENCY, demand=ARRIVING))
    assert demand(found) == (LoadKind.ARRIVALS, {Signal.ARRIVALS: 'sum(rate(arrived{of="web"}[1m]))'})
    assert found.queries[found.signal_of[0, Signal.ARRIVALS]].per is Per.TARGET


def test_a_demand_family_of_a_gateway_is_what_arrives_at_the_target(planner: Planner) -> None:
    kind, texts = demand(plan(planner, asking(CPU, LATENCY, demand={"metric": "requests"})))
    assert (kind, list(texts)) == (LoadKind.ARRIVALS, [Signal.ARRIVALS])
    assert 'exported_service="web"' in texts[Signal.ARRIVALS]
    assert "irate(nginx_ingress_controller_requests{" in texts[Signal.ARRIVALS]


def test_a_demand_family_of_pods_is_what_they_serve(planner: Planner) -> None:
    calls, cpu = families_of(OWN)["calls"], READY_MADE["cpu"]
    assert demand(plan(planner, asking(MEMORY, source="own", demand={"metric": "calls"}))) == (
        LoadKind.REQUESTS,
        {Signal.NEWEST: calls.newest(WINDOW), Signal.SERVED: calls.served(WINDOW)},
    )
    assert demand(plan(planner, asking(LATENCY, demand={"metric": "cpu"}))) == (
        LoadKind.CORES,
        {Signal.NEWEST: cpu.newest(WINDOW), Signal.SERVED: cpu.served(WINDOW)},
    )


def test_a_gauge_as_demand_is_asked_once_and_stands_for_both_rates(planner: Planner) -> None:
    found = plan(planner, asking(MEMORY, source="own", demand={"metric": "busy"}))
    assert found.signal_of[0, Signal.NEWEST] == found.signal_of[0, Signal.SERVED]
    assert len(found.queries) == 2


def test_a_demand_that_is_also_a_dimension_is_one_question(planner: Planner) -> None:
    found = plan(planner, asking(QUEUE, demand={"query": QUEUE["query"]}))
    assert (len(found.queries), found.signal_of[0, Signal.ARRIVALS]) == (1, found.query_of[0, 0])


def test_an_unknown_demand_family_names_those_that_the_source_has_for_it(planner: Planner) -> None:
    found = problem(planner, CPU, demand={"metric": "hits"})
    assert found.reason is Reason.UNKNOWN_FAMILY
    assert found.message.startswith("spec.demand: source 'default' has no metric family 'hits'; write one of: cpu, ")
    assert "memory" not in found.message


def test_memory_does_not_tell_what_arrives(planner: Planner) -> None:
    found = problem(planner, CPU, demand={"metric": "memory"})
    assert found.reason is Reason.INVALID_SPEC
    assert found.message.startswith("spec.demand: 'memory' does not measure what arrives; ")
    assert "write requests, cpu," in found.message


@pytest.mark.parametrize("of_demand", [{"query": "sum(hits{of='$pod'})"}, {"metric": "jobs"}])
def test_a_demand_that_cannot_be_filled_in_is_refused(planner: Planner, of_demand: dict[str, str]) -> None:
    found = problem(planner, MEMORY, source="own", demand=of_demand)
    assert found.reason is Reason.INVALID_SPEC
    assert found.message.startswith("spec.demand: query has $")
