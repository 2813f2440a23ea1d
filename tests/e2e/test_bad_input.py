"""Bad input, with the operator as a process of its own: the reason, the sentence and the Event that users read, and no scaling down.

All cases go wrong at the same time, one operator serves them all, and at the end all are mended. What each is about is in `bad_input`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from controller.api import Reason
from tests.e2e.bad_input import CALM, CASES, GOOD, NEW, OLD_SCHEMA, REPLICAS, RIGHT, Case, good_spec, series, work
from tests.e2e.cluster import until
from tests.e2e.workbench import (
    DEPLOYMENTS,
    INTERVAL,
    MAX_AGE,
    SCALERS,
    WINDOW,
    Json,
    Workbench,
    old_crd,
    shipped_crd,
    workbench,
)

Key = tuple[str, str]

BESIDE = tuple(case for case in NEW if case.beside and not case.about_the_spec)
STEADY = "steady"


@dataclass
class Story:
    """What was seen: scalers and Deployments while everything was wrong and after it was mended, Events, metrics, log."""

    scalers: dict[Key, Json] = field(default_factory=dict)
    targets: dict[Key, Json] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)
    health: tuple[int, str] = (0, "")
    metrics: dict[str, Any] = field(default_factory=dict)
    mended_scalers: dict[Key, Json] = field(default_factory=dict)
    mended_targets: dict[Key, Json] = field(default_factory=dict)
    mended_at: float = 0.0
    first_fall: dict[Key, float] = field(default_factory=dict)
    log: list[Json] = field(default_factory=list)

    def condition(self, key: Key, kind: str, mended: bool = False) -> Json:
        """A condition of a scaler, {} while nobody has written it."""
        return condition_of((self.mended_scalers if mended else self.scalers)[key], kind)


def condition_of(scaler: Json, kind: str) -> Json:
    """The condition of this type, {} where there is none."""
    conditions = scaler.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})


@pytest.fixture(scope="module", params=["embedded", pytest.param("real", marks=pytest.mark.real)])
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Run it; about 40 seconds."""
    with workbench(request.param, tmp_path_factory.mktemp("bad-input")) as bench:
        yield _run(bench)


def _run(bench: Workbench) -> Story:
    story = Story()
    bench.exposition.put("calm", *series("calm", "0.5"))
    bench.install(old_crd())
    _apply(bench, OLD_SCHEMA)
    _apply_steady(bench)
    bench.operator.start()
    _wait_for(bench, OLD_SCHEMA)
    time.sleep(WINDOW + 2 * INTERVAL)
    _look(bench, story, OLD_SCHEMA)
    bench.install(shipped_crd())
    _apply(bench, NEW)
    _wait_for(bench, NEW)
    bench.exposition.put(STEADY, *series(STEADY, "16"))
    # Had anybody believed in a zero, the clean window would end within this time.
    time.sleep(WINDOW + 3 * INTERVAL)
    _look(bench, story, NEW)
    story.health = bench.operator.get("/healthz")
    story.metrics = bench.operator.metrics()
    _mend(bench, story)
    story.events = bench.api.get("/api/v1/events")["items"]
    story.log = bench.operator.lines()
    bench.operator.stop()
    return story


def _apply(bench: Workbench, cases: tuple[Case, ...]) -> None:
    """Namespaces and Deployments, then bad data, then the scalers: the operator never sees it good, nor young pods."""
    for case in cases:
        bench.api.create("/api/v1/namespaces", {"metadata": {"name": case.name}})
        for name in ("checkout", "beside") if case in BESIDE else ("checkout",):
            if case.deployment is not None:
                bench.deploy(case.name, name, **case.deployment)
    bench.wait_for_pods(len(cases))
    for case in cases:
        case.spoil(bench, case.name)
    time.sleep(MAX_AGE + 1)
    for case in cases:
        path = SCALERS.format(f"namespaces/{case.name}/")
        bench.api.create(path, case.scaler(bench))
        if case in BESIDE:
            bench.api.create(path, case.scaler(bench, "beside", CALM))


def _apply_steady(bench: Workbench) -> None:
    """A scaler with which all is well, at its target with five replicas."""
    bench.api.create("/api/v1/namespaces", {"metadata": {"name": STEADY}})
    bench.deploy(STEADY)
    bench.exposition.put(STEADY, *series(STEADY, "10"))
    scaler = {"apiVersion": "compositescaler.io/v1alpha1", "kind": "CompositeScaler", "metadata": {"name": "checkout"}}
    bench.api.create(SCALERS.format(f"namespaces/{STEADY}/"), {**scaler, "spec": good_spec("checkout", work(STEADY))})


def _wait_for(bench: Workbench, cases: tuple[Case, ...]) -> None:
    """Until every case has the reason that it is about; one that never gets it is left to its own test."""

    def all_told() -> bool:
        scalers = bench.by_case(SCALERS)
        return all(
            condition_of(scalers[case.name, "checkout"], case.condition).get("reason") == case.reason for case in cases
        )

    with suppress(AssertionError):
        until(all_told, 20, "every case is told")


def _look(bench: Workbench, story: Story, cases: tuple[Case, ...]) -> None:
    names = {case.name for case in cases} | {STEADY}
    story.scalers |= {key: each for key, each in bench.by_case(SCALERS).items() if key[0] in names}
    story.targets |= {key: each for key, each in bench.by_case(DEPLOYMENTS).items() if key[0] in names}


