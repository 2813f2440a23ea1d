"""The operator as a process: everything wired together, started and stopped in order, and healthy or not.

What kopf does in it is in `watch`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

import kopf

from controller.api import Configuration, KubernetesError
from controller.kube import (
    COMPOSITE_SCALERS,
    CURRENT_SECONDS,
    Client,
    Discovery,
    EventRecorder,
    PodCache,
    PodObject,
    Reflector,
    TargetCache,
    wait_for_crd,
)
from controller.operator.clock import Clock
from controller.operator.cycle import Cycle
from controller.operator.loop import Grid
from controller.operator.overrides import Authority
from controller.operator.plan import Planner, SourceCatalogue
from controller.operator.report import Reporter
from controller.operator.scalers import Key, ScalerStore
from controller.operator.server import HealthServer
from controller.operator.stop import Stop
from controller.operator.targets import Targets
from controller.operator.telemetry import Sighting, Telemetry
from controller.operator.watch import PAGE, registry, settings
from controller.operator.writes import Writer
from controller.prometheus import Source

__all__ = ["Operator", "run"]

#: kopf keeps what it saw before a 410 for ever; our own list puts that right this often (seconds).
RESYNC: Final = 300.0
#: A watch that failed begins anew after this (seconds).
AGAIN: Final = 2.0
#: A cycle that has not ended after so many intervals means that the loop hangs.
HANGS_AFTER: Final = 4

logger = logging.getLogger(__name__)


class Operator:
    """Everything that runs beside kopf, wired together."""

    def __init__(
        self, configuration: Configuration, client: Client, clock: Clock | None = None, file: Path | None = None
    ) -> None:
        """`file` is where the configuration comes from: its `stop` is looked at again before every cycle."""
        clock = clock or Clock()
        self.configuration = configuration
        self.store = ScalerStore()
        self._clock = clock
        self._client = client
        self._pods = PodCache()
        self._pod_reflector = Reflector(
            client, "/api/v1/pods", PodObject, self._pods, name="pods", clock=clock.monotonic
        )
        self._targets = TargetCache(client, clock=clock.monotonic)
        self._events = EventRecorder(client, instance=socket.gethostname())
        self._sources = {name: Source(name, source) for name, source in configuration.sources.items()}
        table: dict[Key, Sighting] = {}
        self._telemetry = Telemetry(lambda: table, self._cache_ages, lambda: self._events.dropped)
        catalogues = {
            name: SourceCatalogue(self._sources[name].families, source.window_seconds)
            for name, source in configuration.sources.items()
        }
        self._stop = Stop(configuration, file, told=self._telemetry.stopped.set)
        targets = Targets(Discovery(client), self._targets, self._pods)
        self._cycle = Cycle(
            store=self.store,
            planner=Planner(catalogues),
            sources=self._sources,
            targets=targets,
            writer=Writer(client, self._events, self._telemetry, is_current=self.store.is_current, wrote=targets.wrote),
            reporter=Reporter(client, self._events, self._telemetry, table, is_present=self.store.is_present),
            telemetry=self._telemetry,
            clock=clock,
            interval=configuration.interval_seconds,
            evaluation_delay=configuration.evaluation_delay_seconds,
            authority=Authority(lambda: self._stop.stopped),
        )
        self._grid = Grid(configuration.interval_seconds, self._one_cycle, clock.monotonic)
        host, port = configuration.address
        self.server = HealthServer(host, port, alive=self._alive, ready=self._ready, registry=self._telemetry.registry)
        self._tasks: list[asyncio.Task[None]] = []
        self._counted_overruns = 0

    async def start(self) -> None:
        """Start the caches and the cycle; returns at once. After `stop` it goes on with what it remembers."""
        for name, work in (
            ("pods", self._pod_reflector.run()),
            ("events", self._events.run()),
            ("resync", self._resync()),
            ("cycle", self._run_cycles()),
        ):
            self._tasks.append(asyncio.create_task(work, name=name))

    async def stop(self) -> None:
        """End everything that `start` began; what was said but not yet sent gets a second."""
        cycle = [task for task in self._tasks if task.get_name() != "events"]
        await _cancel(cycle)
        await self._cycle.settle(2.0)
        await self._events.flush(1.0)
        await _cancel(self._tasks)
        self._tasks.clear()
        await self._targets.close()
        for source in self._sources.values():
            source.close()

    async def list_scalers(self) -> None:
        """Make the store equal to what the API server has; an answer that does not come leaves it as it is."""
        objects: list[dict[str, Any]] = []
        query = {"limit": str(PAGE)}
        self.store.listing()
        try:
            while True:
                page = json.loads(
                    await self._client.request("GET", COMPOSITE_SCALERS.path(), query=query, timeout=30.0)
                )
                objects += page["items"]
                token = (page.get("metadata") or {}).get("continue")
                if not token:
                    break
                query = {"limit": str(PAGE), "continue": token}
        except KubernetesError as error:
            logger.warning("cannot list CompositeScalers, going on with what is known: %s", error)
            return
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("the list of CompositeScalers cannot be read, going on with what is known: %r", error)
            return
        self.store.resync(objects)

    async def _run_cycles(self) -> None:
        await self._pod_reflector.synced.wait()
        await self.list_scalers()
        logger.info(
            "synced: %d scalers, %d pods; evaluating every %g s", len(self.store), len(self._pods), self._grid.interval
        )
        await self._grid.run()

    async def _one_cycle(self) -> None:
        self._stop.look()
        age = self._pod_reflector.age(self._clock.monotonic())
        if age > CURRENT_SECONDS:
            # Pods that nobody has heard of for minutes say nothing about the load of those that are there now.
            self._telemetry.cycles.labels("stale").inc()
            logger.warning("nothing is decided: the pods were last heard of %.0f s ago", age)
            return
        result = "error"
        try:
            with self._telemetry.cycle_seconds.time():
                await self._cycle.run()
            result = "ok"
        finally:
            self._telemetry.cycles.labels(result).inc()
            self._telemetry.overruns.inc(self._grid.overruns - self._counted_overruns)
            self._counted_overruns = self._grid.overruns

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(RESYNC)
            await self.list_scalers()

    def _alive(self) -> str | None:
        for task in self._tasks:
            if task.done():
                return f"the task {task.get_name()!r} has ended, which none does before the operator"
        started, finished = self._grid.last_started, self._grid.last_finished
        if started is None or (finished is not None and finished >= started):
            return None
        late = self._clock.monotonic() - started
        return f"the cycle has been running for {late:.0f} s" if late > self._patience else None

    def _ready(self) -> str | None:
        if not self._pod_reflector.synced.is_set():
            return "the pods are not listed yet"
        now = self._clock.monotonic()
        age = self._pod_reflector.age(now)
        if age > CURRENT_SECONDS:
            return f"the pods were last heard of {age:.0f} s ago"
        if self._grid.last_finished is None:
            return "the first cycle has not ended yet"
        since = now - self._grid.last_finished
        return f"the last cycle ended {since:.0f} s ago" if since > self._patience else None

    @property
    def _patience(self) -> float:
        """A cycle, or a pause between two, that is longer than this (seconds) means that something hangs."""
        return max(HANGS_AFTER * self._grid.interval, 60.0)

    def _cache_ages(self) -> Mapping[str, float]:
        now = self._clock.monotonic()
        return {"pods": self._pod_reflector.age(now), **self._targets.ages(now)}


async def _cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def run(configuration: Configuration, kubeconfig: Path | None = None, file: Path | None = None) -> None:
    """Run the operator until SIGTERM or SIGINT; `file` is the configuration's own, which may stop it while it runs.

    Raises OSError where the port to listen on is taken.
    """
    client = await Client.connect(kubeconfig)
    operator = Operator(configuration, client, file=file)
    try:
        await operator.server.start()
        logger.info("listening on port %d; API server %s", operator.server.port, client.host)
        pause = 0.0
        while await _crd_or_signal(client, pause) and not await _watched_to_the_end(operator, kubeconfig):
            pause = AGAIN
    finally:
        await operator.server.stop()
        await client.close()
    logger.info("stopped")


async def _watched_to_the_end(operator: Operator, kubeconfig: Path | None) -> bool:
    """Run kopf until a signal; false where it gave up: any error in a watch but 410 is the end for it, etcd without a leader too."""
    try:
        await kopf.operator(
            registry=registry(operator.store, operator.start, operator.stop, kubeconfig),
            settings=settings(),
            clusterwide=True,
            standalone=True,
        )
    except Exception as error:
        logger.warning("the watch of CompositeScalers failed, it begins anew in %g s: %s", AGAIN, error)
        return False
    return True


async def _crd_or_signal(client: Client, pause: float) -> bool:
    """Wait `pause` seconds, then for the CRD; false where a signal came first. kopf takes the signals over once it runs."""

    async def served() -> None:
        await asyncio.sleep(pause)
        await wait_for_crd(client, logger)

    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    waits = [asyncio.create_task(served()), asyncio.create_task(stopped.wait())]
    done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in waits:
        task.cancel()
    await asyncio.gather(*waits, return_exceptions=True)
    if waits[0] in done:
        await waits[0]
    return not stopped.is_set()
