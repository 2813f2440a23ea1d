"""HPA and KEDA as rivals: the batch decides as HPA's own controller does, on the metrics that the spec gives it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from controller.api import Behavior, CompositeScalerError, Spec
from controller.simulation import Trace
from controller.simulation.figures import Figures
from controller.simulation.fleet import Fleet, FleetSettings, Record, Seen
from controller.simulation.hpa import (
    Autoscaler,
    Container,
    Memory,
    Metric,
    MetricType,
    Phase,
    Pod,
    Sample,
    Scale,
    Settings,
    Status,
    TargetType,
    World,
    reconcile,
)
from controller.simulation.policies import CompositeScalerPolicy, policy_of, specs_of
from controller.simulation.rivals import HpaPolicy, UnfitSpec, metrics_of, scaled
from controller.simulation.run import simulate
from controller.simulation.scenarios import scenario_of
from controller.simulation.together import side_by_side

HOUR = 3600.0
BUMP = Trace(np.array([0.0, HOUR, 1.2 * HOUR, 2.5 * HOUR]), np.array([200.0, 200.0, 900.0, 150.0]))
CPU = {"metric": "cpu", "target": "70%"}
MEMORY = {"metric": "memory", "target": "100%"}
LATENCY = {"metric": "latency", "target": "250ms"}


def spec(*dimensions: dict[str, str], **fields: object) -> Spec:
    """A spec of 2 to 100 pods; CPU, memory and latency unless said otherwise."""
    return Spec.model_validate(
        {
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            "minReplicas": 2,
            "maxReplicas": 100,
            "dimensions": dimensions or (CPU, MEMORY, LATENCY),
            **fields,
        }
    )


def fleet(runs: int = 1, settings: FleetSettings | None = None, trace: Trace = BUMP) -> Fleet:
    return Fleet(settings or FleetSettings(), [trace] * runs, [1] * runs, 6)


class Controller:
    """One autoscaler by HPA's controller, pod by pod, beside a policy: what it would have written at every sync."""

    def __init__(self, policy: HpaPolicy, metrics: tuple[Metric, ...], settings: FleetSettings) -> None:
        self.policy, self.settings = policy, settings
        self.spec = Autoscaler(2, 100, metrics, Behavior())
        self.memory = Memory()
        self.written: list[int] = []
        self.name = "controller"

    def decide(self, seen: Seen) -> NDArray[np.int64]:
        count = int(seen.current[0])
        outcome = reconcile(self.spec, self.world(seen), Status(count, count), self.memory, Settings(), seen.now)
        self.written.append(count if outcome.scaled_to is None else outcome.scaled_to)
        return self.policy.decide(seen)

    def world(self, seen: Seen) -> World:
        plant = self.settings.plant
        requests = {"cpu": round(1000 * plant.cpu_request), "memory": round(1000 * plant.memory_request)}
        pods, samples, by_pod = [], [], {}
        for at in range(len(seen.scaler)):
            name, is_ready = f"web-{at}", bool(seen.ready[at])
            turned_at = float(seen.ready_since[at] if is_ready else seen.created[at])
            phase = Phase.RUNNING if is_ready else Phase.PENDING
            container = [Container("app", requests)]
            pods.append(Pod(name, phase, is_ready, float(seen.created[at]), turned_at, False, container))
            used = {"cpu": seen.cpu_newest[at], "memory": seen.memory[at]}
            usage = {each: int(np.ceil(1000.0 * value)) for each, value in used.items() if np.isfinite(value)}
            if usage:
                samples.append(Sample(name, float(seen.now - seen.age[0]), 15.0, {"app": usage}))
            if np.isfinite(seen.latency[at]):
                by_pod[name] = int(np.ceil(1000.0 * seen.latency[at]))
        total = seen.arrivals_window[0]
        outside = [round(1000.0 * float(total))] if np.isfinite(total) else []
        count = int(seen.current[0])
        return World(Scale(count, count, "app=web"), pods, samples, by_pod, outside=outside)


@pytest.mark.parametrize("name", ["hpa", "hpa-cpu", "keda"])
@pytest.mark.parametrize("scenario", ["none", "slow-start", "metric-gaps"])
def test_the_batch_writes_at_every_sync_what_hpa_s_controller_writes(name: str, scenario: str) -> None:
    settings = scenario_of(scenario).of(FleetSettings())
    runs = fleet(settings=settings)
    metrics = metrics_of(name, spec(), runs)
    controller = Controller(HpaPolicy([spec()], [metrics], settings), metrics, settings)
    record = simulate(runs, controller)
    written = controller.written[:-1]
    assert record.replicas[1:, 0].tolist() == written
    assert max(written) >= 20
    assert min(written[-60:]) < max(written)


def test_hpa_has_a_metric_for_each_dimension_with_the_dimension_s_own_target() -> None:
    metrics = metrics_of("hpa", spec({"metric": "cpu", "target": "350m"}, MEMORY, LATENCY), fleet())
    found = [(each.type, each.name, each.target.type, each.target.amount) for each in metrics if each.target]
    assert found == [
        (MetricType.RESOURCE, "cpu", TargetType.AVERAGE_VALUE, 350),
        (MetricType.RESOURCE, "memory", TargetType.UTILIZATION, 100),
        (MetricType.PODS, "latency", TargetType.AVERAGE_VALUE, 250),
    ]


