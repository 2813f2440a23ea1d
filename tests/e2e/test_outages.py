"""The API server fails, or the operator is killed: it goes on by itself, forgets nothing, and nothing is scaled for no reason.

Only the embedded API server fails on order. One scaler lives through all of it; its load of 10 asks for the number that runs, whatever
that is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from controller.api import Reason
from controller.embedded import EmbeddedApiServer
from tests.e2e.bad_input import good_spec, series, work
from tests.e2e.cluster import until
from tests.e2e.workbench import DEPLOYMENTS, INTERVAL, MAX_AGE, SCALERS, WINDOW, Json, Workbench, shipped_crd, workbench

NAME = "steady"
TARGET = f"{DEPLOYMENTS.format(f'namespaces/{NAME}/')}/checkout"
SCALER = f"{SCALERS.format(f'namespaces/{NAME}/')}/checkout"
OUTAGE_SECONDS = 3.0
EVER = 10**6


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """The embedded bench with the steady scaler at five replicas, and the operator."""
    with workbench("embedded", tmp_path_factory.mktemp("outages")) as bench:
        bench.install(shipped_crd())
        bench.api.create("/api/v1/namespaces", {"metadata": {"name": NAME}})
        bench.deploy(NAME)
        bench.wait_for_pods(1)
        load(bench, "10")
        time.sleep(MAX_AGE)
        bench.api.create(SCALERS.format(f"namespaces/{NAME}/"), scaler("checkout", maxReplicas=100))
        bench.operator.start()
        until(lambda: condition(bench, SCALER, "ScalingActive").get("status") == "True", 20, "the scaler is served")
        yield bench


def scaler(name: str, **fields: object) -> Json:
    """A scaler of the Deployment checkout."""
    return {
        "apiVersion": "compositescaler.io/v1alpha1",
        "kind": "CompositeScaler",
        "metadata": {"name": name},
        "spec": {**good_spec("checkout", work(NAME)), **fields},
    }


def load(bench: Workbench, value: str) -> None:
    """What the steady scaler sees from now on."""
    bench.exposition.put(NAME, *series(NAME, value))


def settle(bench: Workbench) -> None:
    """Wait until nothing moves, and the operator has heard of everything that did."""
    load(bench, "10")
    time.sleep(2 * INTERVAL)
    of = (("name", "checkout"), ("namespace", NAME))

    def told() -> bool:
        seen, number = bench.operator.metrics(), replicas(bench)
        current = seen["compositescaler_replicas"][(*of, ("stage", "current"))]
        return number == current == seen["compositescaler_pods"][(*of, ("state", "ready"))]

    until(told, 60, "the operator sees the replicas and the pods that there are")


def replicas(bench: Workbench) -> int:
    """What the target has."""
    found: int = bench.api.get(TARGET)["spec"]["replicas"]
    return found


def condition(bench: Workbench, path: str, kind: str) -> Json:
    """One condition of a scaler, {} where there is none."""
    conditions = bench.api.get(path).get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})


def _answer_429(server: EmbeddedApiServer) -> None:
    server.faults.answer(429, times=EVER, retry_after=1)
    server.faults.break_watches()


def _answer_500(server: EmbeddedApiServer) -> None:
    server.faults.answer(500, times=EVER)
    server.faults.break_watches()


def _cut_connections(server: EmbeddedApiServer) -> None:
    server.faults.drop(times=EVER)
    server.faults.break_watches()


def _cut_watches(server: EmbeddedApiServer) -> None:
    server.faults.break_watches()


def _end_watches_with_500(server: EmbeddedApiServer) -> None:
    server.faults.break_watches(error=500)


def _forget_the_past(server: EmbeddedApiServer) -> None:
    server.faults.compact()
    server.faults.break_watches(error=410)


OUTAGES = (_answer_429, _answer_500, _cut_connections, _cut_watches, _end_watches_with_500, _forget_the_past)


@pytest.mark.parametrize("begin", OUTAGES, ids=lambda begin: begin.__name__.strip("_"))
def test_after_an_outage_of_the_api_server_everything_goes_on(
    bench: Workbench, begin: Callable[[EmbeddedApiServer], None]
) -> None:
    assert bench.embedded is not None
    settle(bench)
    before = bench.api.get(TARGET)
    begin(bench.embedded)
    time.sleep(OUTAGE_SECONDS)
    bench.embedded.faults.clear()

    after = bench.api.get(TARGET)
    assert (after["spec"]["replicas"], after["metadata"]["generation"]) == (
        before["spec"]["replicas"],
        before["metadata"]["generation"],
    )
    assert bench.operator.get("/healthz") == (200, "ok\n")
    # Scalers are watched again ...
    name = begin.__name__.strip("_").replace("_", "-")
    bench.api.create(SCALERS.format(f"namespaces/{NAME}/"), scaler(name, source="thanos"))
    path = f"{SCALERS.format(f'namespaces/{NAME}/')}/{name}"
    until(lambda: condition(bench, path, "Ready").get("reason") == Reason.UNKNOWN_SOURCE, 60, "a new scaler is seen")
    # ... and so are targets and pods.
    load(bench, "12")
    until(lambda: replicas(bench) > before["spec"]["replicas"], 60, "the target is scaled up")
    # kopf tells of its own end as an error; what counts is that we do not.
    ours = [each for each in bench.operator.lines() if each["logger"].startswith("controller.")]
    assert [each for each in ours if "exception" in each or each["level"] == "error"] == []


def test_an_operator_that_is_killed_in_the_middle_of_a_cycle_has_forgotten_nothing(bench: Workbench) -> None:
    settle(bench)
    status = bench.api.get(SCALER)["status"]
    assert status["scaleEvents"]
    bench.source.faults.delay(0.8, answers=None)
    until(lambda: bench.source.faults.injected > 0, 10, "a cycle is under way")
    bench.operator.kill()
    bench.source.faults.clear()
    load(bench, "1")
    before, started = replicas(bench), time.monotonic()
    bench.operator.start()
    until(lambda: replicas(bench) != before, 60, "the target is scaled down")
    assert time.monotonic() - started >= WINDOW
    found = bench.api.get(SCALER)["status"]
    assert found["scaleEvents"][: len(status["scaleEvents"])] == status["scaleEvents"][-len(found["scaleEvents"]) :]
    assert _since(found, "Ready") == _since(status, "Ready")


def _since(status: Json, kind: str) -> str:
    return next(str(each["lastTransitionTime"]) for each in status["conditions"] if each["type"] == kind)
