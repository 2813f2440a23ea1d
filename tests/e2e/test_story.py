"""One story on real parts: load rises and falls, the operator restarts, Prometheus goes away; the tests are about what happened.

The story runs once, 15 times faster than a real one: cycle 1 s (15 s), start-up of a pod 2 s (30 s), stabilization 12 s (180 s).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from controller.simulation import PlantSettings, Second, Trace
from tests.e2e.cluster import NAME, NAMESPACE, ROOT, Load, Pods, deployment, install, until
from tests.e2e.journal import Journal
from tests.e2e.operator_process import OperatorProcess
from tests.realparts.controlplane import ControlPlane
from tests.realparts.prometheus import PrometheusServer
from tests.realparts.pytest_plugin import require

pytestmark = pytest.mark.real

FASTER = 15.0
LOW, HIGH = 80.0, 450.0
#: (seconds of the story, requests per second)
LOAD = ((0, LOW), (18, LOW), (28, HIGH), (60, HIGH), (64, LOW), (200, LOW))
STABILIZATION = 12.0

Metrics = dict[str, dict[tuple[tuple[str, str], ...], float]]


@dataclass
class Story:
    """Everything that the tests look at."""

    journal: Journal
    truth: list[Second]
    events: list[dict[str, Any]]
    metrics: Metrics
    seconds_to_stop: float
    log: list[dict[str, Any]]
    get: str
    describe: str


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Run the story; about a minute and a half."""
    require("control_plane")
    require("prometheus")
    folder = tmp_path_factory.mktemp("operator")
    trace = Trace(np.array([at for at, _ in LOAD]) * FASTER, np.array([load for _, load in LOAD]))
    with ControlPlane(pod_startup_seconds=2.0, pod_startup_jitter_seconds=1.0) as cluster:
        install(cluster)
        cluster.kubectl("apply", "-f", "-", input=json.dumps(deployment(2)))
        until(lambda: len(Pods(cluster).ready()) == 2, 30, "two pods are Ready")
        load = Load(cluster, trace, PlantSettings(compression=FASTER))
        with PrometheusServer([load.target]) as prometheus:
            yield _run(cluster, prometheus, load, folder)
        load.server.close()


def _run(cluster: ControlPlane, prometheus: PrometheusServer, load: Load, folder: Path) -> Story:
    kubeconfig = cluster.service_account_kubeconfig("compositescaler", "compositescaler")
    source = {"url": prometheus.url, "window": "5s", "timeout": "3s"}
    configuration = {"interval": "1s", "evaluationDelay": "0s", "sources": {"default": source}}
    cluster.kubectl("apply", "-f", str(Path(__file__).parent / "checkout.yaml"))
    journal = Journal(cluster)
    with load.runner, OperatorProcess(folder, kubeconfig, configuration) as operator:
        began = time.monotonic()
        journal.start()

        def at(seconds: float) -> None:
            time.sleep(max(0.0, began + seconds - time.monotonic()))

        journal.mark("low load")
        at(18)
        journal.mark("rising")
        at(34)
        journal.mark("high load")
        at(38)
        journal.mark("operator stops")
        took = operator.stop()
        log = operator.lines()
        at(42)
        journal.mark("operator starts again")
        operator.start()
        at(54)
        journal.mark("settled")
        at(56)
        journal.mark("Prometheus stops")
        prometheus.stop()
        at(75)
        journal.mark("Prometheus starts again")
        prometheus.start()
        until(lambda: journal.latest().condition("ScalingActive")[0] == "True", 15, "metrics flow again")
        journal.mark("metrics flow")
        until(lambda: journal.latest().replicas <= 4, 60, "the replicas came down")
        time.sleep(2)
        journal.mark("end")
        journal.stop()
        metrics = operator.metrics()
        events = json.loads(cluster.kubectl("get", "events", "-n", NAMESPACE, "-o", "json").stdout)["items"]
        get = cluster.kubectl("get", "csc", "-n", NAMESPACE, "-o", "wide").stdout
        describe = cluster.kubectl("describe", "csc", NAME, "-n", NAMESPACE).stdout
        log += operator.lines()
        operator.stop()
    output = ROOT / "build" / "e2e"
    output.mkdir(parents=True, exist_ok=True)
    (output / "get.txt").write_text(get)
    (output / "describe.txt").write_text(describe)
    return Story(journal, load.plant.truth(), events, metrics, took, log, get, describe)


