"""The words that a custom query may contain: `$namespace`, `$name` and `$pods` become those of the scaler's target.

Only names that the API server admits are filled in, so that nothing in them can end a PromQL string.
"""

from __future__ import annotations

import re

from controller.api import InvalidManifest

__all__ = ["custom_text"]

#: `$$`, `${word}`, `$word`. A `$` before anything else is PromQL's own: the end of a regular expression, or `$1` of
#: label_replace.
_PLACEHOLDER = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def custom_text(template: str, namespace: str, name: str) -> str:
    """A query's text for one target.

    `$namespace` and `$name` are those of the target. `$pods` is a regular expression for `pod=~"$pods"` that matches
    the pods of a Deployment, ReplicaSet, StatefulSet or Argo Rollout of that name: `checkout-7d9c5b-x2x4z` and
    `checkout-0`, but not those of `checkout-worker`. `$$` is a `$` where a word follows.

    Raises `InvalidManifest` for any other `$word`, and for a namespace or name that no API server admits.
    """
    if not _DNS_LABEL.fullmatch(namespace):
        raise InvalidManifest(f"namespace {namespace!r} is no DNS label; write lower-case letters, digits and '-'")
    if not _DNS_SUBDOMAIN.fullmatch(name):
        raise InvalidManifest(f"target name {name!r} is no DNS name; write lower-case letters, digits, '-' and '.'")
    words = {"namespace": namespace, "name": name, "pods": _pods(name)}

    def fill(found: re.Match[str]) -> str:
        dollar, braced, bare = found.groups()
        if dollar:
            return "$"
        if bare in words:
            return words[bare]
        written = found.group()
        if braced in words:
            raise InvalidManifest(f"query has {written}; write ${braced} without braces")
        raise InvalidManifest(
            f"query has {written}; write $namespace, $name or $pods, or ${written} where PromQL is to see {written}"
        )

    return _PLACEHOLDER.sub(fill, template)


def _pods(name: str) -> str:
    # [.] and not \. : a backslash would have to be doubled in "..." but not in `...`.
    prefix = name.replace(".", "[.]")
    return f"{prefix}-([0-9]+|([a-z0-9]+-)?[a-z0-9]{{5}})"
