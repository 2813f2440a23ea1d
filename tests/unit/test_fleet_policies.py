"""Policies on a fleet: the schedules that know better, and this project's own decision in the loop."""

from __future__ import annotations

import numpy as np
import pytest

from controller.api import CompositeScalerError, Spec
from controller.engine import LoadKind
from controller.simulation import Trace
from controller.simulation.figures import Figures
from controller.simulation.fleet import Fleet, FleetSettings
from controller.simulation.policies import (
    Clairvoyant,
    CompositeScalerPolicy,
    Constant,
    UnknownPolicy,
    demand_of,
    policy_of,
    samples_of,
)
from controller.simulation.run import simulate

INSTANT = FleetSettings(startup_seconds=0.0, startup_spread=0.0)
HOUR = 3600.0
BUMP = Trace(np.array([0.0, HOUR, 2 * HOUR, 3 * HOUR]), np.array([200.0, 200.0, 800.0, 200.0]))


def spec(*metrics: tuple[str, str, str], **fields: object) -> Spec:
    """A spec with these families (name, target, floor)."""
    return Spec.model_validate(
        {
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            "minReplicas": 2,
            "maxReplicas": 100,
            "dimensions": [{"metric": name, "target": target, "floor": floor} for name, target, floor in metrics],
            **fields,
        }
    )


CPU = ("cpu", "70%", "0%")
MEMORY = ("memory", "100%", "70%")
LATENCY = ("latency", "250ms", "100ms")
PROPORTIONAL = {"magnitude": {"response": "Proportional"}}


def test_the_clairvoyant_keeps_its_utilisation_at_every_load() -> None:
    fleet = Fleet(INSTANT, [BUMP], [1], 8)
    record = simulate(fleet, Clairvoyant(fleet, 0.5))
    pods, load = record.replicas[1:, 0], record.arrivals[1:, 0] / 15.0
    assert (load / (50.0 * pods)).mean() == pytest.approx(0.48, abs=0.03)
    assert pods.max() == 32


def test_more_head_room_costs_more_and_breaks_the_promise_less_often() -> None:
    fleet = Fleet(INSTANT, [BUMP] * 3, [1] * 3, 8)
    figures = Figures.of(simulate(fleet, Clairvoyant(fleet, np.array([0.75, 0.6, 0.45]))), warmup_seconds=60.0)
    assert figures.cost.tolist() == sorted(figures.cost.tolist())
    assert figures.violations.tolist() == sorted(figures.violations.tolist(), reverse=True)


@pytest.mark.parametrize("fields", [PROPORTIONAL, {}])
def test_our_own_decision_follows_a_bump_up_and_down(fields: dict[str, object]) -> None:
    fleet = Fleet(FleetSettings(), [BUMP] * 2, [1, 2], 6)
    record = simulate(fleet, CompositeScalerPolicy([spec(CPU, MEMORY, LATENCY, **fields)] * 2, fleet.settings))
    figures = Figures.of(record, warmup_seconds=600.0)
    assert (figures.violations < 3.0).all()
    assert (figures.most_pods >= 20).all()
    assert (record.replicas[-1] < 0.6 * figures.most_pods).all()


def test_runs_with_different_specs_are_decided_together_as_they_are_alone() -> None:
    specs = [spec(CPU, **PROPORTIONAL), spec(LATENCY, CPU, **PROPORTIONAL)]
    together = Fleet(FleetSettings(), [BUMP] * 2, [1, 1], 6)
    record = simulate(together, CompositeScalerPolicy(specs, together.settings))
    for row, each in enumerate(specs):
        alone = Fleet(FleetSettings(), [BUMP], [1], 6)
        of_alone = simulate(alone, CompositeScalerPolicy([each], alone.settings))
        assert record.replicas[:, row].tolist() == of_alone.replicas[:, 0].tolist()


def test_nothing_goes_down_for_one_window_after_the_start() -> None:
    down = {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}}}
    fleet = Fleet(FleetSettings(), [Trace(np.array([0.0, HOUR]), np.array([50.0, 50.0]))], [1], 10)
    record = simulate(fleet, CompositeScalerPolicy([spec(CPU, **down, **PROPORTIONAL)], fleet.settings))
    fell = int(np.argmax(record.replicas[:, 0] < 10))
    assert 300 <= fell * 15 <= 345


def test_the_rate_policies_hold_in_the_loop() -> None:
    up = {"behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}}}
    jump = Trace(np.array([0.0, 300.0, 301.0, 1200.0]), np.array([60.0, 60.0, 900.0, 900.0]))
    fleet = Fleet(FleetSettings(), [jump], [1], 2)
    replicas = simulate(fleet, CompositeScalerPolicy([spec(CPU, **up)], fleet.settings)).replicas[:, 0]
    assert replicas.max() > 10
    assert (replicas[4:] - replicas[:-4]).max() <= 2


def test_a_share_is_of_the_pod_s_request_and_a_quantity_is_not() -> None:
    fleet = Fleet(INSTANT, [BUMP], [1], 8)
    for _ in range(10):
        fleet.advance()
    seen = fleet.seen()
    shares = [spec(CPU, MEMORY)]
    plain = [spec(("cpu", "700m", "0"), ("memory", "512Mi", "0"))]
    kinds = np.array([LoadKind.CORES])
    of_shares, of_plain = (samples_of(seen, each, kinds, fleet.settings).values for each in (shares, plain))
    assert of_shares[:, 0] == pytest.approx(of_plain[:, 0] / fleet.settings.plant.cpu_request)
    assert of_shares[:, 1] == pytest.approx(of_plain[:, 1] / fleet.settings.plant.memory_request)


@pytest.mark.parametrize(
    ("of", "kind"),
    [
        (spec(CPU), LoadKind.CORES),
        (spec(CPU, LATENCY), LoadKind.REQUESTS),
        (spec(CPU, LATENCY, demand={"metric": "requests"}), LoadKind.ARRIVALS),
        (spec(("memory", "1Gi", "0")), LoadKind.NONE),
    ],
)
def test_demand_is_the_gateway_s_else_the_histogram_s_else_cores(of: Spec, kind: LoadKind) -> None:
    assert demand_of(of) is kind


def test_a_gap_in_the_metrics_moves_nothing() -> None:
    settings = FleetSettings(gaps=lambda now: now >= HOUR)
    fleet = Fleet(settings, [BUMP], [1], 6)
    record = simulate(fleet, CompositeScalerPolicy([spec(CPU, LATENCY)], settings))
    assert len(set(record.replicas[245:, 0].tolist())) == 1


def test_policies_are_found_by_name() -> None:
    fleet = Fleet(INSTANT, [BUMP], [1], 8)
    specs = [spec(CPU)]
    assert policy_of("compositescaler", fleet, specs).name == "compositescaler"
    assert isinstance(policy_of("constant", fleet, specs), Constant)
    assert isinstance(policy_of("clairvoyant", fleet, specs), Clairvoyant)


def test_an_unknown_policy_is_told_the_known_ones() -> None:
    fleet = Fleet(INSTANT, [BUMP], [1], 8)
    with pytest.raises(UnknownPolicy, match=r"no policy 'magic'; write one of clairvoyant, compositescaler") as caught:
        policy_of("magic", fleet, [spec(CPU)])
    assert isinstance(caught.value, CompositeScalerError)
