"""Pods kept current by list and watch, on each API server: in calm weather, through a broken cable, after a 410."""

import asyncio
from pathlib import Path

import requests

from controller.embedded import EmbeddedApiServer
from controller.kube import PodCache, Selector
from tests.contract.conftest import Api, deployment
from tests.contract.kube import cable, connected, eventually, keys_of, pods_of
from tests.realparts.controlplane import ControlPlane


def make_pods(api: Api, namespace: str, *names: str) -> None:
    for name in names:
        container = {"name": "app", "image": "app", "resources": {"requests": {"cpu": "250m", "memory": "64Mi"}}}
        answer = api.post(
            f"/api/v1/namespaces/{namespace}/pods",
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "labels": {"app": "web"}},
                "spec": {"containers": [container]},
            },
        )
        assert answer.status == 201, answer


def delete_pods(api: Api, namespace: str, *names: str) -> None:
    for name in names:
        api.delete(f"/api/v1/namespaces/{namespace}/pods/{name}", {"gracePeriodSeconds": 0})


async def test_a_reflector_lists_what_is_there_in_pages(api: Api, namespace: str) -> None:
    names = [f"pod-{number}" for number in range(7)]
    make_pods(api, namespace, *names)
    async with connected(api.kubeconfig) as client, pods_of(client, namespace, page=3) as (reflector, cache):
        assert cache.keys() == keys_of(namespace, *names)
        assert reflector.relists == 0


async def test_a_reflector_sees_what_comes_and_goes(api: Api, namespace: str) -> None:
    make_pods(api, namespace, "a", "b")
    async with connected(api.kubeconfig) as client, pods_of(client, namespace) as (_, cache):
        make_pods(api, namespace, "c")
        delete_pods(api, namespace, "a")
        await eventually(lambda: cache.keys() == keys_of(namespace, "b", "c"))


async def test_the_pods_of_a_deployment_become_ready_with_their_requests(api: Api, namespace: str) -> None:
    api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", deployment("web", 3))

    def all_ready(cache: PodCache) -> bool:
        return sum(pod.ready for pod in cache.group(namespace, Selector.parse("app=web")).pods) == 3

    async with connected(api.kubeconfig) as client, pods_of(client, namespace) as (_, cache):
        await eventually(lambda: all_ready(cache))
        for pod in cache.group(namespace, Selector.parse("app=web")).pods:
            assert pod.cpu_request == 0.1
            assert pod.memory_request is None
            assert pod.phase == "Running"
            assert pod.owner is not None
            assert pod.owner.kind == "ReplicaSet"
            assert pod.template_hash is not None
            assert pod.owner.name == f"web-{pod.template_hash}"
            assert pod.start_time is not None
            assert pod.ready_since is not None
            assert pod.ready_since >= pod.start_time


async def test_nothing_is_lost_while_the_connection_is_away(api: Api, namespace: str, tmp_path: Path) -> None:
    make_pods(api, namespace, "a", "b")
    async with (
        cable(api.kubeconfig, tmp_path) as (line, kubeconfig),
        connected(kubeconfig) as client,
        pods_of(client, namespace) as (reflector, cache),
    ):
        line.cut()
        delete_pods(api, namespace, "a")
        make_pods(api, namespace, "c")
        assert cache.keys() == keys_of(namespace, "a", "b")
        line.mend()
        await eventually(lambda: cache.keys() == keys_of(namespace, "b", "c"))
        assert reflector.relists == 0


async def test_no_ghost_stays_of_what_was_deleted_while_the_real_server_restarted(
    real_api: Api, control_plane: ControlPlane, tmp_path: Path
) -> None:
    """After its start the real server knows nothing older, and answers 410."""
    namespace = "no-ghosts"
    real_api.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    make_pods(real_api, namespace, "a", "b", "c")
    async with (
        cable(real_api.kubeconfig, tmp_path) as (line, kubeconfig),
        connected(kubeconfig) as client,
        pods_of(client, namespace) as (reflector, cache),
    ):
        line.cut()
        delete_pods(real_api, namespace, "a", "b")
        await asyncio.to_thread(control_plane.restart_apiserver)
        line.mend()
        await eventually(lambda: cache.keys() == keys_of(namespace, "c"))
        assert reflector.relists == 1


async def test_no_ghost_stays_of_what_was_deleted_before_the_embedded_server_forgot(tmp_path: Path) -> None:
    with EmbeddedApiServer.in_thread() as server, requests.Session() as session:
        pods = f"{server.url}/api/v1/namespaces/default/pods"
        for name in "abc":
            body = {"metadata": {"name": name}, "spec": {"containers": [{"name": "app", "image": "app"}]}}
            session.post(pods, json=body).raise_for_status()
        async with (
            cable(server.kubeconfig(tmp_path / "kubeconfig"), tmp_path) as (line, kubeconfig),
            connected(kubeconfig) as client,
            pods_of(client, "default") as (reflector, cache),
        ):
            line.cut()
            session.delete(f"{pods}/a", json={"gracePeriodSeconds": 0}).raise_for_status()
            server.faults.compact()
            line.mend()
            await eventually(lambda: cache.keys() == keys_of("default", "b", "c"))
            assert reflector.relists == 1
