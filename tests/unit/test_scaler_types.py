"""What a CompositeScaler means, and the sentences with which a wrong one is refused."""

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from controller.api import (
    Amount,
    AnomalyAction,
    AnomalySeason,
    CompositeScaler,
    Demand,
    Direction,
    EfficacyAction,
    InvalidManifest,
    OnMissing,
    Per,
    PolicyType,
    Response,
    SelectPolicy,
    Status,
    Unit,
)
from tests.contract.manifests import BadManifest, bad_manifests, good_manifests


def manifest(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "compositescaler.io/v1alpha1",
        "kind": "CompositeScaler",
        "metadata": {"name": "web", "namespace": "shop", "uid": "u-1", "generation": 3, "labels": {"a": "b"}},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            "maxReplicas": 10,
            "dimensions": [{"metric": "cpu", "target": "70%"}],
            **spec,
        },
    }


def scaler(**spec: Any) -> CompositeScaler:
    return CompositeScaler.parse(manifest(**spec))


def sentence(**spec: Any) -> str:
    with pytest.raises(InvalidManifest) as error:
        scaler(**spec)
    return str(error.value)


def dimension(**fields: Any) -> Any:
    return scaler(dimensions=[fields]).spec.dimensions[0]


@pytest.mark.parametrize("bad", bad_manifests(), ids=lambda bad: bad.path.stem)
def test_a_bad_manifest_is_refused_with_the_sentence_it_expects(bad: BadManifest) -> None:
    with pytest.raises(InvalidManifest) as error:
        CompositeScaler.parse(bad.content)
    assert not bad.unsaid(str(error.value)), str(error.value)


@pytest.mark.parametrize("bad", bad_manifests(), ids=lambda bad: bad.path.stem)
def test_a_bad_manifest_holds_one_mistake_and_is_told_once(bad: BadManifest) -> None:
    with pytest.raises(InvalidManifest) as error:
        CompositeScaler.parse(bad.content)
    assert "; " not in str(error.value)


