"""`/scale` and `/status`: the two doors through which an operator writes."""

from typing import Any

import pytest

from tests.contract.conftest import Api, deployment, widget


@pytest.fixture
def web(api: Api, deployments: str) -> str:
    """The path of a Deployment that wants one pod."""
    assert api.post(deployments, deployment("web", replicas=1)).status == 201
    return f"{deployments}/web"


@pytest.fixture
def one(api: Api, widgets: str) -> str:
    """The path of a Widget that wants two replicas."""
    assert api.post(widgets, widget("one", replicas=2)).status == 201
    return f"{widgets}/one"


def test_the_scale_of_a_deployment_tells_wanted_present_and_selector(api: Api, web: str, namespace: str) -> None:
    parent = api.eventually(web, lambda answer: answer.body.get("status", {}).get("readyReplicas") == 1).body[
        "metadata"
    ]
    scale = api.get(f"{web}/scale").body
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (scale["spec"], scale["status"]) == ({"replicas": 1}, {"replicas": 1, "selector": "app=web"})
    metadata = scale["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("web", namespace)
    assert (metadata["uid"], metadata["creationTimestamp"]) == (parent["uid"], parent["creationTimestamp"])


def test_a_selector_with_expressions_is_written_as_text(api: Api, deployments: str) -> None:
    web = deployment("web")
    web["spec"]["selector"]["matchExpressions"] = [
        {"key": "tier", "operator": "In", "values": ["b", "a"]},
        {"key": "old", "operator": "DoesNotExist"},
        {"key": "app", "operator": "Exists"},
        {"key": "tier", "operator": "NotIn", "values": ["z"]},
    ]
    web["spec"]["template"]["metadata"]["labels"] = {"app": "web", "tier": "a"}
    assert api.post(deployments, web).status == 201
    selector = api.get(f"{deployments}/web/scale").body["status"]["selector"]
    assert selector == "app=web,app,!old,tier in (a,b),tier notin (z)"


def test_a_scale_that_is_replaced_scales_its_deployment(api: Api, web: str) -> None:
    scale = api.get(f"{web}/scale").body
    scale["metadata"].pop("resourceVersion")
    answer = api.put(f"{web}/scale", {**scale, "spec": {"replicas": 3}})
    assert (answer.status, answer.body["spec"]) == (200, {"replicas": 3})
    parent = api.get(web).body
    assert (parent["spec"]["replicas"], parent["metadata"]["generation"]) == (3, 2)


def test_a_stale_scale_is_409(api: Api, web: str) -> None:
    scale = api.get(f"{web}/scale").body
    api.merge(web, {"metadata": {"labels": {"changed": "yes"}}})
    answer = api.put(f"{web}/scale", {**scale, "spec": {"replicas": 3}})
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert "the object has been modified" in answer.body["message"]


def test_a_json_patch_scales_when_its_test_holds(api: Api, web: str) -> None:
    def step(old: int, new: int) -> int:
        test = {"op": "test", "path": "/spec/replicas", "value": old}
        return api.json_patch(f"{web}/scale", test, {"op": "replace", "path": "/spec/replicas", "value": new}).status

    assert (step(1, 2), step(1, 3)) == (200, 422)
    assert api.get(web).body["spec"]["replicas"] == 2


def test_a_json_patch_can_insist_on_the_uid(api: Api, web: str) -> None:
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 2}]
    wrong = {"op": "test", "path": "/metadata/uid", "value": "another"}
    assert api.json_patch(f"{web}/scale", wrong, *operations).status == 422
    right = {"op": "test", "path": "/metadata/uid", "value": api.get(web).body["metadata"]["uid"]}
    assert api.json_patch(f"{web}/scale", right, *operations).status == 200


def test_a_scale_to_zero_is_left_out_of_the_scale(api: Api, web: str) -> None:
    answer = api.merge(f"{web}/scale", {"spec": {"replicas": 0}})
    assert (answer.status, answer.body["spec"]) == (200, {})
    test = {"op": "test", "path": "/spec/replicas", "value": 0}
    assert api.json_patch(f"{web}/scale", test, {"op": "add", "path": "/spec/replicas", "value": 1}).status == 422
    assert api.json_patch(f"{web}/scale", {"op": "add", "path": "/spec/replicas", "value": 1}).status == 200


def test_a_negative_scale_is_422(api: Api, web: str) -> None:
    answer = api.merge(f"{web}/scale", {"spec": {"replicas": -1}})
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in answer.body["message"]


def test_a_scale_that_is_no_number_is_refused(api: Api, web: str) -> None:
    assert api.merge(f"{web}/scale", {"spec": {"replicas": "many"}}).status == 422
    scale = api.get(f"{web}/scale").body
    assert api.put(f"{web}/scale", {**scale, "spec": {"replicas": "many"}}).status == 400


