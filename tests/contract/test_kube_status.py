"""CompositeScalers on each API server: waiting for their CRD, and writing their status."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from controller.api.errors import NotFound, Rejected
from controller.kube import Client, crd_present, patch_status, wait_for_crd
from tests.contract.conftest import Api
from tests.contract.kube import connected

CRD = yaml.safe_load((Path(__file__).parents[2] / "crds" / "compositescalers.yaml").read_text(encoding="utf-8"))
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SCALER = {
    "apiVersion": "compositescaler.io/v1alpha1",
    "kind": "CompositeScaler",
    "metadata": {"name": "web"},
    "spec": {
        "scaleTargetRef": {"kind": "Deployment", "name": "web"},
        "maxReplicas": 20,
        "dimensions": [{"metric": "cpu", "target": "70%"}],
    },
}


@pytest_asyncio.fixture
async def client(api: Api) -> AsyncIterator[Client]:
    async with connected(api.kubeconfig) as client:
        yield client


def remove_crd(api: Api) -> None:
    path = f"{DEFINITIONS}/{CRD['metadata']['name']}"
    api.delete(path)
    api.eventually(path, lambda answer: answer.status == 404)
    api.eventually("/apis/compositescaler.io/v1alpha1", lambda answer: answer.status == 404)


@pytest.fixture
def scalers(api: Api, namespace: str) -> str:
    """The path of the test's own CompositeScalers."""
    api.post(DEFINITIONS, CRD)
    path = f"/apis/compositescaler.io/v1alpha1/namespaces/{namespace}/compositescalers"
    api.eventually(path, lambda answer: answer.status == 200)
    return path


async def test_a_crd_that_comes_later_is_waited_for_with_one_line(
    api: Api, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    remove_crd(api)
    assert not await crd_present(client)
    caplog.set_level(logging.INFO)
    waiting = asyncio.create_task(wait_for_crd(client, logging.getLogger("it"), poll=0.05))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    api.post(DEFINITIONS, CRD)
    await asyncio.wait_for(waiting, 30)
    assert await crd_present(client)
    said = [record.message for record in caplog.records if record.name == "it"]
    assert said == [
        f"waiting: the API server at {api.url} has no CompositeScalers yet: kubectl apply -f crds/",
        "CompositeScalers are served: starting",
    ]


async def test_a_crd_that_is_there_is_not_waited_for(
    scalers: str, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "it")
    await wait_for_crd(client, logging.getLogger("it"))
    assert [record for record in caplog.records if record.name == "it"] == []


async def test_a_status_is_merged_and_the_spec_stays(api: Api, client: Client, scalers: str, namespace: str) -> None:
    created = api.post(scalers, SCALER)
    assert created.status == 201, created
    await patch_status(client, namespace, "web", {"desiredReplicas": 3, "currentReplicas": 2})
    await patch_status(client, namespace, "web", {"desiredReplicas": 4})
    found = api.get(f"{scalers}/web").body
    assert (found["status"]["desiredReplicas"], found["status"]["currentReplicas"]) == (4, 2)
    assert found["spec"] == created.body["spec"]
    assert found["metadata"]["generation"] == created.body["metadata"]["generation"]


async def test_a_status_of_a_scaler_that_has_gone_is_not_found(client: Client, scalers: str, namespace: str) -> None:
    with pytest.raises(NotFound, match='"none" not found'):
        await patch_status(client, namespace, "none", {"desiredReplicas": 3})


async def test_a_status_that_the_schema_refuses_is_rejected_with_the_field(
    api: Api, client: Client, scalers: str, namespace: str
) -> None:
    api.post(scalers, SCALER)
    with pytest.raises(Rejected, match=r"status\.desiredReplicas"):
        await patch_status(client, namespace, "web", {"desiredReplicas": "many"})
