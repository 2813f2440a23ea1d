"""The patch formats, and what each does when it does not fit."""

from typing import Any

import pytest

from tests.contract.conftest import Api, configmap, deployment, widget


@pytest.fixture
def one(api: Api, configmaps: str) -> str:
    """The path of a ConfigMap with two values and a label."""
    assert api.post(configmaps, configmap("one", labels={"a": "b"}, x="1", y="2")).status == 201
    return f"{configmaps}/one"


@pytest.fixture
def web(api: Api, deployments: str) -> str:
    """The path of a Deployment without pods."""
    assert api.post(deployments, deployment("web")).status == 201
    return f"{deployments}/web"


def containers_of(answer: Any) -> list[Any]:
    found: list[Any] = answer.body["spec"]["template"]["spec"]["containers"]
    return found


def test_a_merge_patch_merges_and_a_null_removes(api: Api, one: str) -> None:
    answer = api.merge(one, {"data": {"x": None, "z": "3"}})
    assert (answer.status, answer.body["data"]) == (200, {"y": "2", "z": "3"})


def test_a_merge_patch_replaces_lists(api: Api, widgets: str) -> None:
    api.post(widgets, widget("one", parts=[{"id": "a"}, {"id": "b"}]))
    answer = api.merge(f"{widgets}/one", {"spec": {"parts": [{"id": "c"}]}})
    assert answer.body["spec"]["parts"] == [{"id": "c", "weight": 1}]


def test_a_merge_patch_with_a_stale_version_is_409(api: Api, one: str) -> None:
    stale = api.get(one).version
    api.merge(one, {"data": {"x": "2"}})
    answer = api.merge(one, {"metadata": {"resourceVersion": stale}, "data": {"x": "3"}})
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert answer.body["message"].startswith('Operation cannot be fulfilled on configmaps "one": the object has been')


def test_a_merge_patch_with_the_present_version_is_applied(api: Api, one: str) -> None:
    version = api.get(one).version
    assert api.merge(one, {"metadata": {"resourceVersion": version}, "data": {"x": "3"}}).status == 200


def test_a_json_patch_tests_and_replaces(api: Api, one: str) -> None:
    answer = api.json_patch(
        one,
        {"op": "test", "path": "/data/x", "value": "1"},
        {"op": "replace", "path": "/data/x", "value": "5"},
        {"op": "add", "path": "/metadata/labels/c", "value": "d"},
        {"op": "remove", "path": "/data/y"},
    )
    assert (answer.status, answer.body["data"]) == (200, {"x": "5"})
    assert answer.body["metadata"]["labels"] == {"a": "b", "c": "d"}


def test_a_failed_test_of_a_json_patch_is_422_invalid_and_changes_nothing(api: Api, one: str) -> None:
    before = api.get(one).version
    answer = api.json_patch(
        one,
        {"op": "replace", "path": "/data/y", "value": "9"},
        {"op": "test", "path": "/data/x", "value": "no"},
    )
    assert (answer.status, answer.body["reason"], answer.body["code"]) == (422, "Invalid", 422)
    assert answer.body["message"] == "the server rejected our request due to an error in our request"
    assert answer.body["details"] == {}
    assert api.get(one).version == before


def test_a_json_patch_of_a_path_that_is_not_there_is_422(api: Api, one: str) -> None:
    answer = api.json_patch(one, {"op": "replace", "path": "/nothing/here", "value": "1"})
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")


@pytest.mark.parametrize("content_type", ["application/json-patch+json", "application/merge-patch+json"])
def test_a_patch_that_is_no_json_is_400(api: Api, one: str, content_type: str) -> None:
    answer = api.ask("PATCH", one, "{nonsense", content_type)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")


def test_a_json_patch_that_is_no_list_is_400(api: Api, one: str) -> None:
    assert api.ask("PATCH", one, {"a": 1}, "application/json-patch+json").status == 400


def test_an_unknown_patch_format_is_415(api: Api, one: str) -> None:
    answer = api.ask("PATCH", one, {"a": 1}, "application/json")
    assert (answer.status, answer.body["reason"]) == (415, "UnsupportedMediaType")


