"""How a client comes to know many objects and keeps up with them: pages, selectors, watches, and versions that are too old."""

import base64
import json
import threading
from dataclasses import replace
from typing import Any

import pytest
import requests

from tests.contract.conftest import Answer, Api, configmap, deployment, widget

OURS: Any = {"labelSelector": "ours"}


def names(answer: Answer) -> list[str]:
    return [item["metadata"]["name"] for item in answer.body["items"]]


def at_version_one(token: str) -> str:
    """The token of the same page of a list so old that the real server's cache does not reach back to it."""
    content = {**json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))), "rv": 1}
    return base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).decode().rstrip("=")


def seen(event: Any) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"]["name"]


@pytest.fixture
def five(api: Api, configmaps: str) -> str:
    """The path of five ConfigMaps, a to e; b and d are red."""
    for name in "abcde":
        labels = {"ours": "yes", "colour": "red" if name in "bd" else "blue"}
        assert api.post(configmaps, configmap(name, labels=labels)).status == 201
    return configmaps


def test_a_list_has_a_version_and_its_items_in_order(api: Api, five: str) -> None:
    answer = api.get(five, **OURS)
    assert (answer.body["kind"], answer.body["apiVersion"]) == ("ConfigMapList", "v1")
    assert names(answer) == ["a", "b", "c", "d", "e"]
    assert int(answer.version) >= max(int(item["metadata"]["resourceVersion"]) for item in answer.body["items"])


def test_items_of_custom_resources_name_their_kind_and_those_of_built_in_kinds_do_not(
    api: Api, widgets: str, five: str
) -> None:
    api.post(widgets, widget("one"))
    item = api.get(widgets).body["items"][0]
    assert (item["kind"], item["apiVersion"]) == ("Widget", "contract.example.com/v1")
    assert "kind" not in api.get(five, **OURS).body["items"][0]


def test_a_list_over_all_namespaces_contains_ours(api: Api, five: str, namespace: str) -> None:
    items = api.get("/api/v1/configmaps", **OURS).body["items"]
    assert [i["metadata"]["name"] for i in items if i["metadata"]["namespace"] == namespace] == list("abcde")


def test_pages_give_the_whole_list_once(api: Api, widgets: str) -> None:
    for name in ("a", "b", "c", "d", "e"):
        api.post(widgets, widget(name))
    first = api.get(widgets, limit=2)
    assert names(first) == ["a", "b"]
    assert first.body["metadata"]["remainingItemCount"] == 3
    second = api.get(widgets, limit=2, **{"continue": first.body["metadata"]["continue"]})
    third = api.get(widgets, limit=2, **{"continue": second.body["metadata"]["continue"]})
    assert (names(second), names(third)) == (["c", "d"], ["e"])
    assert not third.body["metadata"].get("continue")


def test_pages_show_one_moment(api: Api, widgets: str) -> None:
    for name in ("a", "b", "c"):
        api.post(widgets, widget(name))
    first = api.get(widgets, limit=1)
    api.delete(f"{widgets}/b")
    api.post(widgets, widget("bb"))
    rest = api.get(widgets, **{"continue": first.body["metadata"]["continue"]})
    assert names(rest) == ["b", "c"]
    assert rest.version == first.version


def test_pages_of_a_selection_contain_nothing_else(api: Api, five: str) -> None:
    first = api.get(five, limit=1, labelSelector="colour=red")
    rest = api.get(five, labelSelector="colour=red", **{"continue": first.body["metadata"]["continue"]})
    assert names(first) + names(rest) == ["b", "d"]
    assert "remainingItemCount" not in first.body["metadata"]


def test_a_continue_token_that_is_none_is_400(api: Api, widgets: str) -> None:
    answer = api.get(widgets, limit=1, **{"continue": "nonsense"})
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")


def test_a_continue_token_that_is_too_old_is_410_and_offers_another(api: Api, widgets: str) -> None:
    for name in ("a", "b"):
        api.post(widgets, widget(name))
    token = api.get(widgets, limit=1).body["metadata"]["continue"]
    api.post(widgets, widget("c"))
    api.forget()
    answer = api.get(widgets, limit=1, **{"continue": at_version_one(token)})
    assert (answer.status, answer.body["reason"], answer.body["code"]) == (410, "Expired", 410)
    assert answer.body["message"].startswith("The provided continue parameter is too old to display a consistent list")
    assert names(api.get(widgets, **{"continue": answer.body["metadata"]["continue"]})) == ["b", "c"]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("colour=red", "bd"),
        ("colour==red", "bd"),
        ("ours,colour!=red", "ace"),
        ("colour in (red,green)", "bd"),
        ("ours,colour notin (red)", "ace"),
        ("ours", "abcde"),
        ("ours,!colour", ""),
        ("ours=yes,colour=blue", "ace"),
    ],
)
def test_labels_select(api: Api, five: str, selector: str, expected: str) -> None:
    assert names(api.get(five, labelSelector=selector)) == list(expected)


