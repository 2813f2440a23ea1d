"""The documents by which clients find out what is served: `/api`, `/apis`, one list of resources per group version, `/version`."""

from controller.embedded.objects import Object
from controller.embedded.resources import Catalog, Resource

__all__ = ["api_groups", "api_resources", "api_versions", "version_info"]

# The Kubernetes whose behaviour is imitated: the one that the contract tests run against.
_MAJOR, _MINOR, _PATCH = 1, 36, 3

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_SUBRESOURCE_VERBS = ["get", "patch", "update"]


def version_info() -> Object:
    """`/version`."""
    return {
        "major": str(_MAJOR),
        "minor": str(_MINOR),
        "gitVersion": f"v{_MAJOR}.{_MINOR}.{_PATCH}",
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": "",
        "compiler": "",
        "platform": "embedded",
    }


def api_versions(address: str) -> Object:
    """`/api`; the address is `host:port`."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def api_groups(catalog: Catalog, group: str | None = None) -> Object | None:
    """`/apis`, or `/apis/GROUP`; None for a group that is not served."""
    groups = {name: versions for name, versions in catalog.versions().items() if name}
    if group is not None:
        return _group(group, groups[group], {"kind": "APIGroup", "apiVersion": "v1"}) if group in groups else None
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(name, versions, {}) for name, versions in sorted(groups.items())],
    }


def _group(name: str, versions: list[str], head: Object) -> Object:
    described = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {**head, "name": name, "versions": described, "preferredVersion": described[0]}


def api_resources(catalog: Catalog, group: str, version: str) -> Object | None:
    """`/api/v1` or `/apis/GROUP/VERSION`; None for a version that is not served."""
    resources = catalog.of_version(group, version)
    if not resources:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": [document for resource in resources for document in _documents(resource)],
    }


def _documents(resource: Resource) -> list[Object]:
    main: Object = {
        "name": resource.plural,
        "singularName": resource.singular or resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _VERBS,
    }
    if resource.short_names:
        main["shortNames"] = list(resource.short_names)
    if resource.categories:
        main["categories"] = list(resource.categories)
    documents = [main]
    below: Object = {"singularName": "", "namespaced": resource.namespaced, "verbs": _SUBRESOURCE_VERBS}
    if resource.scale:
        name = f"{resource.plural}/scale"
        documents.append({**below, "name": name, "group": "autoscaling", "version": "v1", "kind": "Scale"})
    if resource.status:
        documents.append({**below, "name": f"{resource.plural}/status", "kind": resource.kind})
    return documents