def test_custom_resources_know_no_strategic_merge(api: Api, widgets: str) -> None:
    api.post(widgets, widget("one"))
    answer = api.strategic(f"{widgets}/one", {"spec": {"size": 2}})
    assert (answer.status, answer.body["reason"]) == (415, "UnsupportedMediaType")


def test_a_patched_custom_resource_is_validated(api: Api, widgets: str) -> None:
    api.post(widgets, widget("one"))
    answer = api.merge(f"{widgets}/one", {"spec": {"size": 99}})
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["causes"][0]["field"] == "spec.size"


def test_a_strategic_patch_merges_containers_by_name(api: Api, web: str) -> None:
    patch = {"name": "app", "env": [{"name": "A", "value": "1"}]}
    api.strategic(web, {"spec": {"template": {"spec": {"containers": [patch]}}}})
    patch = {"name": "app", "image": "app:2", "env": [{"name": "B", "value": "2"}]}
    answer = api.strategic(web, {"spec": {"template": {"spec": {"containers": [patch, {"name": "b", "image": "b"}]}}}})
    containers = {container["name"]: container for container in containers_of(answer)}
    assert set(containers) == {"app", "b"}
    assert (containers["app"]["image"], containers["app"]["resources"]) == ("app:2", {"requests": {"cpu": "100m"}})
    assert {each["name"]: each["value"] for each in containers["app"]["env"]} == {"A": "1", "B": "2"}


def test_a_strategic_patch_merges_ports_by_their_number(api: Api, web: str) -> None:
    for ports in ([{"containerPort": 80}], [{"containerPort": 80, "name": "http"}, {"containerPort": 90}]):
        patch = {"name": "app", "ports": ports}
        answer = api.strategic(web, {"spec": {"template": {"spec": {"containers": [patch]}}}})
    found = {port["containerPort"]: port.get("name") for port in containers_of(answer)[0]["ports"]}
    assert found == {80: "http", 90: None}


def test_a_strategic_patch_deletes_an_item_on_demand(api: Api, web: str) -> None:
    spec = {"containers": [{"name": "b", "image": "b"}]}
    api.strategic(web, {"spec": {"template": {"spec": spec}}})
    gone = {"containers": [{"name": "b", "$patch": "delete"}]}
    answer = api.strategic(web, {"spec": {"template": {"spec": gone}}})
    assert [container["name"] for container in containers_of(answer)] == ["app"]


def test_a_strategic_patch_sets_the_order_of_a_list(api: Api, web: str) -> None:
    spec = {
        "$setElementOrder/containers": [{"name": "b"}, {"name": "app"}],
        "containers": [{"name": "b", "image": "b"}],
    }
    answer = api.strategic(web, {"spec": {"template": {"spec": spec}}})
    assert [container["name"] for container in containers_of(answer)] == ["b", "app"]


def test_a_strategic_patch_retains_only_the_named_keys(api: Api, web: str) -> None:
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert api.strategic(web, patch).body["spec"]["strategy"] == {"type": "Recreate"}


def test_a_strategic_patch_adds_finalizers(api: Api, configmaps: str) -> None:
    api.post(configmaps, configmap("guarded"))
    for finalizer in ("example.com/a", "example.com/b"):
        answer = api.strategic(f"{configmaps}/guarded", {"metadata": {"finalizers": [finalizer]}})
    assert set(answer.body["metadata"]["finalizers"]) == {"example.com/a", "example.com/b"}
    api.strategic(
        f"{configmaps}/guarded",
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a", "example.com/b"]}},
    )
    assert "finalizers" not in api.get(f"{configmaps}/guarded").body["metadata"]


def test_a_selector_cannot_be_changed(api: Api, web: str) -> None:
    patch = {"spec": {"selector": {"matchLabels": {"app": "x"}}}}
    answer = api.merge(web, {"spec": {**patch["spec"], "template": {"metadata": {"labels": {"app": "x"}}}}})
    assert answer.status == 422
    assert "field is immutable" in answer.body["message"]
