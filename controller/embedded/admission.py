"""Everything that may change or refuse an object before it is stored: field validation, defaults, schema, names.

CEL is not run here. For CompositeScalers whose CRD carries CEL rules the models of `controller.api` stand in: the CRD's
rules are generated from them, so both refuse the same manifests. A CRD without rules, as an old cluster may have, lets
them pass.
"""

import re

from controller.api.errors import InvalidManifest
from controller.api.scaler import GROUP, CompositeScaler
from controller.embedded.builtin import built_in_problems, default_built_in
from controller.embedded.crds import crd_problems, default_crd
from controller.embedded.objects import Object
from controller.embedded.refusals import Cause, Undecodable, invalid
from controller.embedded.resources import Resource
from controller.embedded.schema import METADATA_FIELDS

__all__ = ["admit", "name_problems"]

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def name_problems(resource: Resource, name: str) -> list[Cause]:
    """What is wrong with a new object's name; RBAC names may hold anything but slashes."""
    if not name:
        message = "Required value: name or generateName is required"
        return [Cause("FieldValueRequired", message, "metadata.name")]
    if resource.group == "rbac.authorization.k8s.io":
        return []
    if len(name) <= 253 and _SUBDOMAIN.fullmatch(name):
        return []
    return [Cause("FieldValueInvalid", f'Invalid value: "{name}": {_SUBDOMAIN_RULE}', "metadata.name")]


def admit(resource: Resource, obj: Object, previous: Object | None, validation: str, part: str = "") -> list[str]:
    """Prunes and defaults a stored object in place, then checks it; returns warnings.

    `validation` is Strict (unknown fields are refused, 400), Warn or Ignore. `part` limits the check to one field (`status`): a status
    can be written although the rest would not pass any more. Refuses an invalid object (422).
    """
    unknown = _prune(resource, obj)
    if unknown and validation == "Strict":
        listed = ", ".join(f'unknown field "{path}"' for path in unknown)
        raise Undecodable(f"strict decoding error: {listed}")
    problems = _problems(resource, obj, previous, part)
    if problems:
        group = resource.group
        raise invalid(group, resource.kind, obj["metadata"].get("name", ""), problems)
    return [f'unknown field "{path}"' for path in unknown] if validation == "Warn" else []


def _prune(resource: Resource, obj: Object) -> list[str]:
    if resource.schema:
        unknown = resource.schema.prune(obj)
        resource.schema.default(obj)
        return unknown
    metadata = obj["metadata"]
    unknown = [f"metadata.{key}" for key in metadata if key not in METADATA_FIELDS]
    for path in unknown:
        del metadata[path.removeprefix("metadata.")]
    if resource.kind == "CustomResourceDefinition":
        default_crd(obj)
    else:
        default_built_in(resource, obj)
    return unknown


def _problems(resource: Resource, obj: Object, previous: Object | None, part: str) -> list[Cause]:
    if resource.schema:
        problems = resource.schema.validate(obj)
        if part:
            return [cause for cause in problems if re.match(rf"{part}(?![\w-])", cause.field)]
        return problems or _manifest_problems(resource, obj)
    if part:
        return []
    if resource.kind == "CustomResourceDefinition":
        return crd_problems(obj)
    return built_in_problems(resource, obj, previous)


def _manifest_problems(resource: Resource, obj: Object) -> list[Cause]:
    """What the CRD's CEL rules would say about a CompositeScaler."""
    if resource.group != GROUP or not resource.schema or not resource.schema.has_rules:
        return []
    try:
        CompositeScaler.parse(obj)
    except InvalidManifest as error:
        return [Cause("FieldValueInvalid", f'Invalid value: "object": {error}', "spec")]
    return []
