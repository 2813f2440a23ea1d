"""The stand-ins for the deployment controller and the kubelet, on a clock that the test turns."""

import copy
import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from controller.embedded.lifecycle import DeleteOptions, Lifecycle
from controller.embedded.resources import Catalog
from controller.embedded.rollouts import RolloutRules, SetState, plan_rollout, resolve_bounds
from controller.embedded.store import Change, Store
from controller.embedded.workloads import Workloads, WorkloadSettings


class Clock:
    """Calls back when the test says that time has passed."""

    def __init__(self) -> None:
        self.now = 0.0
        self._calls: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()

    def call_later(self, delay: float, callback: Callable[[], object], /) -> None:
        heapq.heappush(self._calls, (self.now + delay, next(self._order), callback))

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self._calls and self._calls[0][0] <= end:
            self.now, _, callback = heapq.heappop(self._calls)
            callback()
        self.now = end


class Cluster:
    """A store with workloads, without HTTP."""

    def __init__(self, **settings: Any) -> None:
        self.clock, self.store, self._catalog = Clock(), Store(), Catalog()
        self._lifecycle = Lifecycle(self.store, self._catalog)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
        self._lifecycle.create(self._resource("namespaces"), "", namespace)
        self.workloads = Workloads(self.store, self._catalog, self._lifecycle, self.clock, WorkloadSettings(**settings))
        self.workloads.start()
        self.born: list[str] = []
        self.store.listen(self._note_birth)

    def _note_birth(self, storage: str, change: Change) -> None:
        if (storage, change.type) == ("pods", "ADDED"):
            self.born.append(change.entry.key[1])

    def _resource(self, plural: str) -> Any:
        return self._catalog.find("", "v1", plural) or self._catalog.find("apps", "v1", plural)

    def deploy(self, replicas: int, **spec: Any) -> None:
        container = {"name": "app", "image": "app", "resources": {"requests": {"cpu": "100m"}}}
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
        body = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
        deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": body}
        self._lifecycle.create(self._resource("deployments"), "default", deployment)

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        entry = self.store.collection("deployments.apps").get("default", "web")
        assert entry
        changed = copy.deepcopy(entry.obj)
        change(changed["spec"])
        self._lifecycle.update(self._resource("deployments"), entry, changed)

    def scale(self, replicas: int) -> None:
        self.change(lambda spec: spec.update(replicas=replicas))

    def delete(self, plural: str, name: str, options: DeleteOptions | None = None) -> None:
        resource = self._resource(plural)
        entry = self.store.collection(resource.storage).get("default", name)
        assert entry
        self._lifecycle.delete(resource, entry, options or DeleteOptions())

    @property
    def pods(self) -> list[dict[str, Any]]:
        return [entry.obj for entry in self.store.collection("pods").scan("default")]

    @property
    def ready(self) -> int:
        return sum(pod["status"]["phase"] == "Running" for pod in self.pods)

    @property
    def status(self) -> dict[str, Any]:
        entry = self.store.collection("deployments.apps").get("default", "web")
        assert entry
        status: dict[str, Any] = entry.obj["status"]
        return status


def names(pods: list[dict[str, Any]]) -> set[str]:
    return {pod["metadata"]["name"] for pod in pods}


def test_a_deployment_has_pending_pods_that_become_ready_after_the_start_up_time() -> None:
    cluster = Cluster(startup_seconds=10)
    cluster.deploy(3)
    cluster.clock.advance(9.9)
    assert [pod["status"]["phase"] for pod in cluster.pods] == ["Pending"] * 3
    assert "readyReplicas" not in cluster.status
    cluster.clock.advance(0.2)
    assert cluster.ready == 3
    assert cluster.status["readyReplicas"] == cluster.status["replicas"] == 3