def test_hpa_on_cpu_alone_is_blind_to_pods_whose_workers_are_all_busy_and_hpa_is_not() -> None:
    settings = scenario_of("workers").of(FleetSettings())
    runs = fleet(2, settings)
    figures = Figures.of(simulate(runs, side_by_side(["hpa", "hpa-cpu"], runs, [spec()] * 2)))
    assert figures.violations[0] < 10.0
    assert figures.violations[1] > 50.0


@pytest.mark.parametrize(
    ("of", "scenario", "requests"),
    [
        (spec(), "none", 35.0),
        (spec({"metric": "cpu", "target": "600m"}), "none", 30.0),
        (spec(), "workers", 35.0),
        (spec(CPU, {"metric": "requests", "target": "20"}), "none", 20.0),
    ],
)
def test_keda_s_target_is_what_a_pod_serves_at_the_target_of_its_cpu(of: Spec, scenario: str, requests: float) -> None:
    settings = scenario_of(scenario).of(FleetSettings())
    target = metrics_of("keda", of, fleet(settings=settings))[0].target
    assert target is not None
    assert target.amount == pytest.approx(1000.0 * requests, rel=0.01)


@pytest.mark.parametrize(
    ("name", "says"),
    [("hpa-cpu", r"hpa-cpu needs a dimension .*; add \{metric: cpu"), ("keda", "keda needs .*; add a dimension")],
)
def test_a_spec_of_which_a_rival_can_make_nothing_is_refused_with_what_to_add(name: str, says: str) -> None:
    with pytest.raises(UnfitSpec, match=says) as caught:
        policy_of(name, fleet(), [spec(LATENCY)])
    assert isinstance(caught.value, CompositeScalerError)


@pytest.mark.parametrize("name", ["compositescaler", "proportional", "hpa", "hpa-cpu", "keda"])
def test_a_smaller_factor_buys_more_pods(name: str) -> None:
    runs = fleet(3, trace=BUMP.segment(0.0, 1.5 * HOUR))
    figures = Figures.of(
        simulate(runs, policy_of(name, runs, [scaled(name, spec(CPU), factor) for factor in (1.2, 1.0, 0.7)]))
    )
    assert (np.diff(figures.pod_hours) > 0.0).all()


def test_a_factor_scales_the_metric_targets_of_a_rival_and_the_magnitude_of_ours() -> None:
    of = spec(CPU, {**MEMORY, "floor": "70%"}, LATENCY)
    rival = scaled("hpa", of, 0.5).dimensions
    assert [each.amount.value for each in rival] == pytest.approx([0.35, 0.5, 0.125])
    assert scaled("compositescaler", of, 0.5).magnitude.target_value == pytest.approx(0.5)
    assert scaled("compositescaler", of, 0.5).dimensions == of.dimensions


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan")])
def test_a_factor_that_is_not_above_zero_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match=r"The factor is .*; write a number above zero"):
        scaled("hpa", spec(), factor)


def test_proportional_is_our_decision_with_that_response() -> None:
    written = spec(magnitude={"response": "Proportional"})
    assert specs_of("proportional", [spec()]) == [written]
    ramp = BUMP.segment(0.9 * HOUR, 1.3 * HOUR)
    first, second = fleet(trace=ramp), fleet(trace=ramp)
    asked = simulate(first, policy_of("proportional", first, [spec()]))
    direct = simulate(second, CompositeScalerPolicy([written], second.settings))
    assert asked.replicas.tolist() == direct.replicas.tolist()


NAMES = ("compositescaler", "proportional", "hpa", "keda", "hpa-cpu", "constant")


def test_policies_side_by_side_decide_as_each_does_alone() -> None:
    trace = BUMP.segment(0.8 * HOUR, 1.4 * HOUR)
    specs = [spec(), spec(CPU), spec(), spec(CPU), spec(), spec()]
    together = fleet(len(NAMES), trace=trace)
    policies = side_by_side(NAMES, together, specs)
    record = simulate(together, policies)

    def alone(name: str, of: Spec) -> Record:
        runs = fleet(trace=trace)
        return simulate(runs, policy_of(name, runs, [of]))

    for row, (name, of) in enumerate(zip(NAMES, specs, strict=True)):
        assert record.replicas[:, row].tolist() == alone(name, of).replicas[:, 0].tolist(), name
    assert np.isfinite(policies.magnitude).tolist() == [True, True, False, False, False, False]


def test_behavior_and_bounds_of_the_spec_bind_a_rival_too() -> None:
    down = {"scaleDown": {"selectPolicy": "Disabled"}}
    runs = fleet(2)
    specs = [spec(behavior=down, maxReplicas=15), spec()]
    record = simulate(runs, policy_of("hpa-cpu", runs, specs))
    assert record.replicas[:, 0].max() == 15
    assert (np.diff(record.replicas[:, 0]) >= 0).all()
    assert record.replicas[-1, 1] < 15


def test_more_pods_than_the_maximum_are_taken_back_at_once() -> None:
    runs = Fleet(FleetSettings(), [BUMP], [1], 40)
    record = simulate(runs, policy_of("hpa-cpu", runs, [spec(maxReplicas=10)]))
    assert record.replicas[1, 0] == 10
