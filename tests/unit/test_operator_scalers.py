"""The store of CompositeScalers: what a watch and a list, each late in its own way, make of it."""

from __future__ import annotations

from typing import Any

import pytest

from controller.api import Overrides, Reason
from controller.operator.scalers import ScalerStore
from tests.operator_support import manifest, scaler

WEB, API = ("default", "web"), ("default", "api")


def store_of(*objects: dict[str, Any]) -> ScalerStore:
    store = ScalerStore()
    for each in objects:
        store.upsert(each)
    return store


def names(store: ScalerStore) -> list[str]:
    return [each.key[1] for each in store.all()]


def test_an_object_becomes_a_scaler_with_its_spec_and_status() -> None:
    found = scaler(manifest(maxReplicas=7, status={"desiredReplicas": 3}))
    assert found.spec is not None
    assert (found.key, found.uid, found.generation, found.spec.max_replicas) == (WEB, "uid-web", 1, 7)
    assert (found.problem, found.status.desired_replicas) == (None, 3)


def test_scalers_come_in_the_order_of_their_keys() -> None:
    store = store_of(manifest("web"), manifest("api"))
    assert names(store) == ["api", "web"]
    assert (len(store), WEB in store, ("default", "none") in store) == (2, True, False)


def test_an_object_that_the_models_refuse_is_kept_with_the_sentence_that_says_why() -> None:
    found = scaler(manifest(maxReplicas=0))
    assert found.spec is None
    assert found.problem is not None
    assert found.problem.reason is Reason.INVALID_SPEC
    assert "maxReplicas" in found.problem.message


def test_an_object_that_was_mended_has_no_problem_any_more() -> None:
    store = store_of(manifest(maxReplicas=0), manifest(generation=2))
    assert store.all()[0].problem is None


def test_an_object_whose_unknown_field_a_newer_schema_prunes_is_good_without_a_new_generation() -> None:
    store = store_of(manifest("web", minReplica=2))
    assert store.all()[0].problem is not None
    version = store.version
    store.upsert(manifest("web"))
    assert (store.all()[0].problem, store.version) == (None, version + 1)


def test_an_echo_of_a_status_of_a_refused_object_brings_no_new_version(caplog: pytest.LogCaptureFixture) -> None:
    store = store_of(manifest(maxReplicas=0))
    store.upsert(manifest(maxReplicas=0, status={"desiredReplicas": 3}))
    assert (store.all()[0].status.desired_replicas, store.version, len(caplog.records)) == (3, 1, 1)


def test_a_refused_object_is_read_again_because_a_newer_schema_prunes_without_a_new_generation() -> None:
    store = store_of(manifest(unknown=1))
    assert store.all()[0].problem is not None
    version = store.version
    store.upsert(manifest())
    assert store.all()[0].problem is None
    assert store.version > version


def test_an_echo_of_a_refused_object_brings_no_new_version() -> None:
    store = store_of(manifest(unknown=1))
    version = store.version
    store.upsert(manifest(unknown=1, status={"desiredReplicas": 5}))
    assert store.all()[0].status.desired_replicas == 5
    assert store.version == version


def test_an_echo_of_a_status_brings_the_status_but_no_new_version() -> None:
    store = store_of(manifest())
    before = store.all()[0]
    version = store.version
    store.upsert(manifest(status={"desiredReplicas": 5}))
    assert store.all()[0].status.desired_replicas == 5
    assert store.all()[0].spec is before.spec
    assert store.version == version


def test_a_changed_spec_brings_a_new_version() -> None:
    store = store_of(manifest())
    version = store.version
    store.upsert(manifest(generation=2, maxReplicas=9))
    spec = store.all()[0].spec
    assert spec is not None
    assert spec.max_replicas == 9
    assert store.version > version


def test_a_late_event_of_an_older_generation_is_passed_over() -> None:
    store = store_of(manifest(generation=3, maxReplicas=9, status={"desiredReplicas": 5}))
    version = store.version
    store.upsert(manifest(generation=2, maxReplicas=4))
    found = store.all()[0]
    assert found.spec is not None
    assert (found.generation, found.spec.max_replicas, found.status.desired_replicas) == (3, 9, 5)
    assert store.version == version


def test_an_object_that_was_created_anew_begins_at_its_own_generation() -> None:
    store = store_of(manifest(generation=3), manifest(uid="another", generation=1, maxReplicas=4))
    assert (store.all()[0].uid, store.all()[0].generation) == ("another", 1)


def test_an_object_that_is_being_deleted_is_gone() -> None:
    store = store_of(manifest())
    going = manifest()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    store.upsert(going)
    assert len(store) == 0


