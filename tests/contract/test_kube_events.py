"""Events as people see them: by kubectl, repeated ones counted."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from controller.api.reasons import Reason
from controller.kube import EventRecorder, Regarding
from tests.contract.conftest import Api, deployment
from tests.contract.kube import connected


@asynccontextmanager
async def recording(api: Api) -> AsyncIterator[EventRecorder]:
    async with connected(api.kubeconfig) as client:
        recorder = EventRecorder(client, instance="host-1")
        task = asyncio.create_task(recorder.run())
        try:
            yield recorder
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def made(api: Api, namespace: str, deployments: str) -> Regarding:
    uid = api.post(deployments, deployment("web")).body["metadata"]["uid"]
    return Regarding("Deployment", namespace, "web", uid, "apps/v1")


def events_of(api: Api, namespace: str) -> list[dict[str, Any]]:
    found = api.get(f"/api/v1/namespaces/{namespace}/events").body["items"]
    return [each for each in found if each["reportingComponent"] == "compositescaler"]


async def test_repeated_events_are_one_line_with_a_count_in_kubectl_describe(
    api: Api, namespace: str, deployments: str
) -> None:
    web = made(api, namespace, deployments)
    async with recording(api) as recorder:
        for _ in range(3):
            recorder.emit(web, "Normal", Reason.SUCCESSFUL_RESCALE, "New size: 7; reason: magnitude 1.42 (cpu 100 %)")
        recorder.emit(web, "Warning", Reason.FAILED_RESCALE, "deployments web is forbidden")
        assert await recorder.flush(10)
    described = api.kubectl("describe", "deployment", "web", "--namespace", namespace).stdout
    rows = sorted(" ".join(row.split()) for row in described.splitlines() if "compositescaler" in row)
    assert len(rows) == 2, described
    assert rows[0].startswith("Normal SuccessfulRescale")
    assert "(x3 over" in rows[0]
    assert rows[0].endswith("compositescaler New size: 7; reason: magnitude 1.42 (cpu 100 %)")
    assert rows[1].startswith("Warning FailedRescale")
    assert recorder.dropped == 0


async def test_an_event_names_its_object_and_who_told_it(api: Api, namespace: str, deployments: str) -> None:
    web = made(api, namespace, deployments)
    async with recording(api) as recorder:
        recorder.emit(web, "Normal", Reason.SUCCESSFUL_RESCALE, "New size: 7")
        assert await recorder.flush(10)
    (event,) = events_of(api, namespace)
    assert (event["type"], event["reason"], event["message"]) == ("Normal", "SuccessfulRescale", "New size: 7")
    assert {key: event["involvedObject"][key] for key in ("kind", "namespace", "name", "uid", "apiVersion")} == {
        "kind": "Deployment",
        "namespace": namespace,
        "name": "web",
        "uid": web.uid,
        "apiVersion": "apps/v1",
    }
    assert event["source"] == {"component": "compositescaler", "host": "host-1"}
    assert event["count"] == 1
    assert event["firstTimestamp"] == event["lastTimestamp"]


async def test_an_event_that_was_deleted_is_written_anew(api: Api, namespace: str, deployments: str) -> None:
    web = made(api, namespace, deployments)
    async with recording(api) as recorder:
        recorder.emit(web, "Normal", Reason.SUCCESSFUL_RESCALE, "New size: 7")
        assert await recorder.flush(10)
        (event,) = events_of(api, namespace)
        api.delete(f"/api/v1/namespaces/{namespace}/events/{event['metadata']['name']}")
        recorder.emit(web, "Normal", Reason.SUCCESSFUL_RESCALE, "New size: 7")
        assert await recorder.flush(10)
    (again,) = events_of(api, namespace)
    assert again["metadata"]["name"] != event["metadata"]["name"]
    assert recorder.dropped == 0


async def test_the_longest_name_still_makes_an_event(api: Api, namespace: str) -> None:
    async with recording(api) as recorder:
        recorder.emit(
            Regarding("Deployment", namespace, "x" * 253, "u", "apps/v1"), "Normal", Reason.NO_PODS, "é" * 2000
        )
        assert await recorder.flush(10)
    (event,) = events_of(api, namespace)
    assert event["message"] == "é" * 1024


async def test_an_event_in_a_namespace_that_has_gone_is_dropped_and_counted(api: Api, namespace: str) -> None:
    async with recording(api) as recorder:
        recorder.emit(Regarding("Deployment", "nowhere-at-all", "web", "u", "apps/v1"), "Normal", Reason.NO_PODS, "x")
        recorder.emit(Regarding("Deployment", namespace, "web", "u", "apps/v1"), "Normal", Reason.NO_PODS, "x")
        assert await recorder.flush(10)
    assert recorder.dropped == 1
    assert len(events_of(api, namespace)) == 1


async def test_an_event_of_a_cluster_wide_object_goes_to_the_default_namespace(api: Api) -> None:
    async with recording(api) as recorder:
        recorder.emit(Regarding("Node", "", "node-0", "u", "v1"), "Warning", Reason.NO_PODS, "cluster-wide")
        assert await recorder.flush(10)
    assert recorder.dropped == 0
    messages = [json.dumps(each["involvedObject"]) for each in events_of(api, "default")]
    assert any("node-0" in each for each in messages)
