"""One story on real parts: load rises and falls, the operator restarts, Prometheus goes away; the tests are about what happened.

The story runs once, 15 times faster than a real one: cycle 1 s (15 s), start-up of a pod 2 s (30 s), stabilization 12 s (180 s).
Four workloads live through it, served by one operator, each in a namespace of its own: the default response, the same scaler in
proportion, one whose node is too small, and one whose latency has a cause that pods do not lower. The last two have a Prometheus that
stays.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from controller.cli.demo import Moment
from controller.simulation import PlantSettings, Second, Trace
from tests.e2e.chart import moments_of, write_charts
from tests.e2e.cluster import NAME, NAMESPACE, ROOT, Load, Pods, deployment, install, until
from tests.e2e.journal import Entry, Journal, Metrics
from tests.e2e.operator_process import OperatorProcess
from tests.e2e.scheduler import Scheduler
from tests.e2e.workbench import Api
from tests.realparts.controlplane import ControlPlane
from tests.realparts.prometheus import PrometheusServer
from tests.realparts.pytest_plugin import require

pytestmark = pytest.mark.real

FASTER = 15.0
LOW, HIGH = 80.0, 450.0
#: (seconds of the story, requests per second)
LOAD = ((0, LOW), (18, LOW), (28, HIGH), (60, HIGH), (64, LOW), (400, LOW))
STABILIZATION = 12.0
CYCLE = 1.0
#: The range of the rates, and for how long the load has run when the scalers come: their first samples cover it.
WINDOW, LEAD = 5.0, 7.0

PROPORTIONAL, CROWDED, SLOW = "shop-proportional", "crowded", "slow"
BOTH = pytest.mark.parametrize("shop", [NAMESPACE, PROPORTIONAL])
#: Its node takes four pods, and the load of the rise needs more.
ROOM = 4
CROWD = ((0, 50.0), (18, 50.0), (28, 150.0), (400, 150.0))
#: Four pods carry it at their CPU target; half a second of each request is a dependency's.
STEADY = ((0, 120.0), (400, 120.0))
DEPENDENCY_SECONDS = 0.5
#: By default: so many times what CPU and memory need may a dimension order that has not shown that pods lower it.
AUTHORITY = 1.5
#: To begin with. As many as the low load needs: what the law learns in a rough start it forgets in an hour, and there is none here.
PODS = {NAMESPACE: 4, PROPORTIONAL: 4, CROWDED: 3, SLOW: 4}
#: At most so many are left for the low load.
FEW = 8


@dataclass
class Story:
    """Everything that the tests look at; `truth` by namespace, on the journal's clock.

    `final` is what stands, by namespace, when the operator has ended: nothing moves any more between one look and the next.
    """

    journal: Journal
    final: dict[str, Entry]
    truth: dict[str, list[Second]]
    events: list[dict[str, Any]]
    metrics: Metrics
    seconds_to_stop: float
    log: list[dict[str, Any]]
    get: str
    describe: str

    def told(self, namespace: str, reason: str) -> list[str]:
        """The messages of the Events with a reason."""
        return [
            each.get("message") or ""
            for each in self.events
            if each["reason"] == reason and each["metadata"]["namespace"] == namespace
        ]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Run the story; about two minutes."""
    require("control_plane")
    require("prometheus")
    folder = tmp_path_factory.mktemp("operator")
    settings = PlantSettings(compression=FASTER)
    plants = {
        NAMESPACE: (LOAD, settings),
        PROPORTIONAL: (LOAD, settings),
        CROWDED: (CROWD, settings),
        SLOW: (STEADY, PlantSettings(compression=FASTER, dependency_seconds=DEPENDENCY_SECONDS)),
    }
    with ExitStack() as stack:
        cluster = stack.enter_context(ControlPlane(pod_startup_seconds=2.0, pod_startup_jitter_seconds=1.0))
        install(cluster, *PODS)
        api = Api(cluster.url, cluster.admin_token, cluster.ca)
        scheduler = stack.enter_context(Scheduler(api, CROWDED, ROOM))
        for namespace, pods in PODS.items():
            body = deployment(pods, namespace, None) if namespace == CROWDED else deployment(pods, namespace)
            cluster.kubectl("apply", "-f", "-", input=json.dumps(body))
        for namespace, pods in PODS.items():
            with closing(Pods(cluster, namespace)) as seen:
                until(partial(_are, seen, pods), 30, "the first pods are Ready")
        loads = {
            namespace: Load(cluster, _trace(points), of, namespace=namespace)
            for namespace, (points, of) in plants.items()
        }
        for load in loads.values():
            stack.callback(load.close)
        prometheus, steady = (
            stack.enter_context(PrometheusServer([loads[each].target for each in namespaces]))
            for namespaces in ((NAMESPACE, PROPORTIONAL), (CROWDED, SLOW))
        )
        found = _run(cluster, prometheus, steady, loads, scheduler, folder)
        _draw(found, settings)
        yield found


