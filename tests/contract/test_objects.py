"""The life of one object: created, read, replaced, refused, deleted."""

from typing import Any

import pytest

from tests.contract.conftest import Api, configmap, deployment, widget


def status_of(body: Any) -> tuple[int, str, str]:
    """Code, reason and message of a Status of failure."""
    assert (body["kind"], body["apiVersion"], body["status"]) == ("Status", "v1", "Failure")
    return body["code"], body["reason"], body["message"]


def test_a_new_object_gets_its_identity(api: Api, widgets: str, namespace: str) -> None:
    answer = api.post(widgets, widget("one"))
    metadata = answer.body["metadata"]
    assert answer.status == 201
    assert (metadata["name"], metadata["namespace"], metadata["generation"]) == ("one", namespace, 1)
    assert len(metadata["uid"]) == 36
    assert metadata["creationTimestamp"].endswith("Z")
    assert int(metadata["resourceVersion"]) > 0
    assert api.get(f"{widgets}/one").body == answer.body


def test_a_name_is_generated_from_its_beginning(api: Api, configmaps: str) -> None:
    answer = api.post(configmaps, {**configmap(""), "metadata": {"generateName": "made-"}})
    name = answer.body["metadata"]["name"]
    assert answer.status == 201
    assert name.startswith("made-")
    assert len(name) == len("made-") + 5


def test_a_taken_name_is_409_already_exists(api: Api, widgets: str) -> None:
    api.post(widgets, widget("one"))
    answer = api.post(widgets, widget("one"))
    assert answer.status == 409
    assert status_of(answer.body) == (409, "AlreadyExists", 'widgets.contract.example.com "one" already exists')
    assert answer.body["details"] == {"name": "one", "group": "contract.example.com", "kind": "widgets"}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_missing_object_is_404_not_found(api: Api, configmaps: str, method: str) -> None:
    answer = api.ask(method, f"{configmaps}/none")
    assert answer.status == 404
    assert status_of(answer.body) == (404, "NotFound", 'configmaps "none" not found')
    assert answer.body["details"] == {"name": "none", "kind": "configmaps"}


def test_patching_or_replacing_a_missing_object_is_404(api: Api, widgets: str) -> None:
    message = 'widgets.contract.example.com "none" not found'
    assert status_of(api.merge(f"{widgets}/none", {"spec": {"size": 2}}).body) == (404, "NotFound", message)
    replaced = {**widget("none"), "metadata": {"name": "none", "resourceVersion": "1"}}
    assert status_of(api.put(f"{widgets}/none", replaced).body)[:2] == (404, "NotFound")


def test_a_namespace_must_be_there(api: Api) -> None:
    answer = api.post("/api/v1/namespaces/nowhere-at-all/configmaps", configmap("one"))
    assert status_of(answer.body) == (404, "NotFound", 'namespaces "nowhere-at-all" not found')


def test_a_bad_name_is_422_and_says_which_names_are_good(api: Api, configmaps: str) -> None:
    code, reason, message = status_of(api.post(configmaps, configmap("Bad_Name")).body)
    assert (code, reason) == (422, "Invalid")
    assert message.startswith(
        'ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must'
    )


def test_an_object_without_a_name_is_422(api: Api, widgets: str) -> None:
    answer = api.post(widgets, {**widget(""), "metadata": {}})
    assert status_of(answer.body)[:2] == (422, "Invalid")
    assert "name or generateName is required" in answer.body["message"]


def test_an_object_of_another_version_or_namespace_is_400(api: Api, widgets: str, configmaps: str) -> None:
    wrong_version = {**widget("one"), "apiVersion": "contract.example.com/v2"}
    assert status_of(api.post(widgets, wrong_version).body)[:2] == (400, "BadRequest")
    elsewhere = {**configmap("one"), "metadata": {"name": "one", "namespace": "default"}}
    message = "the namespace of the provided object does not match the namespace sent on the request"
    assert status_of(api.post(configmaps, elsewhere).body) == (400, "BadRequest", message)


def test_a_body_that_is_no_json_is_400(api: Api, widgets: str) -> None:
    assert status_of(api.post(widgets, "{nonsense").body)[:2] == (400, "BadRequest")


@pytest.mark.parametrize(
    "metadata", [{"labels": {"a": 1}}, {"labels": ["a"]}, {"finalizers": "a"}, {"annotations": "a"}]
)
def test_metadata_of_the_wrong_shape_is_400(api: Api, configmaps: str, widgets: str, metadata: dict[str, Any]) -> None:
    assert status_of(api.post(configmaps, {**configmap("one"), "metadata": {"name": "one", **metadata}}).body)[0] == 400
    assert status_of(api.post(widgets, {**widget("one"), "metadata": {"name": "one", **metadata}}).body)[0] == 400