def test_the_replicas_follow_the_load_up(story: Story) -> None:
    before = max(each.replicas for each in story.journal.between("low load", "rising"))
    after = story.journal.between("settled", "Prometheus stops")[-1]
    demand = max(each.demand_pods for each in story.truth)
    assert after.ready >= demand > before


def test_latency_is_held_once_the_pods_are_there(story: Story) -> None:
    settled = [each for each in story.truth if 46 <= each.at < 56]
    requests, slow = sum(each.arrivals for each in settled), sum(each.slow for each in settled)
    assert requests > 3000
    assert slow / requests < 0.05, "95 % of the requests were promised to be faster than 300 ms"


def test_nothing_scales_down_while_prometheus_is_away_although_the_load_fell(story: Story) -> None:
    away = story.journal.between("Prometheus stops", "Prometheus starts again")
    assert {each.replicas for each in away} == {away[0].replicas}
    assert away[-1].condition("ScalingActive") == ("False", "SourceUnreachable")
    assert any(
        "Prometheus" in (each.get("message") or "") or "default" in (each.get("message") or "")
        for each in story.events
        if each["reason"] == "SourceUnreachable"
    )


def test_scaling_down_waits_for_one_whole_clean_window(story: Story) -> None:
    flowing = story.journal.marks["metrics flow"]
    high = story.journal.between("Prometheus stops")[0].replicas
    first_step = next(each.at for each in story.journal.between("metrics flow") if each.replicas < high)
    assert STABILIZATION - 2 <= first_step - flowing <= STABILIZATION + 6


def test_the_replicas_come_down_in_the_end(story: Story) -> None:
    assert story.journal.latest().replicas <= 4
    assert story.journal.latest().ready <= 5


def test_the_operator_ends_within_five_seconds_of_sigterm(story: Story) -> None:
    assert story.seconds_to_stop < 5.0


def test_a_restart_brings_neither_a_burst_nor_a_scale_down(story: Story) -> None:
    before = story.journal.between("high load", "operator stops")[-1].replicas
    restarted = story.journal.marks["operator starts again"]
    after = [each for each in story.journal.between("operator stops", "settled") if each.at < restarted + 8]
    assert all(before <= each.replicas <= before * 1.25 for each in after), [each.replicas for each in after]


def test_status_events_and_metrics_tell_the_same_story(story: Story) -> None:
    status = story.journal.latest().status
    labels = (("name", NAME), ("namespace", NAMESPACE))
    changes = [(each["from"], each["to"]) for each in status["scaleEvents"]]
    assert changes, "scale events are remembered in status"
    assert all(after == before for (_, after), (before, _) in pairwise(changes))
    assert changes[-1][1] == story.journal.latest().replicas
    sizes = [each["message"] for each in story.events if each["reason"] == "SuccessfulRescale"]
    assert {int(text.split(";")[0].removeprefix("New size: ")) for text in sizes} == {to for _, to in changes}
    assert all(" reason: " in text for text in sizes)
    logged = [(each["from"], each["to"]) for each in story.log if each["logger"].endswith("writes") and "to" in each]
    assert logged == changes
    desired = story.metrics["compositescaler_replicas"][(*labels, ("stage", "desired"))]
    assert desired == status["desiredReplicas"] == story.journal.latest().replicas
    assert status["currentReplicas"] == story.journal.latest().replicas
    shown = story.metrics["compositescaler_dimension_share"]
    assert sum(shown[(("dimension", name), *labels)] for name in ("cpu", "memory", "latency")) == pytest.approx(1)
    assert story.metrics["compositescaler_scalers"][()] == 1


def test_the_shipped_role_is_enough(story: Story) -> None:
    refused = [each for each in story.log if "forbidden" in each["message"].lower()]
    assert refused == []


def test_kubectl_get_shows_the_columns_that_people_look_for(story: Story) -> None:
    header, row = story.get.splitlines()
    assert header.split() == [
        "NAME", "TARGET", "MIN", "MAX", "REPLICAS", "DESIRED", "MAGNITUDE", "READY", "ACTIVE", "LAST-SCALE", "AGE",
        "DOMINANT", "REASON",
    ]  # fmt: skip
    assert row.split()[:4] == [NAME, NAME, "2", "30"]
    assert row.split()[7:9] == ["True", "True"]