def _are(pods: Pods, count: int) -> bool:
    return len(pods.ready()) == count


def _trace(points: tuple[tuple[int, float], ...]) -> Trace:
    # A trace begins where its first moment is.
    begin = (-LEAD, points[0][1])
    seconds, loads = zip(begin, *points, strict=True)
    return Trace(np.array(seconds) * FASTER, np.array(loads))


def _scaler(namespace: str, **spec: object) -> str:
    """The scaler of the story in a namespace, with other fields."""
    manifest = yaml.safe_load((Path(__file__).parent / "checkout.yaml").read_text())
    manifest["metadata"]["namespace"] = namespace
    return json.dumps({**manifest, "spec": {**manifest["spec"], **spec}})


def _run(
    cluster: ControlPlane,
    prometheus: PrometheusServer,
    steady: PrometheusServer,
    loads: dict[str, Load],
    scheduler: Scheduler,
    folder: Path,
) -> Story:
    kubeconfig = cluster.service_account_kubeconfig("compositescaler", "compositescaler")
    sources = {
        name: {"url": each.url, "window": f"{WINDOW:g}s", "timeout": "3s"}
        for name, each in (("default", prometheus), ("steady", steady))
    }
    configuration = {"interval": "1s", "evaluationDelay": "0s", "sources": sources}
    with ExitStack() as stack:
        # It waits for scalers before the load begins: the chapters follow the load's clock, however long a process takes to start.
        operator = stack.enter_context(OperatorProcess(folder, kubeconfig, configuration))
        for load in loads.values():
            stack.enter_context(load.runner)
        began = time.monotonic() + LEAD

        def at(seconds: float) -> None:
            time.sleep(max(0.0, began + seconds - time.monotonic()))

        at(0)
        journal = stack.enter_context(closing(Journal(cluster, operator.metrics)))
        journal.start()
        journal.mark("low load")
        for manifest in (
            _scaler(NAMESPACE),
            _scaler(PROPORTIONAL, magnitude={"response": "Proportional"}),
            _scaler(CROWDED, source="steady"),
        ):
            cluster.kubectl("apply", "-f", "-", input=manifest)
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
        cluster.kubectl("apply", "-f", "-", input=_scaler(SLOW, source="steady"))
        at(54)
        journal.mark("settled")
        at(56)
        journal.mark("Prometheus stops")
        prometheus.stop()
        at(75)
        journal.mark("Prometheus starts again")
        prometheus.start()
        journal.mark("room")
        scheduler.room = 100
        until(
            lambda: all(
                journal.latest(each).condition("ScalingActive")[0] == "True" for each in (NAMESPACE, PROPORTIONAL)
            ),
            15,
            "metrics flow again",
        )
        journal.mark("metrics flow")
        until(
            lambda: all(journal.latest(each).replicas <= FEW for each in (NAMESPACE, PROPORTIONAL)),
            60,
            "the replicas came down",
        )
        until(lambda: journal.latest(SLOW).condition("ScalingIneffective")[0] == "True", 90, "pods do not lower it")
        time.sleep(2)
        journal.mark("end")
        journal.stop()
        metrics = operator.metrics()
        get = cluster.kubectl("get", "csc", "-n", NAMESPACE, "-o", "wide").stdout
        describe = cluster.kubectl("describe", "csc", NAME, "-n", NAMESPACE).stdout
        operator.stop()
        log += operator.lines()
        final = journal.look()
        events = json.loads(cluster.kubectl("get", "events", "-A", "-o", "json").stdout)["items"]
    truth = {
        namespace: [each._replace(at=each.at - LEAD) for each in load.plant.truth()]
        for namespace, load in loads.items()
    }
    return Story(journal, final, truth, events, metrics, took, log, get, describe)


