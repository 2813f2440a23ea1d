"""Our own metrics: their names and labels, and that the series of a scaler are there exactly while it is."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from controller.api import ConditionType, Reason
from controller.engine import Override, Record, Stage
from controller.engine.hold import OTHERWISE
from controller.operator.clock import Moment
from controller.operator.conditions import Condition, of_problem, of_record
from controller.operator.scalers import Key, Problem
from controller.operator.telemetry import Sighting, Telemetry
from tests.engine_support import NOW, Case, Pod, dimension, even, record, spec, wanting
from tests.learned_support import Run, far_from_usual, web
from tests.operator_support import WALL

WEB, API = ("shop", "web"), ("shop", "api")
UP = record(wanting(7, 4))
PARTIAL = record(Case(spec(dimension("cpu"), dimension("queue", per="Target")), even(3, 0.9)))
SILENT = record(Case(spec(dimension("load", per="Target")), even(3)))

Series = dict[tuple[tuple[str, str], ...], float]


def sighting(found: Record) -> Sighting:
    return Sighting(of_record(found, "Deployment/web", "app=web", None, Moment(NOW, WALL)), found)


def scraped(table: dict[Key, Sighting], ages: dict[str, float] | None = None) -> dict[str, Series]:
    """What a scrape gives: series by name and labels."""
    telemetry = Telemetry(lambda: table, lambda: ages or {}, int)
    found: dict[str, Series] = {}
    for family in text_string_to_metric_families(generate_latest(telemetry.registry).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def of(series: Series, key: Key = WEB) -> dict[str, float]:
    """The one label beside namespace and name, and the value."""
    mine = {("namespace", key[0]), ("name", key[1])}
    return {
        " ".join(value for name, value in labels if name not in ("namespace", "name")): value
        for labels, value in series.items()
        if mine <= set(labels)
    }


def test_a_decision_is_told_with_every_number() -> None:
    found = scraped({WEB: sighting(UP)})
    assert of(found["compositescaler_magnitude"]) == {"": 1.75}
    assert of(found["compositescaler_target_magnitude"]) == {"": 1.0}
    assert of(found["compositescaler_dimension_value"]) == {"load": 1.75}
    assert of(found["compositescaler_dimension_normalized"]) == {"load": 1.75}
    assert of(found["compositescaler_dimension_share"]) == {"load": 1.0}
    assert of(found["compositescaler_dimension_valid"]) == {"load": 1.0}
    assert of(found["compositescaler_pods"]) == {"ready": 4.0, "unready": 0.0, "waitingForNodes": 0.0}
    assert of(found["compositescaler_rule"]) == {str(UP.rule): 1.0}


def test_every_stage_has_its_replicas() -> None:
    found = of(scraped({WEB: sighting(record(wanting(30, 4, maximum=20)))})["compositescaler_replicas"])
    assert found == {
        "current": 4.0,
        "proposed": 30.0,
        **{str(stage): 30.0 for stage in Stage},
        "bounded": 20.0,
        "overridden": 20.0,
        "desired": 20.0,
    }


def test_conditions_are_one_zero_and_minus_one() -> None:
    table = {
        WEB: sighting(PARTIAL),
        API: Sighting(of_problem(Problem(Reason.INVALID_SPEC, "maxReplicas: required")), None),
    }
    found = scraped(table)["compositescaler_condition"]
    assert of(found) == {
        "Accepted Ready": 1.0,
        "PartialMetrics ScalingActive": 1.0,
        "ReadyForNewScale AbleToScale": 1.0,
        "DesiredWithinRange ScalingLimited": 0.0,
        "PodsHelp ScalingIneffective": 0.0,
        "TargetsReachable TargetUnreachable": 0.0,
        "NotBlocked ScalingBlocked": 0.0,
        "AsUsual AnomalyDetected": 0.0,
    }
    assert of(found, API) == {
        "InvalidSpec Ready": 0.0,
        "InvalidSpec ScalingActive": 0.0,
        "InvalidSpec AbleToScale": -1.0,
    }


def test_a_scaler_with_a_problem_has_conditions_and_nothing_else() -> None:
    found = scraped({WEB: Sighting(of_problem(Problem(Reason.TARGET_NOT_FOUND, "gone")), None)})
    assert {name for name, series in found.items() if of(series)} == {"compositescaler_condition"}


def test_a_dimension_without_data_has_no_value_but_is_known_to_be_invalid() -> None:
    found = scraped({WEB: sighting(PARTIAL)})
    assert of(found["compositescaler_dimension_valid"]) == {"cpu": 1.0, "queue": 0.0}
    for name in ("value", "normalized", "share"):
        assert of(found[f"compositescaler_dimension_{name}"]).keys() == {"cpu"}


def test_without_any_data_there_is_no_magnitude() -> None:
    found = scraped({WEB: sighting(SILENT)})
    assert "compositescaler_magnitude" not in found
    assert of(found["compositescaler_replicas"])["desired"] == 3.0


@pytest.mark.parametrize("lacking", ["value", "normalized", "share"])
def test_nothing_is_ever_not_a_number(lacking: str) -> None:
    (load,) = UP.dimensions
    nothing: dict[str, Any] = {lacking: math.nan}
    odd = dataclasses.replace(UP, dimensions=(dataclasses.replace(load, **nothing),))
    found = scraped({WEB: sighting(odd)})
    assert f"compositescaler_dimension_{lacking}" not in found
    assert not [name for name, series in found.items() if any(math.isnan(value) for value in series.values())]


def test_what_the_law_knows_is_told() -> None:
    run = Run()
    run.see(web(412, 10), times=40)
    record_, found = run.record, scraped({WEB: sighting(run.record)})
    assert of(found["compositescaler_demand"]) == {"": pytest.approx(412.0)}
    assert of(found["compositescaler_demand_ahead"]) == {"": pytest.approx(412.0)}
    assert of(found["compositescaler_load_per_pod_target"]) == {"": pytest.approx(record_.outlook.per_pod)}
    assert of(found["compositescaler_hold_seconds"]) == {"": OTHERWISE}
    assert of(found["compositescaler_startup_seconds"]) == {"": 28.0}
    assert of(found["compositescaler_floor"]) == {each.name: pytest.approx(each.floor) for each in record_.dimensions}
    assert of(found["compositescaler_floor_confidence"]).keys() == {"memory", "latency"}
    assert of(found["compositescaler_ineffective"]) == {"cpu": 0.0, "memory": 0.0, "latency": 0.0}


def test_what_is_not_known_of_the_demand_has_no_series() -> None:
    found = scraped({WEB: sighting(UP)})
    for name in ("demand", "demand_ahead", "load_per_pod_target", "hold_seconds", "floor_confidence"):
        assert f"compositescaler_{name}" not in found
    assert of(found["compositescaler_ineffective"]) == {"load": 0.0}


def test_an_anomaly_is_told_with_its_parts() -> None:
    found = scraped({WEB: sighting(far_from_usual()[0])})
    assert of(found["compositescaler_anomaly_score"]) == {"": pytest.approx(0.8, rel=2e-3)}
    assert of(found["compositescaler_anomaly_part"]) == pytest.approx({"cpu": 0.6, "queue": 0.2}, rel=2e-3)
    assert of(found["compositescaler_anomaly_threshold"]) == {"": 0.3}
    assert of(found["compositescaler_anomaly_detected"]) == {"": 1.0}


def test_what_is_usual_has_no_series_until_it_is_known() -> None:
    found = scraped({WEB: sighting(UP)})
    for name in ("score", "part", "threshold"):
        assert f"compositescaler_anomaly_{name}" not in found
    assert of(found["compositescaler_anomaly_detected"]) == {"": 0.0}


def test_a_dimension_that_pods_do_not_lower_is_one_also_in_proportion() -> None:
    run = Run()
    run.in_vain()
    assert of(scraped({WEB: sighting(run.record)})["compositescaler_ineffective"]) == {
        "cpu": 0.0,
        "memory": 0.0,
        "latency": 1.0,
    }
    shaped = spec(dimension("delay", "0.5"), magnitude={"response": "Proportional"})
    run = Run()
    run.see(Case(shaped, even(10, 0.1)), times=4)
    run.see(Case(shaped, even(10, 1.0)))
    run.see(Case(shaped, even(20, 1.0)), times=6)
    assert of(scraped({WEB: sighting(run.record)})["compositescaler_ineffective"]) == {"delay": 1.0}


def test_pods_that_wait_for_nodes_are_counted() -> None:
    waiting = (Pod.of(None, ready=False, unscheduled=True),) * 2
    found = scraped({WEB: sighting(record(Case(spec(), (*even(3, 1.0), *waiting))))})
    assert of(found["compositescaler_pods"]) == {"ready": 3.0, "unready": 0.0, "waitingForNodes": 2.0}


def test_the_series_of_a_scaler_vanish_with_it() -> None:
    table = {WEB: sighting(UP), API: sighting(PARTIAL)}
    before = scraped(table)
    del table[API]
    after = scraped(table)
    assert [name for name, series in before.items() if of(series, API)]
    assert [name for name, series in after.items() if of(series, API)] == []
    assert {name: of(series) for name, series in after.items() if of(series)} == {
        name: of(series) for name, series in before.items() if of(series)
    }


def test_a_reason_that_changed_leaves_no_series_behind() -> None:
    table = {WEB: sighting(PARTIAL)}
    telemetry = Telemetry(lambda: table, dict, int)
    generate_latest(telemetry.registry)
    table[WEB] = Sighting((Condition(ConditionType.READY, True, Reason.ACCEPTED, ""),), None)
    text = generate_latest(telemetry.registry).decode()
    assert [line for line in text.splitlines() if line.startswith("compositescaler_condition{")] == [
        'compositescaler_condition{name="web",namespace="shop",reason="Accepted",type="Ready"} 1.0'
    ]


def test_caches_tell_their_age_once_they_have_one() -> None:
    found = scraped({}, {"pods": 3.5, "deployments": math.inf})["compositescaler_cache_age_seconds"]
    assert found == {(("cache", "pods"),): 3.5}


def test_the_operators_own_metrics_have_these_names_and_labels() -> None:
    telemetry = Telemetry(dict, dict, int)
    telemetry.cycles.labels(result="ok").inc()
    telemetry.overruns.inc(2)
    telemetry.queries.labels(source="default").inc(3)
    telemetry.query_faults.labels(source="default", reason="SourceTimeout").inc()
    telemetry.writes.labels(what="scale", result="ok").inc()
    telemetry.scale_events.labels(direction="up").inc()
    telemetry.scalers.set(5)
    telemetry.stopped.set(1)
    telemetry.cycle_seconds.observe(0.2)
    telemetry.step_seconds.labels(step="fetch").observe(0.1)
    text = generate_latest(telemetry.registry).decode()
    for line in (
        'compositescaler_cycles_total{result="ok"} 1.0',
        "compositescaler_cycle_overruns_total 2.0",
        'compositescaler_queries_total{source="default"} 3.0',
        'compositescaler_query_faults_total{reason="SourceTimeout",source="default"} 1.0',
        'compositescaler_writes_total{result="ok",what="scale"} 1.0',
        'compositescaler_scale_events_total{direction="up"} 1.0',
        "compositescaler_scalers 5.0",
        "compositescaler_stopped 1.0",
        "compositescaler_cycle_duration_seconds_count 1.0",
        'compositescaler_cycle_step_duration_seconds_count{step="fetch"} 1.0',
    ):
        assert line in text.splitlines()


def test_two_operators_of_one_process_do_not_share_a_registry() -> None:
    one, other = Telemetry(dict, dict, int), Telemetry(dict, dict, int)
    one.overruns.inc()
    assert "compositescaler_cycle_overruns_total 0.0" in generate_latest(other.registry).decode()


def test_everything_that_holds_a_scaler_has_a_series_and_a_pause_its_end() -> None:
    paused = Override((Reason.DRY_RUN, Reason.PAUSED), ("a dry run", "paused"), until=WALL + 60)
    dry = Override((Reason.DRY_RUN,), ("a dry run",))
    table = {
        WEB: sighting(dataclasses.replace(UP, override=paused)),
        API: sighting(dataclasses.replace(UP, override=dry)),
    }
    found = scraped(table)
    assert of(found["compositescaler_paused"]) == {"DryRun": 1.0, "Paused": 1.0}
    assert of(found["compositescaler_paused"], API) == {"DryRun": 1.0}
    assert of(found["compositescaler_paused_until_timestamp_seconds"]) == {"": WALL + 60}
    assert of(found["compositescaler_paused_until_timestamp_seconds"], API) == {}
    assert "compositescaler_paused" not in scraped({WEB: sighting(UP)})
