"""One cycle as a whole: what it must not leave half done."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from controller.api import Reason
from controller.operator.clock import Clock
from controller.operator.cycle import Cycle
from controller.operator.scalers import ScalerStore
from controller.operator.telemetry import Telemetry
from controller.prometheus import Fault


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
        plan=lambda scalers, width: SimpleNamespace(queries=(), per_pod=None, by_source=dict)
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