def _draw(story: Story, settings: PlantSettings) -> None:
    """What the README shows, and the pictures of both responses."""
    output = ROOT / "build" / "e2e"
    output.mkdir(parents=True, exist_ok=True)
    (output / "get.txt").write_text(story.get)
    (output / "describe.txt").write_text(story.describe)

    def moments(namespace: str) -> list[Moment]:
        return moments_of(story.journal.entries[namespace], story.truth[namespace], settings)

    write_charts(
        {
            output / "story.svg": ("response Capacity", moments(NAMESPACE)),
            output / "story-proportional.svg": ("response Proportional", moments(PROPORTIONAL)),
        },
        settings,
    )


@BOTH
def test_the_replicas_follow_the_load_up(story: Story, shop: str) -> None:
    before = max(each.replicas for each in story.journal.between("low load", "rising", shop))
    after = story.journal.between("settled", "Prometheus stops", shop)[-1]
    demand = max(each.demand_pods for each in story.truth[shop])
    assert after.ready >= demand > before


@BOTH
def test_latency_is_held_once_the_pods_are_there(story: Story, shop: str) -> None:
    settled = [each for each in story.truth[shop] if 46 <= each.at < 56]
    requests, slow = sum(each.arrivals for each in settled), sum(each.slow for each in settled)
    assert requests > 3000
    assert slow / requests < 0.05, "95 % of the requests were promised to be faster than 300 ms"


def test_the_default_response_decides_by_the_demand_and_says_so(story: Story) -> None:
    settled = story.journal.between("settled", "Prometheus stops")[-1]
    assert settled.decision["response"] == "Capacity"
    demand, unit = settled.decision["demand"].split()
    assert unit == "requests/s"
    assert 0.7 * HIGH < float(demand) < 1.4 * HIGH
    per_pod = float(settled.decision["loadPerPod"].split()[0])
    # A pod of the plant serves 50 requests per second at most; its CPU alone is at the target at 35.
    assert 15 < per_pod < 35
    assert f"{settled.decision['loadPerPod']} a pod are the target" in settled.decision["message"]


def test_the_law_proposes_before_the_load_rises(story: Story) -> None:
    low = story.journal.between("low load", "rising")
    assert low[-1].gauge("load_per_pod_target") is not None, "18 s are more than two windows of load"


def test_who_asked_for_the_proportional_response_has_it_throughout(story: Story) -> None:
    seen = [each for each in story.journal.entries[PROPORTIONAL] if each.decision]
    assert {each.decision["response"] for each in seen} == {"Proportional"}
    assert all(each.gauge("load_per_pod_target") is None for each in seen)


@BOTH
def test_nothing_scales_down_while_prometheus_is_away_although_the_load_fell(story: Story, shop: str) -> None:
    away = story.journal.between("Prometheus stops", "Prometheus starts again", shop)
    assert {each.replicas for each in away} == {away[0].replicas}
    assert away[-1].condition("ScalingActive") == ("False", "SourceUnreachable")
    assert any("Prometheus" in text or "default" in text for text in story.told(shop, "SourceUnreachable"))


@BOTH
def test_scaling_down_waits_for_one_whole_clean_window(story: Story, shop: str) -> None:
    flowing = story.journal.marks["metrics flow"]
    high = story.journal.between("Prometheus stops", namespace=shop)[0].replicas
    first_step = next(each.at for each in story.journal.between("metrics flow", namespace=shop) if each.replicas < high)
    assert STABILIZATION - 2 <= first_step - flowing <= STABILIZATION + 6


