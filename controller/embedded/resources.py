"""Which resources are served, and how each of them behaves: the built-in kinds, and those that CRDs add while the server runs.

A resource is data. What follows from the data is decided elsewhere: writes in `lifecycle.py`, columns in `tables.py`, documents in
`discovery.py` and `openapi.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.embedded.jsonpath import JsonPath
from controller.embedded.schema import Schema

__all__ = ["BUILT_IN", "Catalog", "Column", "Resource", "ScalePaths"]


@dataclass(frozen=True)
class ScalePaths:
    """Where a resource keeps what `/scale` shows; `selector` is None where the resource has no label selector."""

    spec_replicas: tuple[str, ...]
    status_replicas: tuple[str, ...]
    selector: tuple[str, ...] | None


@dataclass(frozen=True)
class Column:
    """One column of a Table; priority 0 is always shown, 1 with `-o wide`."""

    name: str
    type: str
    path: JsonPath
    description: str = ""
    format: str = ""
    priority: int = 0


@dataclass(frozen=True, eq=False)
class Resource:
    """One kind in one served version."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    storage_group: str | None = None
    """The group whose collection holds the objects; None: its own (events live in the core group)."""
    status: bool = False
    """Whether `/status` is a subresource, so that the main resource leaves status alone."""
    generation: bool = False
    scale: ScalePaths | None = None
    custom: bool = False
    create_on_update: bool = False
    unconditional_update: bool = True
    graceful: bool = False
    """Whether DELETE waits for a kubelet once the object has a node."""
    selectable: Mapping[str, str] = field(default_factory=dict)
    """The fields of field selectors, beyond name and namespace, and where the stored object has them."""
    schema: Schema | None = None
    columns: tuple[Column, ...] | None = None

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def storage(self) -> str:
        """The name of the collection that holds the objects of every version."""
        group = self.group if self.storage_group is None else self.storage_group
        return f"{self.plural}.{group}" if group else self.plural

    @property
    def unsupported_field(self) -> str:
        """What is said about a field that cannot be selected; kinds without any of their own say which ones can."""
        if self.custom or self.selectable:
            return "field label not supported: {}"
        return '"{}" is not a known field selector: only "metadata.name", "metadata.namespace"'

    @property
    def list_kind(self) -> str:
        return f"{self.kind}List"


def _fields(*paths: str) -> Mapping[str, str]:
    return {path: path for path in paths}


_SCALE = ScalePaths(("spec", "replicas"), ("status", "replicas"), ("spec", "selector"))
_RBAC = "rbac.authorization.k8s.io"
_REFERENCE = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_EVENT_FIELDS = {
    **_fields(*(f"involvedObject.{part}" for part in _REFERENCE), "reason", "reportingComponent", "type"),
    "source": "source.component",
}
_NEW_EVENT_FIELDS = {
    **{f"regarding.{part}": f"involvedObject.{part}" for part in _REFERENCE},
    **_fields("reason", "type"),
    "reportingController": "reportingComponent",
}
_POD_FIELDS = _fields(
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
)


def _core(plural: str, kind: str, *short_names: str, **more: Any) -> Resource:
    return Resource("", "v1", plural, kind, short_names=short_names, **more)


def _workload(plural: str, kind: str, short_name: str, **more: Any) -> Resource:
    return Resource(
        "apps",
        "v1",
        plural,
        kind,
        short_names=(short_name,),
        categories=("all",),
        status=True,
        generation=True,
        scale=_SCALE,
        **more,
    )


def _events(group: str, selectable: Mapping[str, str]) -> Resource:
    return Resource(
        group,
        "v1",
        "events",
        "Event",
        short_names=("ev",),
        storage_group="" if group else None,
        create_on_update=True,
        selectable=selectable,
    )


BUILT_IN: tuple[Resource, ...] = (
    _core("configmaps", "ConfigMap", "cm"),
    _core("endpoints", "Endpoints", "ep"),
    _core("namespaces", "Namespace", "ns", namespaced=False, status=True, selectable=_fields("status.phase")),
    _core("nodes", "Node", "no", namespaced=False, status=True, selectable=_fields("spec.unschedulable")),
    _core(
        "pods",
        "Pod",
        "po",
        categories=("all",),
        status=True,
        generation=True,
        graceful=True,
        selectable=_POD_FIELDS,
    ),
    _core("secrets", "Secret", selectable=_fields("type")),
    _core("serviceaccounts", "ServiceAccount", "sa"),
    _core("services", "Service", "svc", categories=("all",), status=True),
    _events("", _EVENT_FIELDS),
    _events("events.k8s.io", _NEW_EVENT_FIELDS),
    Resource(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        status=True,
        generation=True,
        unconditional_update=False,
    ),
    _workload("deployments", "Deployment", "deploy"),
    _workload("replicasets", "ReplicaSet", "rs", selectable=_fields("status.replicas")),
    _workload("statefulsets", "StatefulSet", "sts"),
    Resource("coordination.k8s.io", "v1", "leases", "Lease", create_on_update=True, unconditional_update=False),
    Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False, create_on_update=True),
    Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False, create_on_update=True),
    Resource(_RBAC, "v1", "rolebindings", "RoleBinding", create_on_update=True),
    Resource(_RBAC, "v1", "roles", "Role", create_on_update=True),
)


class Catalog:
    """The resources that are served now."""

    def __init__(self, resources: Iterable[Resource] = BUILT_IN) -> None:
        self._resources = {(r.group, r.version, r.plural): r for r in resources}

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._resources.get((group, version, plural))

    def by_storage(self, storage: str) -> Resource | None:
        """One of the resources that serve a collection; the storage version where there are several."""
        return next((r for r in self._resources.values() if r.storage == storage and r.storage_group is None), None)

    def of_version(self, group: str, version: str) -> list[Resource]:
        """The resources of one group version, by plural."""
        found = [r for r in self._resources.values() if (r.group, r.version) == (group, version)]
        return sorted(found, key=lambda resource: resource.plural)

    def versions(self) -> dict[str, list[str]]:
        """The versions of each group, the core group included as the empty string, the preferred one first."""
        versions: dict[str, list[str]] = {}
        for resource in self._resources.values():
            known = versions.setdefault(resource.group, [])
            if resource.version not in known:
                known.append(resource.version)
        return {group: sorted(known, key=_stability, reverse=True) for group, known in versions.items()}

    def replace(self, group: str, plural: str, resources: Iterable[Resource]) -> None:
        """Serves these versions of a custom resource from now on, and no others; none to stop serving it."""
        self._resources = {key: r for key, r in self._resources.items() if (r.group, r.plural) != (group, plural)} | {
            (r.group, r.version, r.plural): r for r in resources
        }


def _stability(version: str) -> tuple[int, str]:
    """Orders v1 over v1beta1 over v1alpha1."""
    return (0 if "alpha" in version else 1 if "beta" in version else 2), version