@pytest.mark.parametrize("path", good_manifests(), ids=lambda path: path.stem)
def test_a_good_manifest_is_accepted(path: Path) -> None:
    CompositeScaler.parse(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_the_smallest_scaler_has_the_documented_defaults() -> None:
    spec = scaler().spec
    assert (spec.min_replicas, spec.max_replicas, spec.source) == (1, 10, "default")
    assert spec.scale_target_ref.api_version == "apps/v1"
    assert (spec.magnitude.p, spec.magnitude.target_value, spec.magnitude.aggregation) == (2.0, 1.0, "Mean")
    assert (spec.quality.max_age_seconds, spec.quality.min_coverage_share) == (90.0, 0.8)
    assert (spec.cooldown.scale_up_seconds, spec.cooldown.scale_down_seconds) == (0.0, 60.0)
    assert spec.magnitude.response is Response.CAPACITY
    assert spec.demand is None
    assert (spec.efficacy.authority, spec.efficacy.action) == (1.5, EfficacyAction.HOLD)
    assert (spec.anomaly.window_seconds, spec.anomaly.percentile) == (3600.0, 99.9)
    assert (spec.anomaly.season, spec.anomaly.action) == (AnomalySeason.NONE, AnomalyAction.OBSERVE)


def test_the_smallest_dimension_has_the_documented_defaults() -> None:
    cpu = dimension(metric="cpu", target="70%")
    assert (cpu.name, cpu.per, cpu.weight, cpu.on_missing, cpu.scale_down) == (
        "cpu",
        Per.POD,
        1.0,
        OnMissing.HOLD,
        True,
    )
    assert cpu.amount == Amount(0.7, Unit.SHARE)
    assert cpu.floor_amount == Amount(0.0, Unit.SHARE)
    assert cpu.effective_cap == math.inf


def test_without_behavior_an_hpas_defaults_hold() -> None:
    up, down = (scaler().spec.rules(direction) for direction in (Direction.UP, Direction.DOWN))
    assert (up.window_seconds, down.window_seconds) == (0.0, 300.0)
    assert (up.tolerance_value, down.tolerance_value) == (0.1, 0.1)
    assert [(each.type, each.value, each.period_seconds) for each in up.policies] == [
        (PolicyType.PODS, 4, 15),
        (PolicyType.PERCENT, 100, 15),
    ]
    assert [(each.type, each.value, each.period_seconds) for each in down.policies] == [(PolicyType.PERCENT, 100, 15)]
    assert up.select_policy is down.select_policy is SelectPolicy.MAX


def test_a_list_of_policies_replaces_the_default_list_and_nothing_else() -> None:
    policies = [{"type": "Pods", "value": 1, "periodSeconds": 60}]
    spec = scaler(behavior={"scaleUp": {"policies": policies}}).spec
    assert [each.value for each in spec.rules(Direction.UP).policies] == [1]
    assert spec.rules(Direction.UP).tolerance_value == 0.1
    assert len(spec.rules(Direction.DOWN).policies) == 1


def test_a_latency_dimension_is_capped_at_three_targets_unless_told_otherwise() -> None:
    assert dimension(metric="latency-istio", target="250ms").effective_cap == 3.0
    assert dimension(metric="latency", target="250ms", cap=10).effective_cap == 10.0


def test_5m_is_five_minutes_for_a_latency_and_five_thousandths_of_a_core() -> None:
    assert dimension(metric="latency", target="5m").amount == Amount(300.0, Unit.SECONDS)
    assert dimension(metric="cpu", target="5m").amount == Amount(0.005, Unit.QUANTITY)


@pytest.mark.parametrize("target", ["300", "70%", "10s"])
def test_a_query_may_have_a_target_of_any_unit(target: str) -> None:
    assert dimension(name="queue", query="sum(queue)", per="Target", target=target).per is Per.TARGET


@pytest.mark.parametrize("floor", ["0", "20%", "0%"])
def test_a_floor_has_the_unit_of_its_target_and_zero_needs_none(floor: str) -> None:
    assert dimension(metric="cpu", target="70%", floor=floor).floor_amount.unit is Unit.SHARE


@pytest.mark.parametrize("fields", [{"metric": "memory", "target": "80%"}, {"metric": "latency-otel", "target": "1s"}])
def test_the_floor_of_memory_and_latency_is_learned_unless_it_is_written(fields: dict[str, str]) -> None:
    assert dimension(**fields).floor_is_auto
    assert not dimension(**fields, floor="0").floor_is_auto


@pytest.mark.parametrize(
    "fields",
    [
        {"metric": "cpu", "target": "70%"},
        {"metric": "requests", "target": "100"},
        {"name": "memory", "query": "sum by (namespace, pod) (x)", "target": "1Gi"},
    ],
)
def test_the_floor_of_any_other_dimension_is_learned_only_when_that_is_written(fields: dict[str, str]) -> None:
    assert not dimension(**fields).floor_is_auto
    assert dimension(**fields, floor="Auto").floor_is_auto


@pytest.mark.parametrize("target", ["80%", "1Gi"])
def test_a_floor_that_is_learned_is_zero_in_the_targets_unit_meanwhile(target: str) -> None:
    memory = dimension(metric="memory", target=target)
    assert memory.floor_amount == Amount(0.0, memory.amount.unit)


@pytest.mark.parametrize("written", [{"metric": "requests"}, {"query": "sum(rate(requests_total[1m]))"}])
def test_the_demand_is_a_family_or_a_query(written: dict[str, str]) -> None:
    assert scaler(demand=written).spec.demand == Demand(**written)


def test_the_hold_adapts_itself_where_no_rules_for_fewer_replicas_are_written() -> None:
    assert scaler().spec.adaptive_hold
    assert scaler(behavior={"scaleUp": {"tolerance": "0.2"}}).spec.adaptive_hold
    assert not scaler(behavior={"scaleDown": {}}).spec.adaptive_hold


def test_the_norm_may_be_infinite() -> None:
    assert scaler(magnitude={"norm": "Infinity"}).spec.magnitude.p == math.inf
    assert scaler(magnitude={"norm": "1.5"}).spec.magnitude.p == 1.5


@pytest.mark.parametrize("norm", ["1k", "0.99", "infinity", "-2", "2m", 0, True, 1.5])
def test_a_norm_that_is_no_plain_number_from_one_up_is_refused(norm: object) -> None:
    assert sentence(magnitude={"norm": norm}).startswith("spec.magnitude.norm: must be ")


def test_every_mistake_is_told_in_one_line() -> None:
    text = sentence(minReplicas=0, cooldown={"scaleUp": "1 min"}, canary={})
    assert text == (
        "spec.minReplicas: must be 1 or more, because scaling to zero is not possible yet, write 1 (got 0); "
        'spec.cooldown.scaleUp: must be a duration, write for example 250ms, 90s, 5m or 1h30m (got "1 min"); '
        "spec.canary: unknown field, remove it or correct its name"
    )


def test_two_broken_rules_of_one_dimension_are_both_told() -> None:
    text = sentence(dimensions=[{"query": "x", "target": "1", "quantile": 0.5}])
    assert "spec.dimensions[0].name: a dimension with a query needs a name" in text
    assert "spec.dimensions[0].quantile: quantile goes only with a latency metric" in text


def test_a_number_where_text_belongs_is_answered_with_the_text_to_write() -> None:
    text = sentence(dimensions=[{"name": "queue", "query": "x", "target": 300}])
    assert text == (
        "spec.dimensions[0].target: must be of type string, write it with its unit, for example 70%, 350m, 1Gi or 250ms, "
        'or a plain number in quotes like "300" (got 300)'
    )


@pytest.mark.parametrize("later", ["response", "fallback", "canary", "shadow"])
def test_a_field_of_a_later_version_is_not_accepted_and_ignored(later: str) -> None:
    assert sentence(**{later: {}}) == f"spec.{later}: unknown field, remove it or correct its name"


@pytest.mark.parametrize(
    "wrong", [{"kind": "Scaler"}, {"apiVersion": "v1"}, {"metadata": {}}, {"spec": None}, {"spec": []}]
)
def test_an_object_that_is_no_composite_scaler_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidManifest, match=next(iter(wrong))):
        CompositeScaler.parse({**manifest(), **wrong})