def test_a_spec_that_is_no_object_is_400(api: Api, deployments: str) -> None:
    assert status_of(api.post(deployments, {**deployment("web"), "spec": "none"}).body)[:2] == (400, "BadRequest")


def test_an_object_may_not_come_with_a_version(api: Api, configmaps: str) -> None:
    answer = api.post(configmaps, {**configmap("one"), "metadata": {"name": "one", "resourceVersion": "5"}})
    assert (answer.status, answer.body["message"]) == (
        500,
        "resourceVersion should not be set on objects to be created",
    )


def test_every_write_gives_a_new_and_greater_version(api: Api, configmaps: str) -> None:
    first = api.post(configmaps, configmap("one", a="1"))
    second = api.merge(f"{configmaps}/one", {"data": {"a": "2"}})
    assert int(second.version) > int(first.version)


def test_a_write_that_changes_nothing_makes_no_version(api: Api, widgets: str) -> None:
    first = api.post(widgets, widget("one"))
    assert api.merge(f"{widgets}/one", {"spec": {"size": 1}}).version == first.version
    assert api.put(f"{widgets}/one", first.body).version == first.version


def test_replacing_a_stale_version_is_409_conflict(api: Api, widgets: str) -> None:
    stale = api.post(widgets, widget("one")).body
    api.merge(f"{widgets}/one", {"spec": {"size": 2}})
    answer = api.put(f"{widgets}/one", {**stale, "spec": {"size": 3}})
    message = (
        'Operation cannot be fulfilled on widgets.contract.example.com "one": '
        "the object has been modified; please apply your changes to the latest version and try again"
    )
    assert status_of(answer.body) == (409, "Conflict", message)
    assert answer.body["details"] == {"name": "one", "group": "contract.example.com", "kind": "widgets"}


def test_a_custom_resource_cannot_be_replaced_without_a_version(api: Api, widgets: str) -> None:
    api.post(widgets, widget("one"))
    answer = api.put(f"{widgets}/one", widget("one", size=2))
    assert status_of(answer.body)[:2] == (422, "Invalid")
    assert "metadata.resourceVersion: Invalid value: 0" in answer.body["message"]
    assert "must be specified for an update" in answer.body["message"]


def test_a_configmap_can_be_replaced_without_a_version(api: Api, configmaps: str) -> None:
    api.post(configmaps, configmap("one", a="1"))
    answer = api.put(f"{configmaps}/one", configmap("one", a="2"))
    assert (answer.status, answer.body["data"]) == (200, {"a": "2"})


def test_the_name_in_the_body_must_be_the_one_in_the_path(api: Api, widgets: str) -> None:
    made = api.post(widgets, widget("one")).body
    renamed = {**made, "metadata": {**made["metadata"], "name": "two"}}
    assert status_of(api.put(f"{widgets}/one", renamed).body) == (
        400,
        "BadRequest",
        "the name of the object (two) does not match the name on the URL (one)",
    )


def test_what_the_system_owns_cannot_be_written(api: Api, widgets: str) -> None:
    made = api.post(widgets, widget("one")).body
    patch = {"metadata": {"generation": 77, "creationTimestamp": "2001-01-01T00:00:00Z"}, "spec": {"size": 2}}
    metadata = api.merge(f"{widgets}/one", patch).body["metadata"]
    assert metadata["generation"] == 2
    assert metadata["creationTimestamp"] == made["metadata"]["creationTimestamp"]


@pytest.mark.parametrize(
    ("patch", "generation"),
    [
        ({"spec": {"size": 5}}, 2),
        ({"metadata": {"labels": {"a": "b"}}}, 1),
        ({"metadata": {"annotations": {"a": "b"}}}, 1),
        ({"status": {"replicas": 5}}, 1),
    ],
)
def test_only_the_spec_counts_for_the_generation(api: Api, widgets: str, patch: Any, generation: int) -> None:
    api.post(widgets, widget("one"))
    assert api.merge(f"{widgets}/one", patch).body["metadata"]["generation"] == generation


def test_a_scaled_deployment_has_a_new_generation_and_a_labelled_one_has_not(api: Api, deployments: str) -> None:
    api.post(deployments, deployment("web"))
    assert api.merge(f"{deployments}/web", {"metadata": {"labels": {"a": "b"}}}).body["metadata"]["generation"] == 1
    assert api.merge(f"{deployments}/web", {"spec": {"replicas": 1}}).body["metadata"]["generation"] == 2