def test_a_missing_target_has_no_scale(api: Api, deployments: str) -> None:
    answer = api.get(f"{deployments}/none/scale")
    assert (answer.status, answer.body["message"]) == (404, 'deployments.apps "none" not found')


def test_a_kind_without_scale_is_404(api: Api, configmaps: str) -> None:
    answer = api.get(f"{configmaps}/any/scale")
    assert (answer.status, answer.body["reason"]) == (404, "NotFound")
    assert answer.body["message"] == "the server could not find the requested resource"


@pytest.mark.parametrize("kind", ["replicasets", "statefulsets"])
def test_other_workloads_scale_too(api: Api, namespace: str, kind: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/{kind}"
    body = deployment("web")
    body["kind"] = {"replicasets": "ReplicaSet", "statefulsets": "StatefulSet"}[kind]
    assert api.post(path, body).status == 201
    assert api.merge(f"{path}/web/scale", {"spec": {"replicas": 2}}).body["spec"] == {"replicas": 2}
    assert api.get(f"{path}/web").body["spec"]["replicas"] == 2


def test_a_custom_resource_scales_by_its_paths(api: Api, one: str) -> None:
    api.merge(f"{one}/status", {"status": {"replicas": 7, "selector": "app=one"}})
    scale = api.get(f"{one}/scale").body
    assert (scale["spec"], scale["status"]) == ({"replicas": 2}, {"replicas": 7, "selector": "app=one"})
    assert api.merge(f"{one}/scale", {"spec": {"replicas": 4}}).body["spec"] == {"replicas": 4}
    parent = api.get(one).body
    assert (parent["spec"]["replicas"], parent["metadata"]["generation"]) == (4, 2)


def test_a_custom_resource_that_does_not_say_its_replicas_has_no_scale(api: Api, widgets: str) -> None:
    api.post(widgets, widget("mute"))
    answer = api.get(f"{widgets}/mute/scale")
    assert (answer.status, answer.body["reason"]) == (500, "InternalError")
    assert 'the spec replicas field ".spec.replicas" does not exist' in answer.body["message"]


def test_a_new_object_comes_without_status(api: Api, widgets: str) -> None:
    answer = api.post(widgets, {**widget("one"), "status": {"replicas": 9}})
    assert "status" not in answer.body


@pytest.mark.parametrize("how", ["put", "merge", "json_patch"])
def test_the_main_resource_leaves_status_alone(api: Api, one: str, how: str) -> None:
    api.merge(f"{one}/status", {"status": {"replicas": 1}})
    if how == "put":
        answer = api.put(one, {**api.get(one).body, "status": {"replicas": 9}})
    elif how == "merge":
        answer = api.merge(one, {"status": {"replicas": 9}})
    else:
        answer = api.json_patch(one, {"op": "replace", "path": "/status/replicas", "value": 9})
    assert (answer.status, answer.body["status"]) == (200, {"replicas": 1})


@pytest.mark.parametrize("how", ["put", "merge"])
def test_the_status_door_leaves_everything_else_alone(api: Api, one: str, how: str) -> None:
    change: Any = {"spec": {"size": 9}, "metadata": {"labels": {"a": "b"}}, "status": {"replicas": 3}}
    if how == "put":
        present = api.get(one).body
        change["metadata"] |= present["metadata"]
        answer = api.put(f"{one}/status", {**present, **change, "spec": {**present["spec"], "size": 9}})
    else:
        answer = api.merge(f"{one}/status", change)
    assert answer.status == 200
    assert (answer.body["status"], answer.body["spec"]["size"]) == ({"replicas": 3}, 1)
    assert answer.body["metadata"]["generation"] == 1
    assert "labels" not in answer.body["metadata"]


def test_a_status_write_makes_a_version_and_an_event(api: Api, one: str, widgets: str) -> None:
    version = api.get(widgets).version
    answer = api.merge(f"{one}/status", {"status": {"replicas": 3}})
    assert int(answer.version) > int(version)
    with api.watch(widgets, resourceVersion=version) as events:
        event = next(events)
    assert (event["type"], event["object"]["status"]) == ("MODIFIED", {"replicas": 3})


def test_a_stale_status_is_409(api: Api, one: str) -> None:
    stale = api.get(one).body
    api.merge(one, {"spec": {"size": 3}})
    answer = api.put(f"{one}/status", {**stale, "status": {"replicas": 1}})
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")


def test_the_status_of_an_object_can_be_read_through_its_door(api: Api, one: str) -> None:
    assert api.get(f"{one}/status").body == api.get(one).body


def test_a_namespace_has_a_status_door(api: Api, namespace: str) -> None:
    answer = api.get(f"/api/v1/namespaces/{namespace}/status")
    assert (answer.status, answer.body["status"]["phase"]) == (200, "Active")