def test_the_parts_of_the_metadata_that_matter_are_kept() -> None:
    parsed = scaler()
    assert parsed.key == ("shop", "web")
    assert (parsed.metadata.uid, parsed.metadata.generation) == ("u-1", 3)


def test_a_status_is_no_part_of_the_manifest() -> None:
    assert CompositeScaler.parse({**manifest(), "status": {"whatever": 1}}) == scaler()


def test_a_scaler_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        scaler().spec.min_replicas = 5  # type: ignore[misc]


def test_what_is_dumped_is_a_manifest_with_the_same_meaning() -> None:
    spec = scaler(dimensions=[{"metric": "latency", "target": "250ms"}]).spec
    dumped = json.loads(spec.model_dump_json(exclude_unset=True))
    assert scaler(**dumped).spec == spec


def test_reading_a_scaler_takes_far_less_than_a_millisecond() -> None:
    content = yaml.safe_load(good_manifests()[0].read_text(encoding="utf-8"))
    CompositeScaler.parse(content)
    started = time.process_time()
    for _ in range(200):
        CompositeScaler.parse(content)
    assert (time.process_time() - started) / 200 < 1e-3


def test_a_status_reads_back_as_it_was_written() -> None:
    status = Status.parse(
        {
            "observedGeneration": 3,
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "Accepted",
                    "message": "",
                    "lastTransitionTime": "2026-11-21T15:00:00Z",
                }
            ],
            "scaleEvents": [{"time": "2026-11-21T15:00:00Z", "from": 2, "to": 4, "message": "magnitude 1.42"}],
        }
    )
    assert (status.scale_events[0].from_replicas, status.scale_events[0].to_replicas) == (2, 4)
    assert Status.parse(status.manifest()) == status
    assert "magnitude" not in status.manifest()


def test_what_was_learned_reads_back_as_it_was_written() -> None:
    learned = {
        "floors": [{"name": "memory", "value": "412Mi", "confidence": "87%", "since": "2026-11-21T15:00:00Z"}],
        "capacities": [{"name": "cpu", "loadPerPod": "48 requests/s"}],
        "loadPerPod": "41.3 requests/s",
        "demand": "Arrivals",
        "established": "40 requests/s",
        "gain": "0.8",
        "startup": "28s",
        "ineffective": [{"name": "latency", "since": "2026-11-21T15:00:00Z", "until": "2026-11-21T15:15:00Z"}],
    }
    status = Status.parse({"learned": learned, "pods": {"ready": 3, "total": 5, "waitingForNodes": 2}})
    assert status.manifest() == {
        "conditions": [],
        "learned": learned,
        "pods": {"ready": 3, "total": 5, "waitingForNodes": 2},
        "scaleEvents": [],
    }


def test_a_status_from_before_anything_was_learned_has_no_pods_that_wait_for_nodes() -> None:
    status = Status.parse({"pods": {"ready": 3, "total": 5}})
    assert status.pods is not None
    assert status.pods.waiting_for_nodes == 0
    assert status.learned is None


def test_a_scaler_that_nobody_has_looked_at_has_an_empty_status() -> None:
    assert Status.parse(None) == Status.parse({}) == Status()


def test_a_status_of_a_newer_operator_is_read_as_far_as_it_is_known() -> None:
    assert Status.parse({"currentReplicas": 4, "verdict": "Healthy"}).current_replicas == 4


def test_a_status_that_makes_no_sense_is_refused_with_a_sentence() -> None:
    with pytest.raises(InvalidManifest, match=r"status: currentReplicas: .*many"):
        Status.parse({"currentReplicas": "many"})