def test_defaults_are_filled_in(api: Api, widgets: str, deployments: str) -> None:
    assert api.post(widgets, widget("one", parts=[{"id": "a"}])).body["spec"] == {
        "size": 1,
        "mode": "Fast",
        "parts": [{"id": "a", "weight": 1}],
    }
    web = deployment("web")
    del web["spec"]["replicas"]
    web["metadata"]["labels"] = {"run": "none"}
    made = api.post(deployments, web, dryRun="All").body["spec"]
    assert made["replicas"] == 1
    assert made["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}


def test_a_null_counts_as_absent_unless_it_is_allowed(api: Api, widgets: str) -> None:
    spec = api.post(widgets, widget("one", mode=None, note=None)).body["spec"]
    assert spec == {"size": 1, "mode": "Fast", "note": None}


@pytest.mark.parametrize(
    ("spec", "field", "sentence"),
    [
        ({"size": 0}, "spec.size", "Invalid value: 0: spec.size in body should be greater than or equal to 1"),
        ({"size": 11}, "spec.size", "Invalid value: 11: spec.size in body should be less than or equal to 10"),
        ({"size": "big"}, "spec.size", 'Invalid value: "string": spec.size in body must be of type integer: "string"'),
        ({"mode": "Odd"}, "spec.mode", 'Unsupported value: "Odd": supported values: "Fast", "Slow"'),
        ({"code": "A1"}, "spec.code", "Invalid value: \"A1\": spec.code in body should match '^[a-z]+$'"),
        ({"code": "a"}, "spec.code", 'Invalid value: "a": spec.code in body should be at least 2 chars long'),
        ({"code": "abcdefghi"}, "spec.code", "Too long: may not be more than 8 bytes"),
        ({"share": 0}, "spec.share", "Invalid value: 0: spec.share in body should be greater than 0"),
        ({"port": True}, "spec.port", 'spec.port in body must be of type integer,string: "boolean"'),
        ({"when": "now"}, "spec.when", 'Invalid value: "now": spec.when in body must be of type date-time: "now"'),
        ({"limits": {"a": "b"}}, "spec.limits.a", 'spec.limits.a in body must be of type integer: "string"'),
        ({"parts": []}, "spec.parts", "Invalid value: 0: spec.parts in body should have at least 1 items"),
        ({"parts": [{"id": c} for c in "abc"]}, "spec.parts", "Too many: 3: must have at most 2 items"),
        ({"parts": [{"id": "a"}, {"id": "a"}]}, "spec.parts[1]", 'Duplicate value: {"id":"a"}'),
        ({"parts": [{}]}, "spec.parts[0].id", "Required value"),
    ],
)
def test_the_schema_refuses_with_field_and_reason(
    api: Api, widgets: str, spec: dict[str, Any], field: str, sentence: str
) -> None:
    answer = api.post(widgets, widget("bad", **spec))
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["message"].startswith('Widget.contract.example.com "bad" is invalid: ')
    causes = {cause["field"]: cause["message"] for cause in answer.body["details"]["causes"]}
    assert field in causes
    assert sentence in causes[field]


@pytest.mark.parametrize(
    "spec", [{"port": "http"}, {"port": 80}, {"share": 0.5}, {"when": "2026-01-01T00:00:00Z"}, {"anything": {"a": [1]}}]
)
def test_the_schema_lets_pass_what_fits(api: Api, widgets: str, spec: dict[str, Any]) -> None:
    answer = api.post(widgets, widget("good", **spec))
    assert answer.status == 201
    assert answer.body["spec"] == {"size": 1, "mode": "Fast", **spec}


def test_an_unknown_field_is_dropped_with_a_warning(api: Api, widgets: str) -> None:
    answer = api.post(widgets, widget("one", colour="red"))
    assert "colour" not in answer.body["spec"]
    assert answer.headers["Warning"] == '299 - "unknown field \\"spec.colour\\""'


def test_an_unknown_field_is_refused_when_fields_are_to_be_strict(api: Api, widgets: str) -> None:
    answer = api.post(widgets, widget("one", colour="red"), fieldValidation="Strict")
    message = 'strict decoding error: unknown field "spec.colour"'
    assert answer.status == 400
    assert answer.body["reason"] == "BadRequest"
    assert message in answer.body["message"]


def test_an_unknown_field_is_dropped_in_silence_when_asked(api: Api, widgets: str) -> None:
    answer = api.post(widgets, widget("one", colour="red"), fieldValidation="Ignore")
    assert (answer.status, "Warning" in answer.headers) == (201, False)


def test_a_dry_run_answers_and_stores_nothing(api: Api, widgets: str) -> None:
    assert api.post(widgets, widget("one"), dryRun="All").status == 201
    assert api.get(f"{widgets}/one").status == 404


def test_a_deployment_needs_a_selector_that_fits_its_template(api: Api, deployments: str) -> None:
    wrong = deployment("web")
    wrong["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    answer = api.post(deployments, wrong)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert "`selector` does not match template `labels`" in answer.body["message"]


def test_a_deployment_cannot_have_fewer_than_no_replicas(api: Api, deployments: str) -> None:
    answer = api.post(deployments, deployment("web", replicas=-1))
    assert answer.status == 422
    assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in answer.body["message"]


def test_a_text_is_no_number_of_replicas(api: Api, deployments: str) -> None:
    wrong = deployment("web")
    wrong["spec"]["replicas"] = "3"
    code, reason, message = status_of(api.post(deployments, wrong).body)
    assert (code, reason) == (400, "BadRequest")
    assert message.startswith(
        'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string'
    )
    api.post(deployments, deployment("web"))
    patched = api.merge(f"{deployments}/web", {"spec": {"replicas": "3"}})
    assert (patched.status, patched.body["details"]["causes"][0]["field"]) == (422, "patch")


def test_a_deleted_object_is_gone_and_the_answer_names_it(api: Api, widgets: str) -> None:
    made = api.post(widgets, widget("one")).body
    answer = api.delete(f"{widgets}/one")
    assert (answer.status, answer.body["status"]) == (200, "Success")
    assert answer.body["details"] == {
        "name": "one",
        "group": "contract.example.com",
        "kind": "widgets",
        "uid": made["metadata"]["uid"],
    }
    assert api.get(f"{widgets}/one").status == 404


def test_a_delete_may_insist_on_a_uid(api: Api, widgets: str) -> None:
    api.post(widgets, widget("one"))
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": "another"}}
    answer = api.delete(f"{widgets}/one", options)
    assert status_of(answer.body)[:2] == (409, "Conflict")
    assert api.get(f"{widgets}/one").status == 200


def test_an_object_with_a_finalizer_waits_for_it(api: Api, widgets: str) -> None:
    guarded = widget("one")
    guarded["metadata"]["finalizers"] = ["example.com/guard"]
    api.post(widgets, guarded)
    answer = api.delete(f"{widgets}/one")
    assert answer.status == 200
    metadata = api.get(f"{widgets}/one").body["metadata"]
    assert metadata["deletionTimestamp"]
    assert (metadata["deletionGracePeriodSeconds"], metadata["generation"]) == (0, 2)
    assert api.merge(f"{widgets}/one", {"metadata": {"finalizers": []}}).status == 200
    assert api.get(f"{widgets}/one").status == 404


def test_a_collection_is_deleted_by_selector(api: Api, configmaps: str) -> None:
    for name, colour in (("one", "red"), ("two", "red"), ("three", "blue")):
        api.post(configmaps, configmap(name, labels={"colour": colour}))
    assert api.delete(configmaps, labelSelector="colour=red").status == 200
    left = api.get(configmaps, labelSelector="colour").body["items"]
    assert [item["metadata"]["name"] for item in left] == ["three"]


def test_what_an_object_owns_goes_with_it(api: Api, configmaps: str) -> None:
    owner = api.post(configmaps, configmap("owner")).body
    owned = configmap("owned")
    owned["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    ]
    api.post(configmaps, owned)
    api.delete(f"{configmaps}/owner", {"propagationPolicy": "Background"})
    api.eventually(f"{configmaps}/owned", lambda answer: answer.status == 404)


def test_an_orphan_survives_its_owner(api: Api, configmaps: str) -> None:
    owner = api.post(configmaps, configmap("owner")).body
    owned = configmap("owned")
    owned["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    ]
    api.post(configmaps, owned)
    api.delete(f"{configmaps}/owner", {"propagationPolicy": "Orphan"})
    api.eventually(f"{configmaps}/owner", lambda answer: answer.status == 404)
    api.eventually(f"{configmaps}/owned", lambda answer: "ownerReferences" not in answer.body["metadata"])


@pytest.mark.parametrize(("method", "path"), [("POST", "/api/v1/pods/x"), ("PUT", "/apis/apps/v1/deployments")])
def test_a_verb_that_a_resource_has_not_is_refused(api: Api, method: str, path: str) -> None:
    assert api.ask(method, path, {}).status in (404, 405)
