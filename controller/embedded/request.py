"""What a request asks for, read from its path and its query; nothing is looked up in the store here."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from controller.embedded.lifecycle import DeleteOptions, WriteOptions
from controller.embedded.objects import Object
from controller.embedded.refusals import Cause, Refusal, bad_request, invalid, no_such_resource, not_acceptable
from controller.embedded.resources import Catalog, Resource

__all__ = ["Target", "delete_options", "parse_body", "parse_target", "wants_table", "write_options"]

_RESOURCE_PATH = re.compile(
    r"^/(?:api/(?P<core>[^/]+)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/[^/]+))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<sub>[^/]+))?)?/?$"
)
_JSON_TYPES = ("application/json", "application/*", "*/*")
_SERVED = ("application/json", "application/json;as=Table;g=meta.k8s.io;v=v1")


@dataclass(frozen=True)
class Target:
    """One resource, and within it the namespace, the object and the subresource; empty where none is named."""

    resource: Resource
    namespace: str
    name: str
    subresource: str


def parse_target(catalog: Catalog, path: str) -> Target:
    """The target of a resource path; refuses what is not served (404)."""
    found = _RESOURCE_PATH.match(path)
    if found is None:
        raise no_such_resource()
    namespace, plural, name, sub = (found[key] or "" for key in ("namespace", "plural", "name", "sub"))
    if namespace and plural in ("status", "finalize") and not name:
        # /namespaces/NAME/status is the status of the namespace, not a resource in it.
        namespace, plural, name, sub = "", "namespaces", namespace, plural
    resource = catalog.find(found["group"] or "", found["version"] or found["core"], plural)
    if resource is None or (namespace and not resource.namespaced):
        raise no_such_resource()
    if sub and not (sub == "status" and resource.status) and not (sub == "scale" and resource.scale):
        raise no_such_resource()
    if resource.namespaced and name and not namespace:
        raise no_such_resource()
    return Target(resource, namespace, name, sub)


def parse_body(target: Target, body: bytes, kind: str, api_version: str) -> Object:
    """The object of a POST or PUT; refuses another kind, version, namespace or name than the URL's (400)."""
    try:
        obj = json.loads(body)
    except ValueError as error:
        raise bad_request(f"the object provided is unrecognized (must be of type {kind}): {error}") from error
    if not isinstance(obj, dict) or not isinstance(obj.get("metadata", {}), dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {kind}): it is no object")
    for field, wanted in (("apiVersion", api_version), ("kind", kind)):
        # The real server fills in what typed clients leave out for built-in kinds.
        if not obj.get(field) and not target.resource.custom:
            obj[field] = wanted
    if obj.get("apiVersion") != api_version:
        given = obj.get("apiVersion")
        raise bad_request(
            f"the API version in the data ({given}) does not match the expected API version ({api_version})"
        )
    if obj.get("kind") != kind:
        raise bad_request(f"the kind in the data ({obj.get('kind')}) does not match the expected kind ({kind})")
    metadata = obj.setdefault("metadata", {})
    _check_metadata(kind, target.resource.version, metadata)
    if target.namespace and metadata.get("namespace", target.namespace) != target.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if not target.resource.namespaced:
        metadata.pop("namespace", None)
    if target.name and metadata.get("name", target.name) != target.name:
        given = metadata["name"]
        raise bad_request(f"the name of the object ({given}) does not match the name on the URL ({target.name})")
    return obj


def _check_metadata(kind: str, version: str, metadata: Object) -> None:
    """Refuses metadata of the wrong shape, which nothing further on looks out for."""
    for field in ("labels", "annotations"):
        texts = metadata.get(field) or {}
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            raise _undecodable_metadata(kind, version, field, "map[string]string")
    owners = metadata.get("ownerReferences") or []
    if not isinstance(owners, list) or not all(isinstance(owner, dict) and owner.get("uid") for owner in owners):
        raise _undecodable_metadata(kind, version, "ownerReferences", "[]v1.OwnerReference")
    finalizers = metadata.get("finalizers") or []
    if not isinstance(finalizers, list) or not all(isinstance(text, str) for text in finalizers):
        raise _undecodable_metadata(kind, version, "finalizers", "[]string")


def _undecodable_metadata(kind: str, version: str, field: str, wanted: str) -> Refusal:
    where = f'{kind} in version "{version}" cannot be handled as a {kind}'
    return bad_request(
        f"{where}: json: cannot unmarshal into Go struct field ObjectMeta.metadata.{field} of type {wanted}"
    )


def write_options(query: Mapping[str, str], warn: list[str]) -> WriteOptions:
    """`dryRun` and `fieldValidation`; refuses values that do not exist (422)."""
    dry_run = query.get("dryRun", "")
    if dry_run not in ("", "All"):
        raise _unsupported_option(dry_run, "dryRun", '"All"')
    validation = query.get("fieldValidation") or "Warn"
    if validation not in ("Ignore", "Strict", "Warn"):
        raise _unsupported_option(validation, "fieldValidation", '"Ignore", "Strict", "Warn"')
    return WriteOptions(bool(dry_run), validation, warn.append)


def _unsupported_option(given: str, field: str, supported: str) -> Refusal:
    message = f'Unsupported value: "{given}": supported values: {supported}'
    return invalid("meta.k8s.io", "CreateOptions", "", [Cause("FieldValueNotSupported", message, field)])


def delete_options(query: Mapping[str, str], body: bytes) -> DeleteOptions:
    """What a DELETE says in its body or, without one, in its query."""
    try:
        given = json.loads(body) if body.strip() else {}
    except ValueError as error:
        raise bad_request(f"couldn't decode DeleteOptions: {error}") from error
    preconditions = given.get("preconditions") or {}
    grace = given.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    dry_run = given.get("dryRun") or [query.get("dryRun")]
    if given.get("orphanDependents"):
        propagation = "Orphan"
    else:
        propagation = given.get("propagationPolicy") or query.get("propagationPolicy") or "Background"
    return DeleteOptions(
        dry_run="All" in dry_run,
        propagation=propagation,
        grace_seconds=int(grace) if grace is not None else None,
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
    )


def wants_table(accept: str) -> bool:
    """Whether the first representation that is served is a Table; refuses what is not served at all (406)."""
    for choice in accept.split(",") if accept else ["*/*"]:
        media_type, *parameters = (part.strip() for part in choice.split(";"))
        if media_type not in _JSON_TYPES:
            continue
        wanted = dict(parameter.partition("=")[::2] for parameter in parameters)
        if "as" not in wanted:
            return False
        if wanted["as"] == "Table" and wanted.get("v", "v1") == "v1" and media_type == "application/json":
            return True
    raise not_acceptable(_SERVED)