@pytest.mark.parametrize("selector", ["a=b=c", "colour in red", "=x"])
def test_a_label_selector_that_is_none_is_400(api: Api, five: str, selector: str) -> None:
    answer = api.get(five, labelSelector=selector)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [("metadata.name=b", "b"), ("metadata.name!=b", "acde"), ("metadata.name==b,metadata.namespace=x", "")],
)
def test_fields_select(api: Api, five: str, selector: str, expected: str) -> None:
    assert names(api.get(five, fieldSelector=selector, **OURS)) == list(expected)


def test_a_field_that_cannot_be_selected_is_400(api: Api, widgets: str, five: str) -> None:
    for path, sentence in (
        (widgets, "field label not supported: spec.size"),
        (five, '"spec.size" is not a known field selector: only "metadata.name", "metadata.namespace"'),
    ):
        answer = api.get(path, fieldSelector="spec.size=1")
        assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
        assert answer.body["message"] == sentence


def test_pods_are_selected_by_their_node(api: Api, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    for name, node in (("here", "node-0"), ("there", "node-1")):
        spec = {"nodeName": node, "containers": [{"name": "app", "image": "app"}], "terminationGracePeriodSeconds": 0}
        api.post(path, {"metadata": {"name": name}, "spec": spec})
    assert names(api.get(path, fieldSelector="spec.nodeName=node-0")) == ["here"]


def test_a_version_from_the_future_is_not_there_yet(api: Api, widgets: str) -> None:
    version = int(api.get(widgets).version)
    answer = api.get(widgets, resourceVersion=version + 1_000_000)
    assert (answer.status, answer.body["reason"]) == (504, "Timeout")
    assert answer.body["message"].startswith(f"Timeout: Too large resource version: {version + 1_000_000}, current: ")


def test_an_exact_version_that_is_forgotten_is_410(api: Api, widgets: str) -> None:
    api.post(widgets, widget("one"))
    api.forget()
    answer = api.get(widgets, resourceVersion="1", resourceVersionMatch="Exact")
    assert (answer.status, answer.body["reason"]) == (410, "Expired")
    assert answer.body["message"] == "The resourceVersion for the provided list is too old."


def test_a_version_that_is_no_number_is_400_or_422(api: Api, widgets: str) -> None:
    assert api.get(widgets, resourceVersion="nonsense").status in (400, 422)


def test_a_watch_without_a_version_begins_with_what_is_there(api: Api, five: str) -> None:
    with api.watch(five, **OURS) as events:
        assert [seen(next(events)) for _ in range(5)] == [("ADDED", name) for name in "abcde"]


def test_a_watch_resumes_after_a_version_and_tells_every_change_in_order(api: Api, widgets: str) -> None:
    version = api.get(widgets).version
    api.post(widgets, widget("one"))
    with api.watch(widgets, resourceVersion=version) as events:
        assert seen(next(events)) == ("ADDED", "one")
        changed = api.merge(f"{widgets}/one", {"spec": {"size": 2}})
        event = next(events)
        assert seen(event) == ("MODIFIED", "one")
        assert event["object"] == changed.body
        api.delete(f"{widgets}/one")
        gone = next(events)
        assert seen(gone) == ("DELETED", "one")
        assert int(gone["object"]["metadata"]["resourceVersion"]) > int(changed.version)
        assert gone["object"]["spec"]["size"] == 2


def test_a_watch_of_one_namespace_is_silent_about_others(api: Api, five: str, namespace: str) -> None:
    version = api.get(five).version
    api.post("/api/v1/namespaces/default/configmaps", configmap(f"other-{namespace}"))
    api.post(five, configmap("f"))
    with api.watch(five, resourceVersion=version) as events:
        first = seen(next(events))
    api.delete(f"/api/v1/namespaces/default/configmaps/other-{namespace}")
    assert first == ("ADDED", "f")


def test_an_object_that_leaves_a_selection_was_deleted_for_its_watch(api: Api, five: str) -> None:
    version = api.get(five).version
    api.merge(f"{five}/b", {"metadata": {"labels": {"colour": "green"}}})
    api.merge(f"{five}/a", {"metadata": {"labels": {"colour": "red"}}})
    with api.watch(five, resourceVersion=version, labelSelector="colour=red") as events:
        left, entered = next(events), next(events)
    assert (seen(left), seen(entered)) == (("DELETED", "b"), ("ADDED", "a"))
    assert left["object"]["metadata"]["labels"]["colour"] == "red"


def test_a_watch_selects_by_field(api: Api, five: str) -> None:
    version = api.get(five).version
    api.merge(f"{five}/a", {"data": {"x": "1"}})
    api.merge(f"{five}/c", {"data": {"x": "1"}})
    with api.watch(five, resourceVersion=version, fieldSelector="metadata.name=c") as events:
        assert seen(next(events)) == ("MODIFIED", "c")


def test_a_watch_ends_after_its_time_with_a_bookmark(api: Api, widgets: str) -> None:
    version = api.get(widgets).version
    with api.watch(widgets, seconds=3, resourceVersion=version, allowWatchBookmarks="true") as events:
        received = list(events)
    assert received
    assert {event["type"] for event in received} == {"BOOKMARK"}
    last = received[-1]["object"]
    assert last["kind"] == "Widget"
    assert int(last["metadata"]["resourceVersion"]) >= int(version)


def test_a_watch_without_bookmarks_ends_in_silence(api: Api, widgets: str) -> None:
    version = api.get(widgets).version
    with api.watch(widgets, seconds=1, resourceVersion=version) as events:
        assert list(events) == []


def test_a_watch_can_bring_the_list_and_say_where_it_ends(api: Api, five: str) -> None:
    query: Any = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    with api.watch(five, **query, **OURS) as events:
        first = [next(events) for _ in range(6)]
    assert [event["type"] for event in first] == ["ADDED"] * 5 + ["BOOKMARK"]
    assert first[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_watch_from_a_forgotten_version_gets_410_as_an_event(api: Api, widgets: str) -> None:
    api.post(widgets, widget("one"))
    api.forget()
    with api.watch(widgets, resourceVersion="1") as events:
        error = next(events)
        assert list(events) == []
    assert error["type"] == "ERROR"
    status = error["object"]
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
    assert status["message"].startswith("too old resource version: 1 (")


def test_a_change_reaches_a_watch_that_waits(api: Api, widgets: str) -> None:
    version = api.get(widgets).version
    with api.watch(widgets, resourceVersion=version) as events, requests.Session() as session:
        writer = replace(api, session=session)
        timer = threading.Timer(0.2, writer.post, (widgets, widget("late")))
        timer.start()
        assert seen(next(events)) == ("ADDED", "late")
        timer.join()


def test_a_table_shows_the_printer_columns(api: Api, widgets: str) -> None:
    api.post(widgets, widget("one", size=3))
    status = {"conditions": [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]}
    api.merge(f"{widgets}/one/status", {"status": status})
    answer = api.get(widgets, accept="application/json;as=Table;v=v1;g=meta.k8s.io,application/json").body
    columns = [(column["name"], column["type"], column["priority"]) for column in answer["columnDefinitions"]]
    assert answer["kind"] == "Table"
    assert columns == [
        ("Name", "string", 0),
        ("Size", "integer", 0),
        ("Ready", "string", 0),
        ("Mode", "string", 1),
        ("Age", "date", 0),
    ]
    assert answer["rows"][0]["cells"][:4] == ["one", 3, "True", "Fast"]
    assert answer["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


@pytest.mark.parametrize("kind", ["deployments", "replicasets", "statefulsets"])
def test_the_columns_of_workloads_are_those_of_kubernetes(api: Api, namespace: str, kind: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/{kind}"
    answer = api.get(path, accept="application/json;as=Table;v=v1;g=meta.k8s.io").body
    assert [column["name"] for column in answer["columnDefinitions"]] == {
        "deployments": ["Name", "Ready", "Up-to-date", "Available", "Age", "Containers", "Images", "Selector"],
        "replicasets": ["Name", "Desired", "Current", "Ready", "Age", "Containers", "Images", "Selector"],
        "statefulsets": ["Name", "Ready", "Age", "Containers", "Images"],
    }[kind]


def test_a_representation_that_nobody_serves_is_406(api: Api, widgets: str) -> None:
    answer = api.get(widgets, accept="application/x-nonsense")
    assert (answer.status, answer.body["reason"]) == (406, "NotAcceptable")


def test_a_rolled_out_deployment_has_pods_that_are_owned_and_ready(api: Api, deployments: str, namespace: str) -> None:
    api.post(deployments, deployment("web", replicas=2))
    ready = api.eventually(f"{deployments}/web", lambda a: a.body.get("status", {}).get("readyReplicas") == 2)
    assert ready.body["status"]["observedGeneration"] == 1
    pods = api.get(f"/api/v1/namespaces/{namespace}/pods", labelSelector="app=web,pod-template-hash").body["items"]
    assert len(pods) == 2
    for pod in pods:
        (owner,) = pod["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["controller"]) == ("ReplicaSet", True)
        assert owner["name"].startswith("web-")
        assert (pod["spec"]["nodeName"], pod["status"]["phase"]) == ("node-0", "Running")
        conditions = {condition["type"]: condition["status"] for condition in pod["status"]["conditions"]}
        assert conditions["Ready"] == "True"
        assert pod["status"]["startTime"]
    api.merge(f"{deployments}/web", {"spec": {"replicas": 0}})
    gone = api.eventually(
        f"{deployments}/web",
        lambda a: a.body["status"]["observedGeneration"] == 2 and "replicas" not in a.body["status"],
    )
    assert "readyReplicas" not in gone.body["status"]