def _mend(bench: Workbench, story: Story) -> None:
    """End every fault, and wait until every target has come down."""
    bench.source.faults.clear()
    story.mended_at = time.monotonic()
    for case in CASES:
        case.mend(bench, case.name)
    bench.exposition.put(STEADY, *series(STEADY, GOOD))

    def all_right() -> bool:
        story.mended_targets = bench.by_case(DEPLOYMENTS)
        for key, each in story.mended_targets.items():
            if each["spec"]["replicas"] < REPLICAS:
                story.first_fall.setdefault(key, time.monotonic())
        return all(each["spec"]["replicas"] == RIGHT for each in story.mended_targets.values())

    # One that does not is left to its own test.
    with suppress(AssertionError):
        until(all_right, 30, "every target has come down")
    time.sleep(2 * INTERVAL)
    story.mended_scalers = bench.by_case(SCALERS)


def every(cases: tuple[Case, ...]) -> pytest.MarkDecorator:
    """A test for each case."""
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


@every(CASES)
def test_the_condition_names_the_reason_and_says_what_is_wrong(story: Story, case: Case) -> None:
    condition = story.condition((case.name, "checkout"), case.condition)
    assert (condition["status"], condition["reason"]) == ("False", case.reason), condition["message"]
    lacking = [words for words in case.says if words not in condition["message"]]
    assert not lacking, condition["message"]


@every(CASES)
def test_ready_is_about_the_spec_and_scaling_active_about_the_data(story: Story, case: Case) -> None:
    ready, active = (story.condition((case.name, "checkout"), kind) for kind in ("Ready", "ScalingActive"))
    assert ready["status"] == ("False" if case.about_the_spec else "True")
    assert (active["status"], active["reason"]) == ("False", case.reason)


@every(CASES)
def test_an_event_says_the_same(story: Story, case: Case) -> None:
    told = [
        (each["type"], each["message"])
        for each in story.events
        if each["metadata"]["namespace"] == case.name
        and each["involvedObject"]["name"] == "checkout"
        and each["reason"] == case.reason
    ]
    assert ("Warning", story.condition((case.name, "checkout"), case.condition)["message"]) in told


@every(CASES)
def test_nothing_scales_on_bad_input(story: Story, case: Case) -> None:
    touched = {
        key: each["spec"]["replicas"]
        for key, each in story.targets.items()
        if key[0] == case.name and (each["metadata"]["generation"] != 1 or each["spec"]["replicas"] != REPLICAS)
    }
    assert touched == {}


@every(BESIDE)
def test_a_good_dimension_beside_a_bad_one_does_not_scale_down(story: Story, case: Case) -> None:
    key = (case.name, "beside")
    condition = story.condition(key, "ScalingActive")
    assert (condition["status"], condition["reason"]) == ("True", Reason.PARTIAL_METRICS), condition["message"]
    assert story.condition((case.name, "checkout"), "ScalingActive")["message"] in condition["message"]
    decision = story.scalers[key]["status"]["lastDecision"]
    bad, good = decision["dimensions"]
    assert (bad["valid"], bad["reason"]) == (False, case.reason)
    assert (good["valid"], good["value"]) == (True, "500m")
    assert decision["replicas"]["proposed"] < decision["replicas"]["trusted"] == REPLICAS
    assert decision["rule"] == Reason.PARTIAL_METRICS


@every(CASES)
def test_it_recovers_by_itself_once_the_fault_has_ended(story: Story, case: Case) -> None:
    for key in story.mended_targets:
        if key[0] == case.name:
            found = {kind: story.condition(key, kind, mended=True)["status"] for kind in ("Ready", "ScalingActive")}
            assert found == {"Ready": "True", "ScalingActive": "True"}, key
            assert story.mended_targets[key]["spec"]["replicas"] == RIGHT, key


@every(CASES)
def test_scaling_down_waits_for_a_clean_window(story: Story, case: Case) -> None:
    falls = {key: at - story.mended_at for key, at in story.first_fall.items() if key[0] == case.name}
    assert falls
    if case.name != "old-field":
        # The last bad answer may be as much older than the end of the fault as a slow cycle takes.
        assert min(falls.values()) >= WINDOW - 2 * INTERVAL, falls


def test_a_good_scaler_is_served_all_the_while(story: Story) -> None:
    key = (STEADY, "checkout")
    assert story.condition(key, "ScalingActive")["reason"] == Reason.VALID_METRIC_FOUND
    assert story.targets[key]["spec"]["replicas"] == 10
    assert story.mended_targets[key]["spec"]["replicas"] == RIGHT


def test_the_operator_stays_healthy(story: Story) -> None:
    assert story.health == (200, "ok\n")
    assert story.metrics["compositescaler_scalers"][()] == len(CASES) + len(BESIDE) + 1
    assert story.metrics["compositescaler_cycles_total"].get((("result", "error"),), 0) == 0
    errors = [each for each in story.log if "exception" in each or each["level"] == "error"]
    # The story replaces the CRD; for a second the API server answers 429 "storage is (re)initializing", and kopf tells that it retries.
    retries = [each for each in errors if each["logger"].startswith("kopf") and "will retry" in each["message"]]
    assert [each for each in errors if each not in retries] == []


def test_faults_are_counted_by_source_and_reason(story: Story) -> None:
    counted = {dict(labels)["reason"] for labels in story.metrics["compositescaler_query_faults_total"]}
    assert {case.reason for case in NEW if case.name in ("too-large", "unavailable", "late", "refused")} <= counted
