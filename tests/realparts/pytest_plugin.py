"""Fixtures that hand real parts to tests, and the one rule for a part that is lacking.

The test is skipped with the reason, or fails where `COMPOSITESCALER_REQUIRE_REAL_PARTS=1` (CI) demands the part.

No fixture compiles anything: a test run never becomes a build of many minutes by surprise.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final, NoReturn

import pytest

from tests.realparts.controlplane import ControlPlane
from tests.realparts.parts import PartLackingError, locate
from tests.realparts.prometheus import PrometheusServer

REQUIRE_VARIABLE: Final = "COMPOSITESCALER_REQUIRE_REAL_PARTS"


def require(part: str) -> None:
    """Skip the running test, or fail it, unless a part is here.

    Parts are "api_server", "control_plane", "prometheus" and "promtool".
    """
    try:
        locate(part)
    except PartLackingError as lacking:
        lack(f"real part {part} is lacking: {lacking}")


def lack(reason: str) -> NoReturn:
    """Skip the running test for this reason, or fail it where the real parts are demanded."""
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        pytest.fail(f"{reason} ({REQUIRE_VARIABLE}=1 demands it)", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """The whole control plane, shared by all tests: use a namespace of your own. Pods are Ready after one second."""
    require("control_plane")
    with ControlPlane() as running:
        yield running


@pytest.fixture(scope="session")
def api_server() -> Iterator[ControlPlane]:
    """Only the API server, shared by all tests: no controller and no kubelet touches what a test writes."""
    require("api_server")
    with ControlPlane(controllers=False) as running:
        yield running


@pytest.fixture
def prometheus_factory() -> Iterator[Callable[..., PrometheusServer]]:
    """Starts a Prometheus with the arguments of `PrometheusServer`; all are stopped when the test ends."""
    require("prometheus")
    with ExitStack() as running:

        def start(*arguments: object, **options: object) -> PrometheusServer:
            return running.enter_context(PrometheusServer(*arguments, **options))  # type: ignore[arg-type]

        yield start
