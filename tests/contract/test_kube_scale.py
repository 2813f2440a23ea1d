"""Reading and writing /scale on each API server, from and to every count that matters."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from controller.api.errors import Conflict, NotFound, Rejected, ServerError
from controller.kube import Client, Resource, Selector, TargetCache, read_scale, set_replicas
from tests.contract.conftest import PATIENCE_SECONDS, Api, deployment, widget
from tests.contract.kube import connected

DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", namespaced=True, scalable=True)
WIDGETS = Resource("contract.example.com", "v1", "widgets", "Widget", namespaced=True, scalable=True)


@pytest_asyncio.fixture
async def client(api: Api) -> AsyncIterator[Client]:
    async with connected(api.kubeconfig) as client:
        yield client


def replicas_of(api: Api, path: str) -> int:
    return int(api.get(path).body["spec"]["replicas"])


@pytest.mark.parametrize(("old", "new"), [(1, 3), (3, 1), (0, 2), (2, 0)])
async def test_the_count_of_a_deployment_is_changed(
    api: Api, client: Client, namespace: str, deployments: str, old: int, new: int
) -> None:
    api.post(deployments, deployment("web", old))
    await set_replicas(client, DEPLOYMENTS, namespace, "web", old, new)
    assert replicas_of(api, f"{deployments}/web") == new


@pytest.mark.parametrize(("old", "new"), [(1, 3), (3, 1), (0, 2), (2, 0)])
async def test_the_count_of_a_custom_resource_is_changed(
    api: Api, client: Client, namespace: str, widgets: str, old: int, new: int
) -> None:
    api.post(widgets, widget("one", replicas=old))
    await set_replicas(client, WIDGETS, namespace, "one", old, new)
    assert replicas_of(api, f"{widgets}/one") == new


@pytest.mark.parametrize(("there", "believed"), [(2, 3), (0, 3), (2, 0)])
async def test_a_count_that_somebody_else_changed_is_a_conflict_and_stays(
    api: Api, client: Client, namespace: str, deployments: str, there: int, believed: int
) -> None:
    api.post(deployments, deployment("web", there))
    with pytest.raises(Conflict, match=rf"^deployments {namespace}/web does not have {believed} replicas any more"):
        await set_replicas(client, DEPLOYMENTS, namespace, "web", believed, 5)
    assert replicas_of(api, f"{deployments}/web") == there


async def test_a_count_below_zero_is_rejected_with_the_field(
    api: Api, client: Client, namespace: str, deployments: str
) -> None:
    api.post(deployments, deployment("web", 1))
    with pytest.raises(Rejected, match=r"spec\.replicas: Invalid value: -1"):
        await set_replicas(client, DEPLOYMENTS, namespace, "web", 1, -1)


async def test_a_target_that_is_not_there_is_not_found(client: Client, namespace: str) -> None:
    with pytest.raises(NotFound, match=r'deployments\.apps "none" not found'):
        await set_replicas(client, DEPLOYMENTS, namespace, "none", 1, 2)
    with pytest.raises(NotFound, match=r'deployments\.apps "none" not found'):
        await read_scale(client, DEPLOYMENTS, namespace, "none")


async def test_the_writer_of_the_count_is_on_record(real_api: Api) -> None:
    path = "/apis/apps/v1/namespaces/default/deployments"
    real_api.post(path, deployment("recorded", 1))
    async with connected(real_api.kubeconfig) as client:
        await set_replicas(client, DEPLOYMENTS, "default", "recorded", 1, 2)
    fields = real_api.get(f"{path}/recorded").body["metadata"]["managedFields"]
    writers = [(each["manager"], each.get("subresource")) for each in fields if "f:replicas" in str(each["fieldsV1"])]
    real_api.delete(f"{path}/recorded")
    assert ("compositescaler", "scale") in writers


@pytest.mark.parametrize("replicas", [0, 2])
async def test_a_scale_tells_count_and_selector(
    api: Api, client: Client, namespace: str, deployments: str, replicas: int
) -> None:
    created = api.post(deployments, deployment("web", replicas)).body["metadata"]
    target = await read_scale(client, DEPLOYMENTS, namespace, "web")
    assert (target.namespace, target.name, target.uid) == (namespace, "web", created["uid"])
    assert target.spec_replicas == replicas
    assert target.selector == Selector.parse("app=web")
    assert target.selector_fault == ""


async def test_a_scale_without_selector_says_why_there_is_none(
    api: Api, client: Client, namespace: str, widgets: str
) -> None:
    api.post(widgets, widget("one", replicas=2))
    target = await read_scale(client, WIDGETS, namespace, "one")
    assert (target.spec_replicas, target.selector) == (2, None)
    assert "empty" in target.selector_fault


async def test_a_scale_with_an_unreadable_selector_says_why(
    api: Api, client: Client, namespace: str, widgets: str
) -> None:
    api.post(widgets, widget("one", replicas=2))
    api.merge(f"{widgets}/one/status", {"status": {"replicas": 2, "selector": "app in web"}})
    target = await read_scale(client, WIDGETS, namespace, "one")
    assert (target.selector, target.status_replicas) == (None, 2)
    assert "'app in web' cannot be read" in target.selector_fault


async def test_a_custom_resource_without_a_count_is_refused_by_the_server_with_the_field(
    api: Api, client: Client, namespace: str, widgets: str
) -> None:
    api.post(widgets, widget("one"))
    with pytest.raises(ServerError, match=r'the spec replicas field "\.spec\.replicas" does not exist'):
        await read_scale(client, WIDGETS, namespace, "one")


async def test_watched_and_unwatched_targets_come_in_one_snapshot(
    api: Api, client: Client, namespace: str, deployments: str, widgets: str
) -> None:
    api.post(deployments, deployment("web", 2))
    api.post(widgets, widget("one", replicas=3))
    cache = TargetCache(client)
    keys = [
        (DEPLOYMENTS, namespace, "web"),
        (WIDGETS, namespace, "one"),
        (DEPLOYMENTS, namespace, "none"),
        (WIDGETS, namespace, "none"),
    ]
    try:
        await cache.ensure(DEPLOYMENTS)
        await cache.ensure(WIDGETS)
        found = await cache.snapshot(keys)
    finally:
        await cache.close()
    web, one, *missing = (found[key] for key in keys)
    assert not isinstance(web, Exception)
    assert (web.spec_replicas, web.selector, web.generation) == (2, Selector.parse("app=web"), 1)
    assert not isinstance(one, Exception)
    assert (one.spec_replicas, one.generation) == (3, None)
    assert [str(each) for each in missing] == [
        f'deployments.apps "none" not found in namespace {namespace}',
        'widgets.contract.example.com "none" not found',
    ]
    assert all(isinstance(each, NotFound) for each in missing)


async def test_a_watched_target_follows_what_others_write(
    api: Api, client: Client, namespace: str, deployments: str
) -> None:
    api.post(deployments, deployment("web", 1))
    cache = TargetCache(client)
    key = (DEPLOYMENTS, namespace, "web")

    async def until(expected: int | None) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                target = (await cache.snapshot([key]))[key]
                if expected == (None if isinstance(target, Exception) else target.spec_replicas):
                    return
                await asyncio.sleep(0.02)

    try:
        await cache.ensure(DEPLOYMENTS)
        await until(1)
        api.merge(f"{deployments}/web", {"spec": {"replicas": 4}})
        await until(4)
        api.delete(f"{deployments}/web")
        await until(None)
    finally:
        await cache.close()
