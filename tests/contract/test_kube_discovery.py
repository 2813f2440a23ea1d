"""Which kinds each API server has, and how a kind that comes later is found."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from controller.api.errors import NotFound
from controller.kube import Client, Discovery, Resource
from tests.contract.conftest import Api
from tests.contract.kube import connected


@pytest_asyncio.fixture
async def client(api: Api) -> AsyncIterator[Client]:
    async with connected(api.kubeconfig) as client:
        yield client


async def test_a_deployment_is_a_scalable_resource(client: Client) -> None:
    found = await Discovery(client).resolve("apps/v1", "Deployment")
    assert found == Resource("apps", "v1", "deployments", "Deployment", namespaced=True, scalable=True)
    assert found.path("shop", "web", "scale") == "/apis/apps/v1/namespaces/shop/deployments/web/scale"


async def test_kinds_of_the_core_group_are_found(client: Client) -> None:
    discovery = Discovery(client)
    config = await discovery.resolve("v1", "ConfigMap")
    assert (config.scalable, config.path("shop", "x")) == (False, "/api/v1/namespaces/shop/configmaps/x")
    namespace = await discovery.resolve("v1", "Namespace")
    assert (namespace.namespaced, namespace.path("shop", "x")) == (False, "/api/v1/namespaces/x")


async def test_a_custom_resource_with_scale_is_scalable(client: Client) -> None:
    found = await Discovery(client).resolve("contract.example.com/v1", "Widget")
    assert found == Resource("contract.example.com", "v1", "widgets", "Widget", namespaced=True, scalable=True)


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("apps/v1", "Deploymnet"),
        ("apps/v1", "deployments"),
        ("apps/v1", "Scale"),
        ("apps/v2", "Deployment"),
        ("nowhere.example.com/v1", "Foo"),
        ("v1", "Deployment"),
        ("a/b/c", "Foo"),
        ("../v1", "Foo"),
        ("", ""),
    ],
)
async def test_a_kind_that_is_not_there_is_not_found_with_the_remedy(
    client: Client, api_version: str, kind: str
) -> None:
    with pytest.raises(NotFound) as caught:
        await Discovery(client).resolve(api_version, kind)
    assert str(caught.value) == (
        f"no kind {kind} in {api_version}; write apiVersion and kind as `kubectl api-resources` prints them"
    )