@BOTH
def test_the_replicas_come_down_in_the_end(story: Story, shop: str) -> None:
    assert story.journal.latest(shop).replicas <= FEW
    assert story.journal.latest(shop).ready <= FEW + 1


def test_the_operator_ends_within_five_seconds_of_sigterm(story: Story) -> None:
    assert story.seconds_to_stop < 5.0


@BOTH
def test_a_restart_brings_neither_a_burst_nor_a_scale_down(story: Story, shop: str) -> None:
    before = story.journal.between("high load", "operator stops", shop)[-1].replicas
    restarted = story.journal.marks["operator starts again"]
    after = [each for each in story.journal.between("operator stops", "settled", shop) if each.at < restarted + 8]
    assert all(before <= each.replicas <= before * 1.25 for each in after), [each.replicas for each in after]


def test_after_a_restart_the_law_goes_on_with_what_the_status_remembers(story: Story) -> None:
    before = story.journal.between("high load", "operator stops")[-1].status["learned"]
    assert before["demand"] == "Requests"
    assert {each["name"] for each in before["capacities"]} == {"cpu", "memory", "latency"}
    after = [each for each in story.journal.between("operator starts again", "settled") if each.gauge("magnitude")]
    # What is new moves a capacity within a minute or more, so the first cycles tell where it began.
    first = after[0].gauge("load_per_pod_target")
    assert first is not None
    assert first == pytest.approx(float(before["loadPerPod"].split()[0]), rel=0.15)


def test_a_restart_brings_no_proportional_interlude(story: Story) -> None:
    after = story.journal.between("operator starts again", "Prometheus stops")
    assert {each.decision["response"] for each in after} == {"Capacity"}
    cycles = [each for each in after if each.gauge("magnitude") is not None]
    assert len(cycles) > 20
    assert all(each.gauge("load_per_pod_target") is not None for each in cycles)


def test_pods_that_no_node_has_room_for_are_named_in_the_status(story: Story) -> None:
    waiting = [each for each in story.journal.between("rising", "room", CROWDED) if _waiting(each)]
    assert waiting, "the operator was started anew while they waited, so its status is written at once"
    last = waiting[-1]
    assert last.status["pods"]["ready"] == ROOM
    assert last.status["pods"]["waitingForNodes"] == last.status["pods"]["total"] - ROOM
    assert "for a node, no more are ordered for the load that" in last.decision["message"]


def test_pods_that_no_node_has_room_for_are_not_ordered_twice(story: Story) -> None:
    waiting = story.journal.between("settled", "room", CROWDED)
    assert all(each.ready == ROOM for each in waiting)
    per_pod = min(each.gauge("load_per_pod_target") or math.inf for each in waiting)
    enough = math.ceil(CROWD[-1][1] / per_pod)
    # So few requests are counted in a window that the demand is off by a third; ordered twice would be twice as many, and more each cycle.
    assert ROOM < max(each.replicas for each in waiting) < 2 * enough


def test_pods_that_got_a_node_do_not_wait_any_more(story: Story) -> None:
    end = story.journal.latest(CROWDED)
    assert end.ready > ROOM
    assert end.gauge("pods", "waitingForNodes") == 0


def test_a_dimension_that_pods_do_not_lower_is_named_and_asks_for_no_more(story: Story) -> None:
    end = story.journal.latest(SLOW)
    assert end.condition("ScalingIneffective") == ("True", "PodsDoNotHelp")
    (message,) = (each["message"] for each in end.status["conditions"] if each["type"] == "ScalingIneffective")
    assert "latency" in message
    assert "pods do not lower it, so it may not ask for more until" in message
    (dropped,) = end.status["learned"]["ineffective"]
    assert dropped["name"] == "latency"
    assert dropped["until"] in message
    assert message in story.told(SLOW, "ScalingIneffective")
    ineffective = {each: end.gauge("ineffective", each) for each in ("cpu", "memory", "latency")}
    assert ineffective == {"cpu": 0, "memory": 0, "latency": 1}


