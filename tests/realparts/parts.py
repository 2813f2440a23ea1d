"""Which binaries the real parts consist of, and where each one lies on this machine.

Only looks; compiling is the business of `tests.realparts.build`. The order is `$KUBEBUILDER_ASSETS`, the user's
cache folder, and, for Prometheus on a machine without Go, `$PATH`.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

HERE: Final = Path(__file__).parent
BUILD_COMMAND: Final = "python -m tests.realparts.build"
OLDEST_PROMETHEUS: Final = (2, 42)

GO_BUILD_FLAGS: Final = ("-mod=readonly", "-trimpath", "-buildvcs=false")


class PartLackingError(Exception):
    """A binary is neither found nor built yet; the message says how to have it."""


@dataclass(frozen=True)
class GoModule:
    """One pinned Go module and the commands compiled from it.

    `version_variables` maps a module named in go.mod to the Go variables that its commands report their version
    from: without them kube-apiserver calls itself v0.0.0-master and clients that parse the version fail.
    """

    name: str
    folder: Path
    packages: Mapping[str, str]
    version_of: str
    version_variables: Mapping[str, str]

    def pinned_version(self) -> str:
        """The version of `version_of` that go.mod pins, such as v1.36.3."""
        text = (self.folder / "go.mod").read_text(encoding="utf-8")
        found = re.search(rf"^\s*(?:require )?{re.escape(self.version_of)} (v\S+)", text, re.MULTILINE)
        if found is None:
            raise ValueError(f"{self.folder / 'go.mod'} must say `require {self.version_of} vX.Y.Z` and does not")
        return found[1]

    def oldest_go(self) -> tuple[int, int]:
        """The `go` line of go.mod as (major, minor)."""
        text = (self.folder / "go.mod").read_text(encoding="utf-8")
        found = re.search(r"^go (\d+)\.(\d+)", text, re.MULTILINE)
        if found is None:
            raise ValueError(f"{self.folder / 'go.mod'} has no `go` line; write `go 1.26.0`")
        return int(found[1]), int(found[2])

    def linker_flags(self) -> str:
        """Stripped, with the version that the command reports."""
        version = self.pinned_version()
        major, minor, patch = version.removeprefix("v").split(".")
        words = {"version": version, "major": major, "minor": minor, "patch": patch}
        # Prometheus publishes release 3.15.0 as module version v0.315.0.
        words["prometheus"] = f"{minor[:-2]}.{int(minor[-2:])}.{patch}"
        variables = [f"-X {name}={value.format(**words)}" for name, value in self.version_variables.items()]
        return " ".join(["-s", "-w", *variables])

    def cache_folder(self) -> Path:
        """Where its binaries are kept: a new folder whenever a pinned version, a flag or the platform changes."""
        digest = hashlib.sha256()
        for name in ("go.mod", "go.sum"):
            digest.update((self.folder / name).read_bytes())
        recipe = (GO_BUILD_FLAGS, self.linker_flags(), sorted(self.packages.items()))
        digest.update(repr((recipe, platform.system(), platform.machine())).encode())
        return _cache_root() / f"{self.name}-{digest.hexdigest()[:16]}"


CONTROL_PLANE_MODULE: Final = GoModule(
    name="controlplane",
    folder=HERE / "controlplane",
    packages=MappingProxyType(
        {
            "etcd": "go.etcd.io/etcd/server/v3",
            "kwok": "sigs.k8s.io/kwok/cmd/kwok",
            "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
            "kubectl": "k8s.io/kubernetes/cmd/kubectl",
            "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
        }
    ),
    version_of="k8s.io/kubernetes",
    version_variables=MappingProxyType(
        {
            "k8s.io/component-base/version.gitVersion": "{version}",
            "k8s.io/component-base/version.gitMajor": "{major}",
            "k8s.io/component-base/version.gitMinor": "{minor}",
        }
    ),
)

PROMETHEUS_MODULE: Final = GoModule(
    name="prometheus",
    folder=HERE / "prometheusmodule",
    packages=MappingProxyType(
        {
            "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
            "promtool": "github.com/prometheus/prometheus/cmd/promtool",
        }
    ),
    version_of="github.com/prometheus/prometheus",
    version_variables=MappingProxyType({"github.com/prometheus/common/version.Version": "{prometheus}"}),
)

MODULES: Final = (CONTROL_PLANE_MODULE, PROMETHEUS_MODULE)

PARTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "api_server": ("etcd", "kube-apiserver", "kubectl"),
        "control_plane": ("etcd", "kube-apiserver", "kubectl", "kube-controller-manager", "kwok"),
        "prometheus": ("prometheus",),
        "promtool": ("promtool",),
    }
)
"""The names that tests ask for, and the binaries behind each."""


@dataclass(frozen=True)
class Found:
    """A usable binary and, for people, where it came from."""

    path: Path
    origin: str


def find(binary: str) -> Found | None:
    """Look for one binary without building it."""
    module = module_of(binary)
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and module is CONTROL_PLANE_MODULE and _is_executable(Path(assets) / binary):
        return Found(Path(assets) / binary, "$KUBEBUILDER_ASSETS")
    cached = module.cache_folder() / binary
    if _is_executable(cached):
        return Found(cached, "the cache")
    if module is PROMETHEUS_MODULE and shutil.which("go") is None:
        return _installed_prometheus(binary)
    return None


def locate(part: str) -> dict[str, Path]:
    """The binaries of one part by name; raises `PartLackingError` with what to run when one is lacking."""
    if part not in PARTS:
        raise ValueError(f"there is no part {part!r}; write one of {', '.join(PARTS)}")
    found = {binary: find(binary) for binary in PARTS[part]}
    lacking = [binary for binary, place in found.items() if place is None]
    if lacking:
        raise PartLackingError(
            f"{', '.join(lacking)} not found on this machine; run `{BUILD_COMMAND}` (needs Go; minutes the first time)"
        )
    return {binary: place.path for binary, place in found.items() if place is not None}


def module_of(binary: str) -> GoModule:
    """The Go module that a binary is compiled from."""
    for module in MODULES:
        if binary in module.packages:
            return module
    known = ", ".join(name for module in MODULES for name in module.packages)
    raise ValueError(f"no module builds {binary!r}; write one of {known}")


def _cache_root() -> Path:
    configured = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is invalid and must be ignored.
    base = Path(configured) if Path(configured).is_absolute() else Path.home() / ".cache"
    return base / "compositescaler" / "realparts"


def _is_executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


@cache
def _installed_prometheus(binary: str) -> Found | None:
    path = shutil.which(binary)
    if path is None:
        return None
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"version (\d+)\.(\d+)", answer.stdout + answer.stderr)
    if version is None or (int(version[1]), int(version[2])) < OLDEST_PROMETHEUS:
        return None
    return Found(Path(path), f"$PATH, version {version[1]}.{version[2]}")
