"""OpenAPI documents, as far as kubectl needs them: which kinds take `fieldValidation`, and what `kubectl explain` shows.

Custom resources have the schema of their CRD; built-in kinds are described as objects without fields.
"""

import copy
import hashlib
from typing import Any

from controller.embedded.discovery import version_info
from controller.embedded.objects import Object, encode
from controller.embedded.resources import Catalog, Resource

__all__ = ["openapi_index", "openapi_v2", "openapi_v3"]

_PATCHES = ("application/json-patch+json", "application/merge-patch+json")
_FIELD_VALIDATION = {"name": "fieldValidation", "in": "query", "schema": {"type": "string", "uniqueItems": True}}
_STRING = {"type": "string"}
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_META_SCHEMA: Object = {
    "type": "object",
    "description": "ObjectMeta is metadata that all persisted resources must have.",
    "properties": {
        "name": {**_STRING, "description": "Name must be unique within a namespace."},
        "namespace": {**_STRING, "description": "Namespace defines the space within which each name must be unique."},
        "labels": {"type": "object", "additionalProperties": _STRING},
        "annotations": {"type": "object", "additionalProperties": _STRING},
    },
}


def _path_of(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def openapi_index(catalog: Catalog) -> Object:
    """`/openapi/v3`: where the document of each group version is."""
    paths: Object = {}
    for group, versions in catalog.versions().items():
        for version in versions:
            path = _path_of(group, version)
            mark = hashlib.sha256(encode(openapi_v3(catalog, group, version))).hexdigest().upper()[:32]
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={mark}"}
    return {"paths": paths}


def openapi_v3(catalog: Catalog, group: str, version: str) -> Object | None:
    """The document of one group version; None when it is not served."""
    resources = catalog.of_version(group, version)
    if not resources:
        return None
    schemas = {_schema_name(resource): _schema(resource, "#/components/schemas/") for resource in resources}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": version_info()["gitVersion"]},
        "paths": {_url(resource): _operations(resource) for resource in resources},
        "components": {"schemas": {**schemas, _META: _META_SCHEMA}},
    }


def openapi_v2(catalog: Catalog) -> Object:
    """`/openapi/v2` in JSON: the definitions of every kind."""
    resources = [
        r for group, versions in catalog.versions().items() for v in versions for r in catalog.of_version(group, v)
    ]
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": version_info()["gitVersion"]},
        "paths": {},
        "definitions": {
            **{_schema_name(resource): _schema(resource, "#/definitions/") for resource in resources},
            _META: _META_SCHEMA,
        },
    }


def _kind_of(resource: Resource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _schema_name(resource: Resource) -> str:
    reverse = ".".join(reversed(resource.group.split("."))) if resource.group else "io.k8s.api.core"
    return f"{reverse}.{resource.version}.{resource.kind}"


def _schema(resource: Resource, references: str) -> Object:
    document: Object = copy.deepcopy(resource.schema.document) if resource.schema else {"type": "object"}
    own = document.get("properties") or {}
    document["properties"] = {
        "apiVersion": {**_STRING, "description": "The version of this representation."},
        "kind": {**_STRING, "description": "The kind of this object."},
        "metadata": {"description": "Standard object's metadata.", "allOf": [{"$ref": references + _META}]},
        **{key: value for key, value in own.items() if key not in ("apiVersion", "kind", "metadata")},
    }
    document["x-kubernetes-group-version-kind"] = [_kind_of(resource)]
    return document


def _url(resource: Resource) -> str:
    namespace = "namespaces/{namespace}/" if resource.namespaced else ""
    return f"/{_path_of(resource.group, resource.version)}/{namespace}{resource.plural}/{{name}}"


def _operations(resource: Resource) -> Object:
    schema = {"$ref": f"#/components/schemas/{_schema_name(resource)}"}
    found = {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}}
    body: dict[str, Any] = {"content": {patch: {"schema": {"type": "object"}} for patch in _PATCHES}}
    kind = {"x-kubernetes-group-version-kind": _kind_of(resource)}
    return {
        "get": {"x-kubernetes-action": "get", "responses": found, **kind},
        "patch": {
            "x-kubernetes-action": "patch",
            "parameters": [_FIELD_VALIDATION, {**_FIELD_VALIDATION, "name": "dryRun"}],
            "requestBody": body,
            "responses": found,
            **kind,
        },
    }