def test_a_pod_says_whose_it_is_where_it_runs_and_what_it_asks_for() -> None:
    cluster = Cluster(node="node-7")
    cluster.deploy(1)
    cluster.clock.advance(2)
    (pod,) = cluster.pods
    (owner,) = pod["metadata"]["ownerReferences"]
    mark = pod["metadata"]["labels"]["pod-template-hash"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("ReplicaSet", f"web-{mark}", True)
    assert pod["spec"]["nodeName"] == "node-7"
    assert pod["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "100m"}
    assert cluster.store.collection("nodes").get("", "node-7")


def test_start_up_times_vary_within_the_jitter_and_repeat_with_the_seed() -> None:
    def times(seed: int) -> list[int]:
        cluster = Cluster(startup_seconds=10, startup_jitter_seconds=5, seed=seed)
        cluster.deploy(20)
        ready = []
        for _ in range(16):
            cluster.clock.advance(1)
            ready.append(cluster.ready)
        return ready

    first = times(1)
    assert first[3] == 0
    assert 0 < first[9] < 20
    assert first[15] == 20
    assert first == times(1) != times(2)


def test_surplus_pods_go_the_youngest_first() -> None:
    cluster = Cluster()
    cluster.deploy(2)
    cluster.clock.advance(5)
    old = names(cluster.pods)
    cluster.scale(4)
    cluster.clock.advance(5)
    cluster.scale(2)
    cluster.clock.advance(0)
    assert names(cluster.pods) == old


def test_a_pod_that_serves_nobody_goes_before_one_that_does() -> None:
    cluster = Cluster(startup_seconds=10, startup_jitter_seconds=9, seed=4)  # the first pod is the slower one
    cluster.deploy(2)
    while cluster.ready < 1:
        cluster.clock.advance(0.1)
    (running,) = [pod for pod in cluster.pods if pod["status"]["phase"] == "Running"]
    assert running["metadata"]["name"] == cluster.born[1]
    cluster.scale(1)
    cluster.clock.advance(0)
    assert names(cluster.pods) == {cluster.born[1]}


def test_a_deleted_pod_is_terminating_for_a_while_and_replaced_at_once() -> None:
    cluster = Cluster(startup_seconds=0, termination_seconds=5)
    cluster.deploy(2)
    cluster.clock.advance(1)
    cluster.delete("pods", cluster.pods[0]["metadata"]["name"])
    cluster.clock.advance(1)
    assert sorted("deletionTimestamp" in pod["metadata"] for pod in cluster.pods) == [False, False, True]
    assert cluster.status["readyReplicas"] == 2
    cluster.clock.advance(5)
    assert len(cluster.pods) == 2


def test_the_status_tells_which_generation_it_is_about() -> None:
    cluster = Cluster()
    cluster.deploy(1)
    cluster.clock.advance(5)
    assert cluster.status["observedGeneration"] == 1
    cluster.scale(2)
    assert cluster.status["observedGeneration"] == 1
    cluster.clock.advance(0)
    assert cluster.status["observedGeneration"] == 2
    assert cluster.status["unavailableReplicas"] == 1


def test_a_deployment_at_rest_is_not_written_again() -> None:
    cluster = Cluster()
    cluster.deploy(2)
    cluster.clock.advance(5)
    revision = cluster.store.revision
    cluster.clock.advance(1000)
    assert cluster.store.revision == revision


def test_a_new_template_replaces_pods_without_falling_below_the_bound() -> None:
    cluster = Cluster(startup_seconds=3)
    cluster.deploy(4)
    cluster.clock.advance(5)
    before = names(cluster.pods)
    cluster.change(lambda spec: spec["template"]["spec"]["containers"][0].update(image="app:2"))
    for _ in range(60):
        cluster.clock.advance(0.5)
        assert cluster.ready >= 3
        assert len(cluster.pods) <= 5
    assert len(cluster.pods) == cluster.status["updatedReplicas"] == 4
    assert not before & names(cluster.pods)
    assert {pod["spec"]["containers"][0]["image"] for pod in cluster.pods} == {"app:2"}


def test_recreate_lets_the_old_pods_go_first() -> None:
    cluster = Cluster(startup_seconds=3, termination_seconds=2)
    cluster.deploy(2, strategy={"type": "Recreate"})
    cluster.clock.advance(5)
    cluster.change(lambda spec: spec["template"]["spec"]["containers"][0].update(image="app:2"))
    seen = set()
    for _ in range(40):
        cluster.clock.advance(0.25)
        alive = [pod for pod in cluster.pods if "deletionTimestamp" not in pod["metadata"]]
        seen.add(frozenset(pod["spec"]["containers"][0]["image"] for pod in alive))
    assert frozenset({"app", "app:2"}) not in seen
    assert cluster.ready == 2


def test_a_paused_deployment_scales_but_does_not_roll() -> None:
    cluster = Cluster()
    cluster.deploy(2)
    cluster.clock.advance(5)
    cluster.change(lambda spec: spec.update(paused=True))
    cluster.change(lambda spec: spec["template"]["spec"]["containers"][0].update(image="app:2"))
    cluster.scale(3)
    cluster.clock.advance(5)
    assert [pod["spec"]["containers"][0]["image"] for pod in cluster.pods] == ["app"] * 3


def test_a_deleted_deployment_takes_its_pods_along() -> None:
    cluster = Cluster()
    cluster.deploy(2)
    cluster.clock.advance(5)
    cluster.delete("deployments", "web")
    cluster.clock.advance(0)
    assert cluster.pods == []
    assert len(cluster.store.collection("replicasets.apps")) == 0


@pytest.mark.parametrize(
    ("desired", "surge", "unavailable", "expected"),
    [(10, "25%", "25%", (3, 2)), (1, "25%", "25%", (1, 0)), (4, 2, 1, (2, 1)), (3, 0, "10%", (0, 1))],
)
def test_bounds_in_percent_become_pods(
    desired: int, surge: int | str, unavailable: int | str, expected: tuple[int, int]
) -> None:
    assert resolve_bounds(desired, surge, unavailable) == expected


def test_unavailable_old_pods_are_given_up_first() -> None:
    rules = RolloutRules(surge=1, unavailable=1)
    old = [SetState(wanted=2, present=2, available=2), SetState(wanted=2, present=2, available=0)]
    assert plan_rollout(4, rules, SetState(wanted=0, present=0, available=0), old) == (1, [2, 1])


def test_a_paused_rollout_is_scaled_in_proportion() -> None:
    rules = RolloutRules(surge=0, unavailable=1, paused=True)
    old = [SetState(wanted=6, present=6, available=6)]
    assert plan_rollout(16, rules, SetState(wanted=2, present=2, available=2), old) == (4, [12])