def test_a_removed_object_brings_a_new_version_once() -> None:
    store = store_of(manifest())
    version = store.version
    store.remove(WEB)
    store.remove(WEB)
    assert (len(store), store.version) == (0, version + 1)


def test_a_late_deletion_does_not_remove_the_successor_of_the_same_name() -> None:
    store = store_of(manifest(uid="new"))
    store.remove(WEB, "old")
    assert names(store) == ["web"]
    store.remove(WEB, "new")
    assert names(store) == []


def test_a_status_that_cannot_be_read_costs_the_status_but_not_the_scaler(caplog: pytest.LogCaptureFixture) -> None:
    found = scaler(manifest(status={"desiredReplicas": "many"}))
    assert found.spec is not None
    assert found.status.desired_replicas is None
    assert "cannot read the status" in caplog.text


def test_a_list_adds_what_the_watch_missed_and_removes_what_it_kept_too_long() -> None:
    store = store_of(manifest("web"), manifest("ghost"))
    store.listing()
    store.resync([manifest("web"), manifest("api")])
    assert names(store) == ["api", "web"]


def test_a_list_that_says_what_is_known_brings_no_new_version() -> None:
    store = store_of(manifest("web"), manifest("api"))
    version = store.version
    store.listing()
    store.resync([manifest("web"), manifest("api")])
    assert store.version == version


def test_an_object_that_came_while_the_list_was_on_its_way_stays() -> None:
    store = store_of(manifest("web"))
    store.listing()
    store.upsert(manifest("api"))
    store.resync([manifest("web")])
    assert names(store) == ["api", "web"]


def test_an_object_that_went_while_the_list_was_on_its_way_does_not_come_back() -> None:
    store = store_of(manifest("web"), manifest("api"))
    store.listing()
    store.remove(API, "uid-api")
    store.resync([manifest("web"), manifest("api")])
    assert names(store) == ["web"]


def test_an_object_that_was_created_anew_while_the_list_was_on_its_way_is_the_new_one() -> None:
    store = store_of(manifest("web", uid="old", generation=5))
    store.listing()
    store.upsert(manifest("web", uid="new"))
    store.resync([manifest("web", uid="old", generation=5)])
    assert store.all()[0].uid == "new"


def test_what_came_before_one_list_is_judged_by_the_next() -> None:
    store = store_of(manifest("web"))
    store.listing()
    store.upsert(manifest("ghost"))
    store.resync([manifest("web")])
    store.listing()
    store.resync([manifest("web")])
    assert names(store) == ["web"]


# Annotations, which change without a new generation


def test_a_pause_is_news_without_a_new_generation() -> None:
    store = store_of(manifest())
    before, version = store.all()[0], store.version
    store.upsert(manifest(annotations={"paused": "true"}))
    after = store.all()[0]
    assert (after.overrides, after.spec is before.spec) == (Overrides(paused=True), True)
    assert store.version > version
    assert (store.is_current(before), store.is_current(after)) == (False, True)


def test_a_pause_that_is_taken_away_is_news_too() -> None:
    store = store_of(manifest(annotations={"paused": "true"}))
    paused = store.all()[0]
    store.upsert(manifest())
    assert (store.is_current(paused), store.all()[0].overrides) == (False, Overrides())


def test_annotations_of_others_are_no_news() -> None:
    store = store_of(manifest(annotations={"paused": "true"}))
    before, version = store.all()[0], store.version
    echo = manifest(annotations={"paused": "true"})
    echo["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = "{}"
    store.upsert(echo)
    assert (store.version, store.is_current(before)) == (version, True)


def test_an_annotation_that_cannot_be_read_is_a_problem_that_stops_a_decision_under_way() -> None:
    store = store_of(manifest())
    before = store.all()[0]
    store.upsert(manifest(annotations={"paused": "yes"}))
    after = store.all()[0]
    assert after.problem is not None
    assert after.problem.reason is Reason.INVALID_ANNOTATION
    assert 'must be "true" or "false" (got "yes")' in after.problem.message
    assert not store.is_current(before)


def test_an_annotation_that_was_mended_is_no_problem_any_more_and_is_told_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = store_of(manifest())
    for _ in range(3):
        store.upsert(manifest(annotations={"paused": "yes"}))
    assert len(caplog.records) == 1
    store.upsert(manifest(annotations={"paused": "true"}))
    assert (store.all()[0].problem, store.all()[0].overrides) == (None, Overrides(paused=True))


def test_a_bad_spec_is_told_before_a_bad_annotation() -> None:
    found = scaler(manifest(maxReplicas=0, annotations={"paused": "yes"}))
    assert found.problem is not None
    assert found.problem.reason is Reason.INVALID_SPEC
