"""CustomResourceDefinitions: what is wrong with one, which status it gets, and which resources it serves."""

from controller.embedded.jsonpath import JsonPath
from controller.embedded.objects import Object, timestamp
from controller.embedded.refusals import Cause
from controller.embedded.resources import Column, Resource, ScalePaths
from controller.embedded.schema import Schema

__all__ = ["crd_problems", "crd_status", "default_crd", "served_resources"]

_AGE = Column("Age", "date", JsonPath(".metadata.creationTimestamp"))


def crd_problems(crd: Object) -> list[Cause]:
    """What the API server would refuse about the definition; empty when it can be served."""
    spec = crd.get("spec") or {}
    names, versions = spec.get("names") or {}, spec.get("versions") or []
    required = [
        ("spec.group", spec.get("group")),
        ("spec.names.plural", names.get("plural")),
        ("spec.names.kind", names.get("kind")),
        ("spec.scope", spec.get("scope")),
    ]
    problems = [Cause("FieldValueRequired", "Required value", path) for path, value in required if not value]
    if problems:
        return problems
    if crd["metadata"]["name"] != f"{names['plural']}.{spec['group']}":
        message = f'Invalid value: "{crd["metadata"]["name"]}": must be spec.names.plural+"."+spec.group'
        problems.append(Cause("FieldValueInvalid", message, "metadata.name"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        message = "Invalid value: must have exactly one version marked as storage version"
        problems.append(Cause("FieldValueInvalid", message, "spec.versions"))
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            message = "Required value: schemas are required"
            problems.append(Cause("FieldValueRequired", message, f"{path}.schema.openAPIV3Schema"))
        for number, column in enumerate(version.get("additionalPrinterColumns") or ()):
            try:
                JsonPath(column.get("jsonPath", ""))
            except ValueError as error:
                field = f"{path}.additionalPrinterColumns[{number}].jsonPath"
                problems.append(Cause("FieldValueInvalid", f"Invalid value: {error}", field))
    return problems


def default_crd(crd: Object) -> None:
    """Fills in, in place, the names that follow from others."""
    spec = crd.get("spec") or {}
    names = spec.get("names") or {}
    if names.get("kind"):
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})


def crd_status(crd: Object, previous: Object | None) -> Object:
    """The status: accepted names, conditions NamesAccepted and Established, and every version ever stored."""
    spec = crd["spec"]
    stored = list((previous or {}).get("storedVersions") or [])
    current = next(version["name"] for version in spec["versions"] if version.get("storage"))
    if previous and previous.get("conditions"):
        conditions = previous["conditions"]
    else:
        now = timestamp()
        conditions = [
            {
                "type": "NamesAccepted",
                "status": "True",
                "lastTransitionTime": now,
                "reason": "NoConflicts",
                "message": "no conflicts found",
            },
            {
                "type": "Established",
                "status": "True",
                "lastTransitionTime": now,
                "reason": "InitialNamesAccepted",
                "message": "the initial names have been accepted",
            },
        ]
    return {
        "conditions": conditions,
        "acceptedNames": spec["names"],
        "storedVersions": stored if current in stored else [*stored, current],
    }


def served_resources(crd: Object) -> list[Resource]:
    """One resource for each served version, the storage version first."""
    spec = crd["spec"]
    versions = sorted(spec["versions"], key=lambda version: not version.get("storage"))
    return [_resource(spec, version) for version in versions if version.get("served")]


def _resource(spec: Object, version: Object) -> Resource:
    names, subresources = spec["names"], version.get("subresources") or {}
    columns = version.get("additionalPrinterColumns")
    return Resource(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        kind=names["kind"],
        namespaced=spec["scope"] == "Namespaced",
        singular=names.get("singular") or names["kind"].lower(),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        status="status" in subresources,
        generation=True,
        scale=_scale_paths(subresources["scale"]) if subresources.get("scale") else None,
        custom=True,
        unconditional_update=False,
        selectable={path: path for path in _selectable_fields(version)},
        schema=Schema(version["schema"]["openAPIV3Schema"]),
        columns=tuple(_column(column) for column in columns) if columns else (_AGE,),
    )


def _selectable_fields(version: Object) -> list[str]:
    return [field["jsonPath"].lstrip(".") for field in version.get("selectableFields") or ()]


def _column(column: Object) -> Column:
    return Column(
        name=column["name"],
        type=column["type"],
        path=JsonPath(column["jsonPath"]),
        description=column.get("description", ""),
        format=column.get("format", ""),
        priority=column.get("priority", 0),
    )


def _scale_paths(scale: Object) -> ScalePaths:
    selector = scale.get("labelSelectorPath")
    return ScalePaths(
        spec_replicas=tuple(scale["specReplicasPath"].strip(".").split(".")),
        status_replicas=tuple(scale["statusReplicasPath"].strip(".").split(".")),
        selector=tuple(selector.strip(".").split(".")) if selector else None,
    )
