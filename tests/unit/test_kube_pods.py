"""One pod's projection, and which group it is in after what event."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.kube import POD_ADAPTER, Owner, Pod, PodCache, PodObject, Selector, pod_of
from tests.unit.kube_server import pod


def parsed(thing: dict[str, Any]) -> PodObject:
    return POD_ADAPTER.validate_json(json.dumps(thing))


def seen(thing: dict[str, Any]) -> Pod:
    return pod_of(parsed(thing))


def cache_of(*things: dict[str, Any]) -> PodCache:
    cache = PodCache()
    for thing in things:
        cache.upsert(parsed(thing))
    return cache


def names(pods: list[Pod]) -> list[str]:
    return [each.name for each in pods]


def container(cpu: str | int | None, **more: Any) -> dict[str, Any]:
    return {"resources": {"requests": {} if cpu is None else {"cpu": cpu}}, **more}


def test_a_ready_pod_is_read_whole() -> None:
    thing = pod("web-1", app="web", **{"pod-template-hash": "abc"})
    thing["metadata"]["creationTimestamp"] = "2026-11-21T14:36:00Z"
    thing["metadata"]["ownerReferences"] = [
        {"kind": "Other", "name": "x", "uid": "u0"},
        {"kind": "ReplicaSet", "name": "web-abc", "uid": "u1", "controller": True},
    ]
    thing["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-21T14:37:01Z"},
        {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-21T14:38:00Z"},
    ]
    read = seen(thing)
    assert read == Pod(
        namespace="shop",
        name="web-1",
        uid="uid-web-1",
        labels={"app": "web", "pod-template-hash": "abc"},
        phase="Running",
        ready=True,
        deleting=False,
        start_time=datetime(2026, 11, 21, 14, 37, tzinfo=UTC).timestamp(),
        ready_since=datetime(2026, 11, 21, 14, 38, tzinfo=UTC).timestamp(),
        cpu_request=0.5,
        memory_request=2.0**30,
        owner=Owner("ReplicaSet", "web-abc", "u1"),
        created=datetime(2026, 11, 21, 14, 36, tzinfo=UTC).timestamp(),
        first_ready=datetime(2026, 11, 21, 14, 38, tzinfo=UTC).timestamp(),
        unscheduled=False,
    )
    assert read.template_hash == "abc"


def test_a_pod_that_is_not_ready_has_no_ready_time() -> None:
    thing = pod("web-1")
    thing["status"]["conditions"] = [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-21T14:38:00Z"}]
    read = seen(thing)
    assert (read.ready, read.ready_since) == (False, None)


def with_conditions(*conditions: dict[str, str], uid: str = "uid-a") -> dict[str, Any]:
    thing = pod("a", app="web")
    thing["metadata"] |= {"uid": uid, "creationTimestamp": "2026-11-21T14:00:00Z"}
    thing["status"]["conditions"] = list(conditions)
    return thing


def ready(at: str | None) -> dict[str, str]:
    """Ready since a time of that day, or not Ready."""
    since = f"2026-11-21T{at or '23:00:00'}Z"
    return {"type": "Ready", "status": "False" if at is None else "True", "lastTransitionTime": since}


NO_NODE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}


def test_a_pod_that_no_node_has_room_for_is_unscheduled() -> None:
    assert seen(with_conditions(NO_NODE)).unscheduled


@pytest.mark.parametrize(
    "condition",
    [
        {"type": "PodScheduled", "status": "True"},
        {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"},
        {"type": "PodScheduled", "status": "False"},
        {"type": "Ready", "status": "False", "reason": "Unschedulable"},
    ],
)
def test_a_pod_that_has_a_node_or_is_held_back_by_its_owner_does_not_wait_for_one(condition: dict[str, str]) -> None:
    assert not seen(with_conditions(condition)).unscheduled


@pytest.mark.parametrize("conditions", [(NO_NODE, ready("14:01:00")), (ready("14:01:00"), NO_NODE)])
def test_a_pod_without_a_node_is_never_ready(conditions: tuple[dict[str, str], ...]) -> None:
    read = seen(with_conditions(*conditions))
    assert (read.ready, read.ready_since, read.first_ready) == (False, None, None)


def first_ready(cache: PodCache, *events: dict[str, Any]) -> str | None:
    """When the pod a became Ready for the first time, as the cache has it after these events."""
    for event in events:
        cache.upsert(parsed(event))
    found = cache.get("shop", "a")
    assert found is not None
    if found.first_ready is None:
        return None
    return datetime.fromtimestamp(found.first_ready, UTC).strftime("%H:%M:%S")


def test_a_pod_that_comes_back_became_ready_when_it_first_did() -> None:
    cache = PodCache()
    assert first_ready(cache, with_conditions(ready(None))) is None
    assert first_ready(cache, with_conditions(ready("14:00:30"))) == "14:00:30"
    assert first_ready(cache, with_conditions(ready(None))) == "14:00:30"
    assert first_ready(cache, with_conditions(ready("14:20:00"))) == "14:00:30"


def test_a_pod_of_the_same_name_starts_anew() -> None:
    cache = PodCache()
    assert first_ready(cache, with_conditions(ready("14:00:30"))) == "14:00:30"
    assert first_ready(cache, with_conditions(ready(None), uid="uid-of-another")) is None


def test_an_event_that_changes_nothing_of_a_pod_that_came_back_leaves_its_group_alone() -> None:
    cache = cache_of(with_conditions(ready("14:00:30")), with_conditions(ready("14:20:00")))
    group = cache.group("shop", Selector.parse("app=web"))
    before = group.version
    cache.upsert(parsed(with_conditions(ready("14:20:00"))))
    assert group.version == before


def test_a_pod_with_a_deletion_time_is_deleting() -> None:
    thing = pod("web-1")
    thing["metadata"]["deletionTimestamp"] = "2026-11-21T14:38:00Z"
    assert seen(thing).deleting


def test_a_pod_of_which_little_is_known_yet_is_pending() -> None:
    read = seen({"metadata": {"name": "web-1", "namespace": "shop", "resourceVersion": "1", "labels": None}})
    assert (read.phase, read.ready, read.deleting, read.unscheduled, read.labels) == (
        "Pending",
        False,
        False,
        False,
        {},
    )
    unknown = (read.start_time, read.ready_since, read.cpu_request, read.memory_request, read.owner, read.created)
    assert (*unknown, read.first_ready) == (None,) * 7


@pytest.mark.parametrize(
    ("spec", "cores"),
    [
        ({"containers": [container("250m"), container("1")]}, 1.25),
        ({"containers": [container("250m"), container(2)]}, 2.25),
        ({"containers": [container("250m"), container(None)]}, None),
        ({"containers": [container("250m"), {}]}, None),
        ({"containers": [container("1")], "initContainers": [container("8")]}, 1.0),
        ({"containers": [container("1")], "initContainers": [container("250m", restartPolicy="Always")]}, 1.25),
        ({"containers": [container("1")], "initContainers": [container(None, restartPolicy="Always")]}, None),
        ({"containers": [container(None)], "resources": {"requests": {"cpu": "3"}}}, 3.0),
        ({"containers": [container("much")]}, None),
        ({"containers": [container("0")]}, None),
    ],
)
def test_the_request_of_a_pod_is_what_hpa_takes(spec: dict[str, Any], cores: float | None) -> None:
    assert seen({**pod("web-1"), "spec": spec}).cpu_request == cores


def test_pods_of_one_replica_set_share_their_labels() -> None:
    assert seen(pod("a", app="web")).labels is seen(pod("b", app="web")).labels


def test_a_group_has_the_pods_that_were_there_before_it_sorted_by_name() -> None:
    cache = cache_of(
        pod("c", app="web"), pod("a", app="web"), pod("b", app="db"), pod("d", namespace="other", app="web")
    )
    assert names(cache.group("shop", Selector.parse("app=web")).pods) == ["a", "c"]


def test_a_pod_that_comes_later_joins_its_group() -> None:
    cache = PodCache()
    group = cache.group("shop", Selector.parse("app=web,tier in (a,b)"))
    cache.upsert(parsed(pod("a", app="web", tier="b")))
    cache.upsert(parsed(pod("b", app="web", tier="c")))
    assert names(group.pods) == ["a"]


def test_a_pod_that_is_deleted_leaves_its_group() -> None:
    cache = cache_of(pod("a", app="web"), pod("b", app="web"))
    group = cache.group("shop", Selector.parse("app=web"))
    cache.remove(("shop", "a"))
    assert names(group.pods) == ["b"]


def test_a_pod_whose_labels_change_moves_from_group_to_group() -> None:
    cache = cache_of(pod("a", app="web"))
    web, db = (cache.group("shop", Selector.parse(text)) for text in ("app=web", "app=db"))
    cache.upsert(parsed(pod("a", app="db")))
    assert (names(web.pods), names(db.pods)) == ([], ["a"])


def test_a_selector_of_expressions_only_is_kept_too() -> None:
    cache = cache_of(pod("a", app="web"))
    group = cache.group("shop", Selector.parse("app notin (db),!canary"))
    cache.upsert(parsed(pod("b", app="db")))
    cache.upsert(parsed(pod("c", app="web", canary="1")))
    cache.upsert(parsed(pod("d")))
    assert names(group.pods) == ["a", "d"]


def test_the_version_changes_when_a_member_changes() -> None:
    cache = cache_of(pod("a", app="web"))
    group = cache.group("shop", Selector.parse("app=web"))
    before = group.version
    changed = pod("a", app="web")
    changed["status"]["phase"] = "Failed"
    cache.upsert(parsed(changed))
    assert group.version != before
    assert group.pods[0].phase == "Failed"


def test_an_event_that_changes_nothing_we_keep_leaves_version_and_list_alone() -> None:
    cache = cache_of(pod("a", app="web"))
    group = cache.group("shop", Selector.parse("app=web"))
    before, pods = group.version, group.pods
    cache.upsert(parsed(pod("a", version="2", app="web")))
    assert group.version == before
    assert group.pods is pods


def test_pods_of_other_groups_leave_the_version_alone() -> None:
    cache = cache_of(pod("a", app="web"))
    group = cache.group("shop", Selector.parse("app=web"))
    before = group.version
    cache.upsert(parsed(pod("b", app="db")))
    cache.upsert(parsed(pod("a", namespace="other", app="web")))
    assert group.version == before


def test_equal_selectors_share_a_group_until_the_last_holder_releases_it() -> None:
    cache = cache_of(pod("a", app="web"))
    first, second = cache.group("shop", Selector.parse("app=web")), cache.group("shop", Selector.parse("app in (web)"))
    assert first is second
    cache.release(first)
    cache.upsert(parsed(pod("b", app="web")))
    assert names(second.pods) == ["a", "b"]
    cache.release(second)
    cache.upsert(parsed(pod("c", app="web")))
    assert names(second.pods) == ["a", "b"]


def test_a_group_that_is_made_again_never_repeats_a_version() -> None:
    cache = cache_of(pod("a", app="web"))
    versions = []
    for _ in range(3):
        group = cache.group("shop", Selector.parse("app=web"))
        versions.append(group.version)
        cache.release(group)
    assert len(set(versions)) == 3


def test_a_changed_pod_is_matched_against_few_of_many_groups_that_share_a_label() -> None:
    cache = PodCache()
    for number in range(50):
        cache.group("shop", Selector.parse(f"part-of=shop,app=app-{number}"))
    home = cache._namespaces["shop"]
    crowds = [len(groups) for groups in home._anchored.values()]
    assert max(crowds) <= 2


def test_the_cache_knows_what_it_holds() -> None:
    cache = cache_of(pod("a"), pod("b", namespace="other"))
    assert cache.keys() == {("shop", "a"), ("other", "b")}
    assert len(cache) == 2
    found = cache.get("other", "b")
    assert found is not None
    assert found.name == "b"
    cache.remove(("other", "b"))
    assert cache.get("other", "b") is None


def test_removing_a_pod_that_is_not_there_does_nothing() -> None:
    cache = PodCache()
    cache.remove(("shop", "a"))
    assert len(cache) == 0
