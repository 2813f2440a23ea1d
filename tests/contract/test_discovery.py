"""What a client can find out about a server before it asks for objects."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from controller.embedded import EmbeddedApiServer
from tests.contract.conftest import Api


@pytest.fixture(params=["embedded", "real"])
def guarded_api(request: pytest.FixtureRequest) -> Iterator[Api]:
    """Each API server in turn, where it wants to see a token."""
    if request.param == "real":
        yield request.getfixturevalue("real_api")
        return
    embedded: Api = request.getfixturevalue("embedded_api")
    with EmbeddedApiServer.in_thread(tokens={"sesame": "admin"}) as server:
        yield replace(embedded, url=server.url, headers={"Authorization": "Bearer sesame"})


def resource_named(answer: Any, name: str) -> Any:
    return next(resource for resource in answer["resources"] if resource["name"] == name)


def test_the_version_is_one_that_clients_can_parse(api: Api) -> None:
    version = api.get("/version").body
    assert version["gitVersion"].startswith(f"v{version['major']}.{version['minor']}.")


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health_is_told(api: Api, path: str) -> None:
    assert api.get(path).status == 200


def test_the_core_group_has_version_v1(api: Api) -> None:
    answer = api.get("/api").body
    assert (answer["kind"], answer["versions"]) == ("APIVersions", ["v1"])


def test_the_groups_name_their_preferred_version(api: Api) -> None:
    groups = {group["name"]: group for group in api.get("/apis").body["groups"]}
    assert groups["apps"]["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    assert {"coordination.k8s.io", "events.k8s.io", "apiextensions.k8s.io", "rbac.authorization.k8s.io"} <= set(groups)


def test_one_group_can_be_asked_for(api: Api) -> None:
    group = api.get("/apis/apps").body
    assert (group["kind"], group["name"]) == ("APIGroup", "apps")


@pytest.mark.parametrize("name", ["deployments", "replicasets", "statefulsets"])
def test_workloads_are_described_with_scale_and_status(api: Api, name: str) -> None:
    answer = api.get("/apis/apps/v1").body
    main, scale = resource_named(answer, name), resource_named(answer, f"{name}/scale")
    assert main["namespaced"]
    assert {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"} == set(main["verbs"])
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
    assert set(resource_named(answer, f"{name}/status")["verbs"]) == {"get", "patch", "update"}


@pytest.mark.parametrize(
    ("name", "kind", "short", "namespaced"),
    [
        ("pods", "Pod", "po", True),
        ("nodes", "Node", "no", False),
        ("namespaces", "Namespace", "ns", False),
        ("configmaps", "ConfigMap", "cm", True),
        ("serviceaccounts", "ServiceAccount", "sa", True),
        ("events", "Event", "ev", True),
    ],
)
def test_core_kinds_have_their_short_names(api: Api, name: str, kind: str, short: str, namespaced: bool) -> None:
    resource = resource_named(api.get("/api/v1").body, name)
    assert (resource["kind"], resource["namespaced"]) == (kind, namespaced)
    assert short in resource["shortNames"]
    assert resource["singularName"] == kind.lower()


def test_a_crd_is_served_once_it_is_established(api: Api) -> None:
    resources = api.get("/apis/contract.example.com/v1").body
    main, scale = resource_named(resources, "widgets"), resource_named(resources, "widgets/scale")
    assert (main["kind"], main["singularName"], main["shortNames"]) == ("Widget", "widget", ["wdg"])
    assert main["categories"] == ["contract"]
    assert (scale["group"], scale["kind"]) == ("autoscaling", "Scale")
    assert resource_named(resources, "widgets/status")["kind"] == "Widget"


def test_a_crd_says_that_its_names_are_accepted_and_that_it_is_established(api: Api) -> None:
    crd = api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.contract.example.com").body
    conditions = {condition["type"]: condition["status"] for condition in crd["status"]["conditions"]}
    assert conditions["NamesAccepted"] == conditions["Established"] == "True"
    assert crd["status"]["storedVersions"] == ["v1"]
    assert crd["status"]["acceptedNames"]["singular"] == "widget"
    assert crd["spec"]["names"]["listKind"] == "WidgetList"


@pytest.mark.parametrize(
    "path",
    [
        "/apis/none.example.com/v1",
        "/apis/none.example.com/v1/things",
        "/api/v1/things",
        "/apis/apps/v1/things",
        "/none",
    ],
)
def test_what_is_not_served_is_404(api: Api, path: str) -> None:
    assert api.get(path).status == 404


def test_a_missing_resource_of_a_known_group_is_named_so(api: Api) -> None:
    answer = api.get("/apis/contract.example.com/v1/things")
    assert answer.status == 404


def test_openapi_v3_says_which_kinds_validate_fields(api: Api) -> None:
    paths = api.get("/openapi/v3").body["paths"]
    document = api.get(paths["apis/contract.example.com/v1"]["serverRelativeURL"]).body
    path = document["paths"]["/apis/contract.example.com/v1/namespaces/{namespace}/widgets/{name}"]
    assert "fieldValidation" in {parameter["name"] for parameter in path["patch"]["parameters"]}
    schemas = document["components"]["schemas"]
    assert schemas["com.example.contract.v1.Widget"]["properties"]["spec"]["properties"]["size"]["maximum"] == 10


def test_a_request_with_an_unknown_token_is_unauthorized(guarded_api: Api) -> None:
    stranger = replace(guarded_api, headers={"Authorization": "Bearer nobody"})
    answer = stranger.get("/api/v1/namespaces/default/pods")
    assert (answer.status, answer.body["reason"], answer.body["message"]) == (401, "Unauthorized", "Unauthorized")
    assert guarded_api.get("/api/v1/namespaces/default/pods").status == 200


def test_a_resource_that_a_crd_defined_vanishes_with_it(api: Api) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    versions = [
        {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}},
        {"name": "v1beta1", "served": True, "storage": False, "schema": {"openAPIV3Schema": {"type": "object"}}},
    ]
    spec = {
        "group": "brief.example.com",
        "scope": "Cluster",
        "names": {"plural": "moments", "kind": "Moment"},
        "versions": versions,
    }
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
    assert api.post(path, {**crd, "metadata": {"name": "moments.brief.example.com"}}).status == 201
    api.eventually("/apis/brief.example.com/v1/moments", lambda answer: answer.status == 200)
    moment = {"apiVersion": "brief.example.com/v1", "kind": "Moment", "metadata": {"name": "now"}}
    assert api.post("/apis/brief.example.com/v1/moments", moment).status == 201
    other = api.get("/apis/brief.example.com/v1beta1/moments/now").body
    assert (other["apiVersion"], other["kind"]) == ("brief.example.com/v1beta1", "Moment")
    assert api.delete(f"{path}/moments.brief.example.com").status == 200
    api.eventually("/apis/brief.example.com/v1/moments", lambda answer: answer.status == 404)


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"metadata": {"name": "others.wrong.example.com"}}, "metadata.name"),
        ({"versions": [{"name": "v1", "served": True, "storage": True}]}, "spec.versions[0].schema.openAPIV3Schema"),
    ],
)
def test_a_crd_that_contradicts_itself_is_refused(api: Api, broken: Any, field: str) -> None:
    schema = {"openAPIV3Schema": {"type": "object"}}
    spec = {
        "group": "wrong.example.com",
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing", "singular": "thing", "listKind": "ThingList"},
        "versions": broken.get("versions", [{"name": "v1", "served": True, "storage": True, "schema": schema}]),
    }
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": broken.get("metadata", {"name": "things.wrong.example.com"}),
        "spec": spec,
    }
    answer = api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert field in {cause["field"] for cause in answer.body["details"]["causes"]}