def test_a_slow_dependency_grows_the_target_by_its_authority_and_no_further(story: Story) -> None:
    # In proportion the first order alone would be three times as many pods.
    end = story.final[SLOW].status
    established = float(end["learned"]["established"].split()[0])
    orders = [each for each in story.journal.entries[SLOW] if _orders(each)]
    assert {each.gauge("replicas", "desired") for each in orders} == {
        each["to"] for each in end["scaleEvents"] if each["to"] > each["from"]
    }
    # The first is of pods that all carried the load for long, so that what the cycle saw tells the number exactly.
    first = orders[0]
    assert _gauge(first, "replicas", "proposed") == math.ceil(AUTHORITY * _carried_without_latency(first))
    for each in orders:
        # Later the old pods' memory still shows the load that they had, and the demand of a moment is not what its mean is.
        seen = max(_carried_without_latency(each), _gauge(each, "demand_ahead") / established)
        assert _gauge(each, "replicas", "proposed") <= math.ceil(AUTHORITY * 1.25 * seen), f"at {each.at:.1f} s"
    assert max(each.replicas for each in story.journal.entries[SLOW]) > PODS[SLOW]


@BOTH
def test_status_events_and_metrics_tell_the_same_story(story: Story, shop: str) -> None:
    end = story.final[shop]
    changes = [(each["from"], each["to"]) for each in end.status["scaleEvents"]]
    assert changes, "scale events are remembered in status"
    assert all(after == before for (_, after), (before, _) in pairwise(changes))
    assert changes[-1][1] == end.status["desiredReplicas"] == end.replicas
    sizes = story.told(shop, "SuccessfulRescale")
    assert {int(text.split(";")[0].removeprefix("New size: ")) for text in sizes} == {to for _, to in changes}
    assert all(" reason: " in text for text in sizes)
    writes = [each for each in story.log if each["logger"].endswith("writes") and each.get("namespace") == shop]
    assert [(each["from"], each["to"]) for each in writes if "to" in each] == changes
    shares = [story.journal.latest(shop).gauge("dimension_share", name) for name in ("cpu", "memory", "latency")]
    assert sum(each or 0.0 for each in shares) == pytest.approx(1)
    assert story.metrics["compositescaler_scalers"][()] == len(PODS)


@BOTH
def test_status_and_metrics_tell_a_new_count_within_three_cycles(story: Story, shop: str) -> None:
    # The cycle that changes the count still tells the old one as the current, the next one that it was made.
    settled = story.journal.settled(3 * CYCLE, shop)
    assert len({each.replicas for each in settled}) > 1, "the count changed, and stood for a while before and after"
    for each in settled:
        told = (each.status["currentReplicas"], each.status["desiredReplicas"])
        assert told == (each.replicas, each.replicas), f"at {each.at:.1f} s"
        measured = (each.gauge("replicas", "current"), each.gauge("replicas", "desired"))
        assert measured == (each.replicas, each.replicas), f"at {each.at:.1f} s"


def test_the_pictures_of_both_responses_are_written_side_by_side(story: Story) -> None:
    pictures = [(ROOT / "build" / "e2e" / name).read_text() for name in ("story.svg", "story-proportional.svg")]
    for picture, response in zip(pictures, ("Capacity", "Proportional"), strict=True):
        assert f"response {response}: " in picture
        assert "pod-hours" in picture
    assert ["demand ahead" in each for each in pictures] == [True, False]


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


def _orders(entry: Entry) -> bool:
    """Whether the cycle that was seen ordered more pods."""
    return (entry.gauge("replicas", "desired") or 0.0) > (entry.gauge("replicas", "current") or math.inf)


def _carried_without_latency(entry: Entry) -> float:
    """How many pods at their target a cycle saw to be needed by CPU and memory, which is what authority is of."""
    cpu, memory = (_gauge(entry, "dimension_normalized", each) for each in ("cpu", "memory"))
    return _gauge(entry, "pods", "ready") * math.hypot(cpu, memory)


def _gauge(entry: Entry, name: str, label: str = "") -> float:
    found = entry.gauge(name, label)
    assert found is not None, f"no {name} at {entry.at:.1f} s"
    return found


def _waiting(entry: Entry) -> int:
    found: int = entry.status.get("pods", {}).get("waitingForNodes", 0)
    return found
