"""Finding targets on an API server: what is found, what is a problem, and that pod groups are held while they are needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from controller.api import Reason
from controller.kube import Client, Discovery, PodCache, PodObject, TargetCache
from controller.operator.scalers import Problem, Scaler
from controller.operator.targets import Aimed, Targets
from tests.operator_support import DEFINITIONS, DEPLOYMENTS, Api, connected, manifest, scaler, serving
from tests.unit.kube_server import pod

WIDGETS = "/apis/it.example.com/v1/namespaces/default/widgets"
WIDGET_CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.it.example.com"},
    "spec": {
        "group": "it.example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {
                        "specReplicasPath": ".spec.replicas",
                        "statusReplicasPath": ".status.replicas",
                        "labelSelectorPath": ".status.selector",
                    },
                },
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving(tmp_path_factory.mktemp("api")) as api:
        api.send("POST", DEFINITIONS, WIDGET_CRD)
        yield api


class Desk:
    """What finds targets, and where their pods are."""

    def __init__(self, api: Api, client: Client) -> None:
        self.api = api
        self.pods = PodCache()
        self.cache = TargetCache(client)
        self.passed = 0.0
        self.targets = Targets(Discovery(client, clock=lambda: self.passed), self.cache, self.pods)

    def widget(self, name: str, replicas: int = 3, **status: Any) -> None:
        body = {"apiVersion": "it.example.com/v1", "kind": "Widget", "metadata": {"name": name}}
        self.api.send("POST", WIDGETS, {**body, "spec": {"replicas": replicas}})
        self.status(name, **status)

    def status(self, name: str, **status: Any) -> None:
        self.api.send("PATCH", f"{WIDGETS}/{name}/status", {"status": {"replicas": 3, **status}})

    async def aim(self, *scalers: Scaler) -> list[Aimed]:
        aimed, problems = await self.targets.aim(scalers)
        assert problems == {}
        return aimed

    async def problem(self, of: Scaler) -> Problem:
        aimed, problems = await self.targets.aim([of])
        assert aimed == []
        return problems[of.key]


@pytest_asyncio.fixture
async def desk(api: Api) -> AsyncIterator[Desk]:
    async with connected(api) as client:
        desk = Desk(api, client)
        yield desk
        await desk.cache.close()


def at(kind: str, name: str, api_version: str = "apps/v1", of: str = "web") -> Scaler:
    return scaler(manifest(of, scaleTargetRef={"apiVersion": api_version, "kind": kind, "name": name}))


def widget(name: str, of: str = "web") -> Scaler:
    return at("Widget", name, "it.example.com/v1", of)


async def test_a_deployment_is_found_with_its_replicas_and_the_group_of_its_pods(desk: Desk) -> None:
    desk.api.deploy("shop", 5)
    (found,) = await desk.aim(at("Deployment", "shop"))
    assert (found.resource, found.title, found.target.spec_replicas) == (DEPLOYMENTS, "Deployment/shop", 5)
    assert found.group.pods == []
    item: PodObject = {"metadata": pod("a", namespace="default", app="shop")["metadata"]}
    desk.pods.upsert(item)
    desk.pods.upsert({"metadata": pod("b", namespace="default", app="else")["metadata"]})
    assert [each.name for each in found.group.pods] == ["a"]


async def test_a_count_that_changed_is_seen(desk: Desk) -> None:
    desk.api.deploy("growing", 2)
    await desk.aim(at("Deployment", "growing"))
    desk.api.send("PATCH", "/apis/apps/v1/namespaces/default/deployments/growing", {"spec": {"replicas": 6}})
    async with asyncio.timeout(10):
        while (await desk.aim(at("Deployment", "growing")))[0].target.spec_replicas != 6:
            await asyncio.sleep(0.01)


async def test_a_stateful_set_and_anything_with_a_scale_are_targets_too(desk: Desk) -> None:
    desk.api.deploy("db", 2, kind="statefulsets")
    desk.widget("w", 4, selector="app=w")
    found = await desk.aim(at("StatefulSet", "db"), widget("w", of="other"))
    assert [(each.title, each.target.spec_replicas) for each in found] == [("StatefulSet/db", 2), ("Widget/w", 4)]


async def test_scalers_come_in_the_order_in_which_they_were_asked_for_without_the_lost_ones(desk: Desk) -> None:
    for name in ("one", "two"):
        desk.api.deploy(name)
    scalers = [
        at("Deployment", "two", of="c"),
        at("Deployment", "none", of="b"),
        at("Gadget", "none", of="d"),
        at("Deployment", "one", of="a"),
    ]
    aimed, problems = await desk.targets.aim(scalers)
    assert [each.scaler.key[1] for each in aimed] == ["c", "a"]
    assert problems.keys() == {("default", "b"), ("default", "d")}


async def test_nobody_aims_at_nothing(desk: Desk) -> None:
    assert await desk.targets.aim([]) == ([], {})


# Problems


async def test_a_target_that_is_not_there_is_named_with_what_to_do(desk: Desk) -> None:
    found = await desk.problem(at("Deployment", "nowhere"))
    assert found.reason is Reason.TARGET_NOT_FOUND
    assert found.message == (
        "spec.scaleTargetRef: there is no Deployment default/nowhere; create it, or correct kind and name"
    )


async def test_a_kind_that_is_not_there_says_where_to_look(desk: Desk) -> None:
    found = await desk.problem(at("Deploymnet", "web"))
    assert found.reason is Reason.TARGET_NOT_FOUND
    assert "no kind Deploymnet in apps/v1" in found.message
    assert "kubectl api-resources" in found.message


async def test_a_kind_without_a_scale_is_not_scalable(desk: Desk) -> None:
    found = await desk.problem(at("ConfigMap", "web", "v1"))
    assert found.reason is Reason.NOT_SCALABLE
    assert "ConfigMap of v1 has no /scale; point at a kind that has one" in found.message


async def test_a_scale_that_we_may_not_read_says_which_right_is_lacking(desk: Desk) -> None:
    desk.widget("secret", selector="app=w")
    desk.api.server.faults.answer(403, path="widgets/secret/scale", message="widgets is forbidden")
    found = await desk.problem(widget("secret"))
    assert found.reason is Reason.FAILED_GET_SCALE
    assert found.message == (
        "Widget default/secret: widgets is forbidden; grant the operator's role this resource and its /scale"
    )


async def test_a_server_that_fails_is_a_problem_for_now(desk: Desk) -> None:
    desk.widget("shaky", selector="app=w")
    desk.api.server.faults.answer(500, path="widgets/shaky/scale", message="no luck")
    found = await desk.problem(widget("shaky"))
    assert (found.reason, found.message) == (Reason.FAILED_GET_SCALE, "Widget default/shaky: no luck")
    assert len(await desk.aim(widget("shaky"))) == 1


async def test_a_discovery_that_fails_is_a_problem_for_now(desk: Desk) -> None:
    desk.widget("unseen", selector="app=w")
    desk.api.server.faults.answer(503, path="^/apis/it.example.com/v1$", message="try again")
    found = await desk.problem(widget("unseen"))
    assert (found.reason, found.message) == (Reason.FAILED_GET_SCALE, "spec.scaleTargetRef: try again")
    desk.passed += 16.0
    assert len(await desk.aim(widget("unseen"))) == 1


@pytest.mark.parametrize(
    ("name", "status"), [("empty", {"selector": ""}), ("nonsense", {"selector": "app in ("}), ("none", {})]
)
async def test_a_target_without_a_selector_that_can_be_used_is_a_problem(
    desk: Desk, name: str, status: dict[str, Any]
) -> None:
    desk.widget(name, **status)
    found = await desk.problem(widget(name))
    assert found.reason is Reason.INVALID_SELECTOR
    assert found.message.startswith(f"Widget default/{name}: ")


# Groups


async def test_two_scalers_with_the_same_selector_share_a_group(desk: Desk) -> None:
    desk.widget("left", selector="app=same")
    desk.widget("right", selector="app=same")
    left, right = await desk.aim(widget("left", of="a"), widget("right", of="b"))
    assert left.group is right.group
    assert left.group.holders == 2


async def test_a_group_is_the_same_in_every_cycle(desk: Desk) -> None:
    desk.widget("steady", selector="app=steady")
    (first,) = await desk.aim(widget("steady"))
    (second,) = await desk.aim(widget("steady"))
    assert second.group is first.group
    assert first.group.holders == 1


async def test_the_group_of_a_scaler_that_is_gone_is_given_back(desk: Desk) -> None:
    desk.widget("leaving", selector="app=leaving")
    (found,) = await desk.aim(widget("leaving"))
    await desk.aim()
    assert found.group.holders == 0


async def test_a_selector_that_changed_is_another_group_and_the_old_one_is_given_back(desk: Desk) -> None:
    desk.widget("turning", selector="app=old")
    (before,) = await desk.aim(widget("turning"))
    desk.status("turning", selector="app=new")
    (after,) = await desk.aim(widget("turning"))
    assert (before.group.holders, after.group.holders) == (0, 1)
    assert str(after.group.selector) == "app=new"


async def test_a_late_watch_is_not_believed_about_a_count_that_we_wrote_ourselves(desk: Desk) -> None:
    desk.widget("late", 3, selector="app=late")
    (found,) = await desk.aim(widget("late"))
    desk.targets.wrote(found, 7)
    (again,) = await desk.aim(widget("late"))
    assert again.target.spec_replicas == 7
    desk.api.send("PATCH", f"{WIDGETS}/late", {"spec": {"replicas": 5}})
    (moved,) = await desk.aim(widget("late"))
    assert moved.target.spec_replicas == 5


async def test_a_group_of_kinds_that_does_not_answer_is_asked_once_for_all_of_its_scalers(desk: Desk) -> None:
    fault = desk.api.server.faults.answer(503, path="/apis/slow.example.com/v1", times=100)
    slow = [at("Thing", "a", "slow.example.com/v1", of=f"web-{number}") for number in range(5)]
    aimed, problems = await desk.targets.aim(slow)
    _, still = await desk.targets.aim(slow)
    assert aimed == []
    assert {each.reason for each in problems.values()} == {Reason.FAILED_GET_SCALE}
    assert still == problems
    assert fault.hits == 1
