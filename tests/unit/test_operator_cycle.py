"""One cycle as a whole: what it must not leave half done."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from controller.api import Reason, Status
from controller.engine import LoadKind
from controller.engine.lessons import lesson_of
from controller.operator.clock import Clock, Moment
from controller.operator.conditions import of_record, written
from controller.operator.cycle import Cycle
from controller.operator.scalers import ScalerStore
from controller.operator.status import status_of
from controller.operator.telemetry import Telemetry
from controller.prometheus import Fault
from tests.engine_support import batch
from tests.learned_support import WEB_SPEC, Run, web
from tests.operator_support import WALL, aimed, scaler_of


class Reporter:
    """A reporter whose write takes until it is told to end."""

    def __init__(self) -> None:
        self.writing, self.answered, self.wrote = asyncio.Event(), asyncio.Event(), False

    def keep_only(self, present: set[tuple[str, str]]) -> None:
        pass

    async def flush(self) -> None:
        self.writing.set()
        await self.answered.wait()
        self.wrote = True


async def nothing(*_: object) -> tuple[list[Any], dict[Any, Any]]:
    return [], {}


async def no_failures(*_: object) -> dict[Any, Any]:
    return {}


def cycle(reporter: Any) -> Cycle:
    planner: Any = SimpleNamespace(
        plan=lambda scalers, width: SimpleNamespace(
            queries=(), per_pod=np.zeros((len(scalers), width), np.bool_), by_source=dict
        )
    )
    return Cycle(
        store=ScalerStore(),
        planner=planner,
        sources={},
        targets=SimpleNamespace(aim=nothing),  # type: ignore[arg-type]
        writer=SimpleNamespace(write=no_failures),  # type: ignore[arg-type]
        reporter=reporter,
        telemetry=Telemetry(dict, dict, int),
        clock=Clock(),
        interval=15.0,
        evaluation_delay=0.0,
    )


@pytest.mark.parametrize("answers", [True, False])
async def test_a_stop_lets_the_writes_under_way_end_but_does_not_wait_for_ever(
    answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = Reporter()
    one = cycle(reporter)
    monkeypatch.setattr(one, "_decide", lambda *_: [])
    running = asyncio.create_task(one.run())
    await reporter.writing.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    if answers:
        reporter.answered.set()
    await one.settle(0.05)
    assert reporter.wrote is answers


async def test_a_source_that_falls_silent_and_comes_back_is_one_log_line_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "controller.operator.cycle")
    one, away = cycle(Reporter()), [Fault(Reason.SOURCE_UNREACHABLE, "source default cannot be reached")]
    for faults in (away, away, [], []):
        one._tell_of("default", faults)
    assert [each.getMessage() for each in caplog.records] == [
        "no answer can be used: source default cannot be reached",
        "source default answers again",
    ]


def remembering() -> Status:
    """The status of a web server that was watched for a while, as the API server hands it out."""
    run = Run()
    run.see(web(300, 10), times=60)
    assert run.decisions is not None
    now = Moment(run.now, WALL)
    conditions = written(of_record(run.record, "Deployment/web", "app=web", None, now), {}, 1, WALL)
    told = status_of(scaler_of(WEB_SPEC), conditions, run.record, (), now, lesson_of(run.decisions, 0))
    return Status.parse(told.manifest())


@pytest.mark.parametrize(("kind", "at_once"), [(LoadKind.REQUESTS, True), (LoadKind.ARRIVALS, False)])
def test_an_operator_that_starts_again_proposes_at_once_where_the_demand_is_measured_as_it_was(
    kind: LoadKind, at_once: bool
) -> None:
    one, now = cycle(Reporter()), Moment(50.0, WALL + 600.0)
    scalers, samples, _ = batch(dataclasses.replace(web(300, 10), kind=kind))
    mine = [aimed(scaler_of(WEB_SPEC, status=remembering()), 10)]
    learned = one._learned(mine, scalers, samples, now)
    after = Run(learned, now.monotonic)
    assert after.see(dataclasses.replace(web(300, 10), kind=kind)).law.used.tolist() == [at_once]
    assert after.record.dimensions[1].floor == pytest.approx(0.6, abs=0.05)


def test_the_state_of_one_cycle_is_that_of_the_next() -> None:
    one = cycle(Reporter())
    scalers, samples, _ = batch(web(300, 10))
    mine = [aimed(scaler_of(WEB_SPEC), 10)]
    first = one._learned(mine, scalers, samples, Moment(50.0, WALL))
    run = Run(first, 50.0)
    one._knowledge.state = run.see(web(300, 10)).learned
    assert one._learned(mine, scalers, samples, Moment(65.0, WALL + 15.0)) is run.learned
