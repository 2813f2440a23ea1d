"""Pause, pin, dry run and stop through the whole operator: a Deployment on the embedded API server, load from the embedded source.

The clock is told what time it is: a cycle is 15 s of it, however long it takes.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.api import Configuration
from controller.embedded import EmbeddedMetricsSource, WorkloadSettings
from controller.kube import Selector
from controller.operator import app
from controller.operator.app import Operator
from controller.operator.clock import rfc3339
from tests.operator_support import Api, Time, connected, manifest, serving

KEY = ("default", "web")
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/web"
WINDOW = 60.0
#: Replicas follow the load in proportion, at most four more in 15 s, and fewer only after a minute.
SPEC: dict[str, Any] = {
    "dimensions": [{"name": "load", "query": "load", "per": "Target", "target": "1"}],
    "magnitude": {"response": "Proportional"},
    "maxReplicas": 20,
    "behavior": {
        "scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}]},
        "scaleDown": {"stabilizationWindowSeconds": int(WINDOW)},
    },
    "cooldown": {"scaleDown": "0s"},
}


@dataclass
class Shop:
    """A Deployment under load with its CompositeScaler, and the operator, which does a cycle when it is told to."""

    api: Api
    operator: Operator
    source: EmbeddedMetricsSource
    time: Time
    file: Path

    @property
    def replicas(self) -> int:
        return int(self.api.send("GET", DEPLOYMENT)["spec"]["replicas"])

    async def cycles(self, load: float, count: int = 1) -> list[int]:
        """The replicas after each of so many cycles under a load that needs `load` of them."""
        found = []
        for _ in range(count):
            replicas = self.replicas
            await self._pods(replicas)
            self.time.pass_(15.0)
            self.source.add_samples({"__name__": "load"}, [(self.time.wall, load / max(replicas, 1))])
            await self.operator._one_cycle()
            found.append(self.replicas)
        return found

    async def edit(self, **fields: Any) -> None:
        """Change the object, and let the operator see it."""
        self.api.send("PATCH", self.api.path(KEY), fields)
        await self.operator.list_scalers()

    async def annotate(self, **annotations: str | None) -> None:
        """Write annotations of our group, hyphens as underscores; None takes one away."""
        named = {f"compositescaler.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
        await self.edit(metadata={"annotations": named})

    def condition(self) -> tuple[str, str]:
        """What ScalingBlocked is, and why."""
        (found,) = [each for each in self.status["conditions"] if each["type"] == "ScalingBlocked"]
        return found["status"], found["reason"]

    @property
    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.api.get("web")["status"]
        return status

    @property
    def decision(self) -> dict[str, Any]:
        decision: dict[str, Any] = self.status["lastDecision"]
        return decision

    def gauge(self, metric: str, /, **labels: str) -> float | None:
        return self.operator.server._registry.get_sample_value(f"compositescaler_{metric}", labels)

    async def _pods(self, replicas: int) -> None:
        """Wait until the operator has seen the pods, all of them Ready."""
        group = self.operator._pods.group("default", Selector.of({"matchLabels": {"app": "web"}}))
        await eventually(lambda: [each.ready for each in group.pods if not each.deleting] == [True] * replicas)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serving(tmp_path, WorkloadSettings(startup_seconds=0.0)) as api:
        yield api


@asynccontextmanager
async def shop_of(
    api: Api, folder: Path, monkeypatch: pytest.MonkeyPatch, replicas: int, **spec: Any
) -> AsyncIterator[Shop]:
    # Time flies here, and what was heard of the pods does not grow old with it.
    monkeypatch.setattr(app, "CURRENT_SECONDS", math.inf)
    clock, file = Time(wall=time.time()), folder / "configuration.yaml"
    api.deploy("web", replicas)
    api.create(manifest("web", **{**SPEC, **spec}))
    source = EmbeddedMetricsSource(interval_seconds=None, clock=lambda: clock.wall)
    async with source.running(), connected(api) as client:
        content = {"evaluationDelay": "0s", "listen": "127.0.0.1:0", "sources": {"default": {"url": source.url}}}
        file.write_text(yaml.safe_dump(content))
        operator = Operator(Configuration.parse(content), client, clock.clock, file)
        pods = asyncio.create_task(operator._pod_reflector.run())
        await operator._pod_reflector.synced.wait()
        await operator.list_scalers()
        try:
            yield Shop(api, operator, source, clock, file)
        finally:
            pods.cancel()
            await asyncio.gather(pods, return_exceptions=True)
            await operator.stop()


@pytest.fixture
async def shop(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    async with shop_of(api, tmp_path, monkeypatch, 4) as shop:
        yield shop


async def test_nothing_moves_while_paused_and_what_would_is_told_and_afterwards_it_goes_up_at_its_rate(
    shop: Shop,
) -> None:
    assert await shop.cycles(4, 2) == [4, 4]
    await shop.annotate(paused="true")
    assert await shop.cycles(14, 6) == [4] * 6
    assert shop.condition() == ("True", "Paused")
    assert shop.decision["message"].endswith(
        "staying at 4: paused by the annotation compositescaler.io/paused; without it 8 replicas"
    )
    stages = shop.decision["replicas"]
    assert (stages["proposed"], stages["bounded"], stages["overridden"]) == (14, 8, 4)
    assert shop.gauge("paused", namespace="default", name="web", reason="Paused") == 1
    await shop.annotate(paused=None)
    assert await shop.cycles(14, 5) == [8, 12, 14, 14, 14]
    assert shop.condition() == ("False", "NotBlocked")
    assert shop.gauge("paused", namespace="default", name="web", reason="Paused") is None


async def test_a_pause_under_which_the_load_fell_ends_without_a_drop(shop: Shop) -> None:
    assert (await shop.cycles(12, 3))[-1] == 12
    await shop.annotate(paused="true")
    assert await shop.cycles(3, 8) == [12] * 8
    await shop.annotate(paused=None)
    after = await shop.cycles(3, 6)
    assert after[: int(WINDOW / 15)] == [12] * int(WINDOW / 15)
    assert after[-1] == 3


async def test_a_pinned_number_is_reached_at_once_kept_against_its_bounds_and_left_smoothly(shop: Shop) -> None:
    await shop.edit(spec={"maxReplicas": 10})
    assert await shop.cycles(4) == [4]
    await shop.annotate(paused_replicas="12")
    assert await shop.cycles(2, 3) == [12] * 3
    assert shop.condition() == ("True", "PausedReplicas")
    assert shop.status["scaleEvents"][-1]["reason"] == "PausedReplicas"
    await shop.annotate(paused_replicas="2")
    assert await shop.cycles(8, 2) == [2, 2]
    await shop.annotate(paused_replicas=None)
    assert await shop.cycles(8, 4) == [6, 8, 8, 8]


async def test_a_target_that_was_pinned_to_zero_comes_back_when_the_pin_ends(shop: Shop) -> None:
    assert await shop.cycles(6, 2) == [6, 6]
    await shop.annotate(paused_replicas="0")
    assert await shop.cycles(6, 3) == [0] * 3
    await shop.annotate(paused_replicas=None)
    assert await shop.cycles(6, 2) == [6, 6]


async def test_one_direction_may_be_paused_alone(shop: Shop) -> None:
    await shop.annotate(paused_scale_in="true")
    assert await shop.cycles(8) == [8]
    assert await shop.cycles(3, 8) == [8] * 8
    await shop.annotate(paused_scale_in="false", paused_scale_out="true")
    assert (await shop.cycles(3, 6))[-1] == 3
    assert await shop.cycles(9, 2) == [3, 3]
    assert shop.condition() == ("True", "PausedScaleOut")


async def test_a_pause_ends_by_itself_when_its_time_has_come(shop: Shop) -> None:
    await shop.annotate(paused_until=rfc3339(shop.time.wall + 31.0))
    assert await shop.cycles(8, 4) == [4, 4, 8, 8]


async def test_a_dry_run_decides_and_writes_nothing_until_it_is_one_no_more(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with shop_of(api, tmp_path, monkeypatch, 4, dryRun=True) as shop:
        assert await shop.cycles(8, 3) == [4] * 3
        assert (shop.condition(), shop.decision["replicas"]["bounded"]) == (("True", "DryRun"), 8)
        assert await shop.cycles(2, 9) == [4] * 9
        assert shop.decision["replicas"]["bounded"] == 2
        assert api.writes(DEPLOYMENT) == 0
        await shop.edit(spec={"dryRun": False})
        assert await shop.cycles(8, 2) == [8, 8]


async def test_a_stop_holds_everything_within_one_cycle_and_lets_it_go_within_one(shop: Shop) -> None:
    running = shop.file.read_text()
    assert (shop.gauge("stopped"), await shop.cycles(4)) == (0, [4])
    shop.file.write_text(running + "stop: true\n")
    assert await shop.cycles(8, 2) == [4, 4]
    assert (shop.gauge("stopped"), shop.condition()) == (1, ("True", "Stopped"))
    shop.file.write_text("stop: [")
    assert await shop.cycles(8) == [4]
    await shop.annotate(paused_replicas="12")
    assert await shop.cycles(8) == [4]
    shop.file.write_text(running)
    assert await shop.cycles(8) == [12]
    assert shop.gauge("stopped") == 0


async def test_nothing_is_scaled_on_an_annotation_that_cannot_be_read(shop: Shop) -> None:
    await shop.annotate(paused="yes")
    assert await shop.cycles(8, 2) == [4, 4]
    ready = next(each for each in shop.status["conditions"] if each["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "InvalidAnnotation")
    assert 'must be "true" or "false" (got "yes")' in ready["message"]
    await shop.annotate(paused="false")
    assert await shop.cycles(8) == [8]


async def test_a_pause_that_comes_while_a_decision_is_under_way_stops_its_write(shop: Shop) -> None:
    asked = shop.operator._cycle._ask

    async def then_pause(plan: Any, at: float) -> Any:
        answers = await asked(plan, at)
        await shop.annotate(paused="true")
        return answers

    shop.operator._cycle._ask = then_pause  # type: ignore[method-assign]
    assert await shop.cycles(8) == [4]


async def test_a_pause_survives_a_restart_and_so_does_what_a_pin_was(shop: Shop) -> None:
    await shop.annotate(paused_replicas="0")
    assert await shop.cycles(6) == [0]
    async with connected(shop.api) as client:
        again = Operator(shop.operator.configuration, client, shop.time.clock)
        pods = asyncio.create_task(again._pod_reflector.run())
        await again._pod_reflector.synced.wait()
        await again.list_scalers()
        shop.operator, before = again, shop.operator
        assert await shop.cycles(6) == [0]
        await shop.annotate(paused_replicas=None)
        assert await shop.cycles(6) == [4]
        pods.cancel()
        await asyncio.gather(pods, return_exceptions=True)
        await again.stop()
        shop.operator = before
