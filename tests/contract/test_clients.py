"""The client libraries that the operator is built on, against each server: kopf's watch and kubernetes.aio's calls."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import kopf
import pytest
from kubernetes import aio

from tests.contract.conftest import PATIENCE_SECONDS, Api, deployment, widget


@contextmanager
def running_operator(api: Api, namespace: str) -> Iterator[list[tuple[str | None, str]]]:
    """A kopf operator in a thread of its own, with one `on.event` handler; gives what it has seen."""
    registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.chunk_size = 2
    seen: list[tuple[str | None, str]] = []

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        token = api.headers.get("Authorization", "").removeprefix("Bearer ")
        return kopf.ConnectionInfo(server=api.url, ca_path=str(api.ca) if api.ca else None, token=token or None)

    @kopf.on.event("contract.example.com", "v1", "widgets", registry=registry)
    async def on_widget(event: Any, **_: Any) -> None:
        seen.append((event["type"], event["object"]["metadata"]["name"]))

    ready, stop = threading.Event(), threading.Event()
    operator = threading.Thread(
        target=lambda: asyncio.run(
            kopf.operator(
                registry=registry,
                settings=settings,
                namespaces=[namespace],
                standalone=True,
                ready_flag=ready,
                stop_flag=stop,
            )
        )
    )
    operator.start()
    try:
        assert ready.wait(PATIENCE_SECONDS)
        yield seen
    finally:
        stop.set()
        operator.join(PATIENCE_SECONDS)
        assert not operator.is_alive()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_kopf_lists_in_chunks_and_then_sees_every_change(api: Api, widgets: str, namespace: str) -> None:
    for name in ("a", "b", "c"):
        api.post(widgets, widget(name))
    with running_operator(api, namespace) as seen:
        until(lambda: len(seen) == 3)
        assert sorted(seen, key=lambda event: event[1]) == [(None, "a"), (None, "b"), (None, "c")]
        del seen[:]
        api.merge(f"{widgets}/a", {"spec": {"size": 2}})
        until(lambda: seen == [("MODIFIED", "a")])
        api.post(widgets, widget("d"))
        until(lambda: ("ADDED", "d") in seen)
        api.delete(f"{widgets}/b")
        until(lambda: ("DELETED", "b") in seen)


@pytest.fixture
async def configuration(api: Api) -> aio.client.Configuration:
    """kubernetes.aio's configuration from the server's kubeconfig."""
    configuration = aio.client.Configuration()
    await aio.config.load_kube_config(config_file=str(api.kubeconfig), client_configuration=configuration)
    return configuration


async def test_kubernetes_aio_scales_by_json_patch(
    api: Api, configuration: aio.client.Configuration, deployments: str, namespace: str
) -> None:
    api.post(deployments, deployment("web"))
    async with aio.client.ApiClient(configuration) as client:
        target = ("apps", "v1", namespace, "deployments", "web")
        objects = aio.client.CustomObjectsApi(client)
        patch = [{"op": "add", "path": "/spec/replicas", "value": 2}]
        await objects.patch_namespaced_custom_object_scale(*target, patch, _content_type="application/json-patch+json")
        scale = await objects.get_namespaced_custom_object_scale(*target)
    assert scale["spec"] == {"replicas": 2}


async def test_kubernetes_aio_reads_typed_objects(
    api: Api, configuration: aio.client.Configuration, deployments: str, namespace: str
) -> None:
    api.post(deployments, deployment("web", replicas=1))
    api.eventually(f"{deployments}/web", lambda answer: answer.body.get("status", {}).get("readyReplicas") == 1)
    async with aio.client.ApiClient(configuration) as client:
        (pod,) = (await aio.client.CoreV1Api(client).list_namespaced_pod(namespace)).items
        read = await aio.client.AppsV1Api(client).read_namespaced_deployment("web", namespace)
    assert (pod.status.phase, pod.spec.containers[0].name) == ("Running", "app")
    assert (read.spec.replicas, read.status.ready_replicas) == (1, 1)


async def test_kubernetes_aio_tells_a_conflict_of_leases(
    api: Api, configuration: aio.client.Configuration, namespace: str
) -> None:
    body = {"metadata": {"name": "leader"}, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15}}
    async with aio.client.ApiClient(configuration) as client:
        leases = aio.client.CoordinationV1Api(client)
        lease = await leases.create_namespaced_lease(namespace, body)
        lease.spec.holder_identity = "b"
        await leases.replace_namespaced_lease("leader", namespace, lease)
        lease.spec.holder_identity = "c"
        with pytest.raises(aio.client.ApiException) as refused:
            await leases.replace_namespaced_lease("leader", namespace, lease)
    assert (refused.value.status, refused.value.reason) == (409, "Conflict")
