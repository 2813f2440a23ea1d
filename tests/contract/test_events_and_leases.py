"""Events, which operators write for people, and Leases, by which they agree on who is in charge."""

from typing import Any

import pytest

from tests.contract.conftest import Api

MOMENT = "2026-01-02T03:04:05.678901Z"


@pytest.fixture
def events(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/events"


@pytest.fixture
def new_events(namespace: str) -> str:
    return f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"


@pytest.fixture
def leases(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def event(name: str, namespace: str, subject: str = "web", **more: Any) -> dict[str, Any]:
    involved = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": namespace, "name": subject, "uid": "u-1"}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name},
        "involvedObject": involved,
        "reason": "SuccessfulRescale",
        "message": "New size: 7",
        "type": "Normal",
        "source": {"component": "compositescaler"},
        "firstTimestamp": "2026-01-02T03:04:05Z",
        "lastTimestamp": "2026-01-02T03:04:05Z",
        "count": 1,
        **more,
    }


def lease(name: str, holder: str = "a", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": MOMENT, **spec},
    }


def test_an_event_is_found_by_what_it_is_about(api: Api, events: str, namespace: str) -> None:
    assert api.post(events, event("one", namespace)).status == 201
    api.post(events, event("two", namespace, subject="other"))
    selector = f"involvedObject.kind=Deployment,involvedObject.name=web,involvedObject.namespace={namespace},involvedObject.uid=u-1"
    items = api.get(events, fieldSelector=selector).body["items"]
    assert [item["metadata"]["name"] for item in items] == ["one"]


@pytest.mark.parametrize("selector", ["reason=SuccessfulRescale", "type=Normal", "source=compositescaler"])
def test_an_event_is_found_by_what_it_says(api: Api, events: str, namespace: str, selector: str) -> None:
    api.post(events, event("one", namespace))
    assert len(api.get(events, fieldSelector=selector).body["items"]) == 1


def test_an_event_belongs_to_the_namespace_of_its_object(api: Api, events: str) -> None:
    answer = api.post(events, event("one", "default"))
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert "involvedObject.namespace" in answer.body["message"]
    assert "does not match event.namespace" in answer.body["message"]


def test_an_event_counts_up_by_a_patch(api: Api, events: str, namespace: str) -> None:
    api.post(events, event("one", namespace))
    answer = api.strategic(f"{events}/one", {"count": 2, "lastTimestamp": "2026-01-02T03:05:05Z"})
    assert (answer.status, answer.body["count"]) == (200, 2)


def test_a_core_event_is_read_as_a_new_event(api: Api, events: str, new_events: str, namespace: str) -> None:
    api.post(events, event("one", namespace))
    found = api.get(f"{new_events}/one").body
    assert (found["apiVersion"], found["kind"]) == ("events.k8s.io/v1", "Event")
    assert (found["note"], found["regarding"]["name"]) == ("New size: 7", "web")
    assert (found["deprecatedCount"], found["deprecatedSource"]) == (1, {"component": "compositescaler"})
    assert "message" not in found


def test_a_new_event_is_read_as_a_core_event(api: Api, events: str, new_events: str, namespace: str) -> None:
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "one"},
        "eventTime": MOMENT,
        "reportingController": "compositescaler.io/operator",
        "reportingInstance": "operator-0",
        "action": "Rescale",
        "reason": "SuccessfulRescale",
        "type": "Normal",
        "note": "New size: 7",
        "regarding": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": namespace, "name": "web"},
    }
    assert api.post(new_events, body).status == 201
    found = api.get(f"{events}/one").body
    assert (found["message"], found["involvedObject"]["name"]) == ("New size: 7", "web")
    assert (found["eventTime"], found["reportingComponent"]) == (MOMENT, "compositescaler.io/operator")
    selected = api.get(new_events, fieldSelector="regarding.name=web,reason=SuccessfulRescale").body["items"]
    assert [item["metadata"]["name"] for item in selected] == ["one"]


def test_a_new_event_must_say_who_reports_and_when(api: Api, new_events: str, namespace: str) -> None:
    body = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "one"},
        "eventTime": MOMENT,
        "regarding": {"kind": "Deployment", "namespace": namespace, "name": "web"},
        "reason": "SuccessfulRescale",
        "type": "Normal",
    }
    answer = api.post(new_events, body)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert {"reportingController", "reportingInstance", "action"} <= {
        cause["field"] for cause in answer.body["details"]["causes"]
    }


def test_a_lease_keeps_its_microseconds(api: Api, leases: str) -> None:
    answer = api.post(leases, lease("leader"))
    assert (answer.status, answer.body["spec"]["renewTime"]) == (201, MOMENT)


def test_a_lease_is_taken_by_whoever_saw_its_last_version(api: Api, leases: str) -> None:
    made = api.post(leases, lease("leader")).body
    spec = {**made["spec"], "holderIdentity": "b"}
    assert api.put(f"{leases}/leader", {**made, "spec": spec}).status == 200
    second = api.put(f"{leases}/leader", {**made, "spec": {**made["spec"], "holderIdentity": "c"}})
    assert (second.status, second.body["reason"]) == (409, "Conflict")
    assert api.get(f"{leases}/leader").body["spec"]["holderIdentity"] == "b"


def test_a_lease_cannot_be_replaced_without_a_version(api: Api, leases: str) -> None:
    api.post(leases, lease("leader"))
    answer = api.put(f"{leases}/leader", lease("leader", holder="b"))
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")


def test_a_lease_that_is_replaced_before_it_is_there_is_created(api: Api, leases: str) -> None:
    assert api.put(f"{leases}/leader", lease("leader")).status == 201


@pytest.mark.parametrize("spec", [{"leaseDurationSeconds": 0}, {"leaseTransitions": -1}])
def test_a_lease_with_impossible_numbers_is_422(api: Api, leases: str, spec: Any) -> None:
    answer = api.post(leases, lease("leader", **spec))
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
