"""Writing counts against an API server: what is remembered, told and logged of a success, a conflict and an error."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from controller.api import Reason
from controller.kube import Client, EventRecorder
from controller.operator.logs import JsonFormatter
from controller.operator.memory import Memory, ScaleEvent, Subject
from controller.operator.scalers import Key
from controller.operator.telemetry import Telemetry
from controller.operator.writes import AT_ONCE, Rescale, Writer
from tests.engine_support import Case, record, wanting
from tests.operator_support import Api, Time, aimed, connected, scaler_of, serving

UP, DOWN, LIMITED = wanting(7, 4), wanting(2, 4), wanting(30, 4, maximum=20)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving(tmp_path_factory.mktemp("api")) as api:
        yield api


class Desk:
    """A writer, what it remembers and counts, and its targets."""

    def __init__(self, api: Api, client: Client, name: str) -> None:
        self.api, self.name, self.time = api, name, Time()
        self.recorder = EventRecorder(client)
        self.telemetry = Telemetry(dict, dict, int)
        self.memory = Memory(gap=60.0)
        self.edited = False
        self.told: list[int] = []
        self.writer = Writer(
            client,
            self.recorder,
            self.telemetry,
            is_current=lambda _: not self.edited,
            wrote=lambda _, replicas: self.told.append(replicas),
        )
        self.key: Key = ("default", name)

    def rescale(self, case: Case, name: str = "", **changes: Any) -> Rescale:
        name = name or self.name
        spec = case.spec.model_copy(
            update={"scale_target_ref": case.spec.scale_target_ref.model_copy(update={"name": name})}
        )
        rescale = Rescale(aimed(scaler_of(spec, name)), dataclasses.replace(record(case), **changes), self.time.now)
        self.memory.meet(("default", name), Subject(f"uid-{name}", spec.scale_target_ref), 4, self.time.monotonic)
        return rescale

    async def write(self, *rescales: Rescale) -> dict[Key, str]:
        return await self.writer.write(rescales, self.memory)

    def replicas(self, name: str = "") -> int:
        found = self.api.send("GET", f"/apis/apps/v1/namespaces/default/deployments/{name or self.name}")
        return int(found["spec"]["replicas"])

    async def events(self) -> list[tuple[str, str, str]]:
        task = asyncio.create_task(self.recorder.run())
        assert await self.recorder.flush(10.0)
        task.cancel()
        return self.api.events(self.name)

    def counted(self, name: str, **labels: str) -> float:
        return self.telemetry.registry.get_sample_value(f"compositescaler_{name}_total", labels) or 0.0


@pytest_asyncio.fixture
async def desk(api: Api, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    async with connected(api) as client:
        yield Desk(api, client, request.node.name.replace("_", "-")[:50].strip("-"))


async def test_a_scale_changes_the_count_and_nothing_failed(desk: Desk) -> None:
    desk.api.deploy(desk.name, 4)
    assert await desk.write(desk.rescale(UP)) == {}
    assert desk.replicas() == 7


async def test_the_count_that_is_written_is_the_one_that_every_limit_allows(desk: Desk) -> None:
    desk.api.deploy(desk.name, 4)
    await desk.write(desk.rescale(LIMITED))
    assert (record(LIMITED).proposed, desk.replicas()) == (30, 20)


async def test_a_scale_is_remembered_at_the_moment_that_it_was_decided_for(desk: Desk) -> None:
    desk.api.deploy(desk.name, 4)
    rescale = desk.rescale(UP)
    desk.time.pass_(3.0)
    await desk.write(rescale)
    assert desk.memory.events[desk.key] == [ScaleEvent(1000.0, 4, 7, record(UP).sentence)]


async def test_a_scale_is_one_event_with_the_new_size_and_what_moved_it(desk: Desk) -> None:
    desk.api.deploy(desk.name, 4)
    await desk.write(desk.rescale(UP))
    assert await desk.events() == [("Normal", "SuccessfulRescale", f"New size: 7; reason: {record(UP).cause}")]


@pytest.mark.parametrize("rule", [Reason.TOO_MANY_REPLICAS, Reason.TOO_FEW_REPLICAS])
def test_a_scale_to_a_bound_tells_of_the_bound(rule: Reason) -> None:
    found = dataclasses.replace(record(LIMITED), rule=rule)
    assert Rescale(aimed(scaler_of(LIMITED.spec)), found, Time().now).why == found.sentence


async def test_a_scale_is_one_log_line_with_its_numbers(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "controller.operator.writes")
    desk.api.deploy(desk.name, 4)
    await desk.write(desk.rescale(UP))
    (line,) = [json.loads(JsonFormatter().format(each)) for each in caplog.records if each.name.endswith("writes")]
    found = record(UP)
    assert line | {"time": ""} == {
        "time": "",
        "level": "info",
        "logger": "controller.operator.writes",
        "message": found.sentence,
        "namespace": "default",
        "scaler": desk.name,
        "target": f"Deployment/{desk.name}",
        "from": 4,
        "to": 7,
        "proposed": 7,
        "rule": str(found.rule),
        "magnitude": 1.75,
    }


async def test_a_scale_to_a_bound_without_any_magnitude_is_a_log_line_too(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "controller.operator.writes")
    desk.api.deploy(desk.name, 4)
    await desk.write(desk.rescale(UP, magnitude=float("nan")))
    assert json.loads(JsonFormatter().format(caplog.records[-1]))["magnitude"] is None


async def test_scales_are_counted_by_direction(desk: Desk) -> None:
    for name in ("up-1", "up-2", "down-1"):
        desk.api.deploy(name, 4)
    await desk.write(desk.rescale(UP, "up-1"), desk.rescale(UP, "up-2"), desk.rescale(DOWN, "down-1"))
    assert (desk.replicas("up-1"), desk.replicas("up-2"), desk.replicas("down-1")) == (7, 7, 2)
    assert desk.counted("scale_events", direction="up") == 2
    assert desk.counted("scale_events", direction="down") == 1
    assert desk.counted("writes", what="scale", result="ok") == 3


async def test_a_count_that_somebody_else_changed_is_left_alone(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.api.deploy(desk.name, 5)
    failures = await desk.write(desk.rescale(UP))
    assert failures.keys() == {desk.key}
    assert f"Deployment/{desk.name} is not at 4 replicas any more, somebody else scaled it" in failures[desk.key]
    assert desk.replicas() == 5
    assert desk.key not in desk.memory.events
    assert desk.counted("writes", what="scale", result="conflict") == 1
    assert (caplog.records[-1].levelname, caplog.records[-1].message) == ("WARNING", failures[desk.key])
    assert await desk.events() == []


async def test_an_error_is_told_in_the_servers_words_and_nothing_is_remembered(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.api.deploy(desk.name, 4)
    desk.api.server.faults.answer(403, method="PATCH", path=desk.name, message="deployments is forbidden")
    failures = await desk.write(desk.rescale(UP))
    assert failures == {desk.key: f"New size: 7; reason: {record(UP).cause}; error: deployments is forbidden"}
    assert desk.replicas() == 4
    assert desk.key not in desk.memory.events
    assert desk.counted("writes", what="scale", result="error") == 1
    assert desk.counted("scale_events", direction="up") == 0
    assert caplog.records[-1].levelname == "WARNING"


async def test_one_that_fails_holds_up_nobody(desk: Desk) -> None:
    desk.api.deploy("fine", 4)
    failures = await desk.write(desk.rescale(UP, "gone"), desk.rescale(UP, "fine"))
    assert failures.keys() == {("default", "gone")}
    assert desk.replicas("fine") == 7


async def test_not_too_many_writes_are_under_way_at_once(desk: Desk) -> None:
    names = [f"many-{number}" for number in range(AT_ONCE + 1)]
    for name in names:
        desk.api.deploy(name, 4)
    slow = desk.api.server.faults.delay(0.3, method="PATCH", path="many-", times=AT_ONCE)
    writing = asyncio.create_task(desk.write(*(desk.rescale(UP, name) for name in names)))
    async with asyncio.timeout(10):
        while slow.hits < AT_ONCE:
            await asyncio.sleep(0.005)
    assert desk.replicas(names[-1]) == 4
    assert await writing == {}
    assert {desk.replicas(name) for name in names} == {7}


async def test_nothing_is_written_for_a_scaler_that_was_edited_or_deleted_meanwhile(desk: Desk) -> None:
    desk.api.deploy(desk.name, 4)
    rescale = desk.rescale(UP)
    desk.edited = True
    failures = await desk.write(rescale)
    assert "edited, paused or deleted" in failures[desk.key]
    assert desk.replicas() == 4
    assert desk.told == []


async def test_each_count_that_was_written_is_told_so_that_a_late_watch_is_not_believed(desk: Desk) -> None:
    desk.api.deploy(desk.name, 4)
    await desk.write(desk.rescale(UP))
    assert desk.told == [7]


async def test_a_write_whose_answer_was_lost_is_booked_when_the_target_turns_out_to_stand_there(desk: Desk) -> None:
    desk.api.deploy(desk.name, 4)
    desk.api.server.faults.drop(method="PATCH", path="/scale", after=True)
    assert await desk.write(desk.rescale(UP)) != {}
    assert desk.memory.events.get(desk.key) is None
    desk.memory.found(desk.key, desk.replicas(), 60.0)
    assert [each.change for each in desk.memory.events[desk.key]] == [3]


@pytest.mark.parametrize(("rule", "pinned"), [(Reason.PAUSED_REPLICAS, True), (Reason.RESUMED, True), (None, False)])
async def test_a_number_that_a_pin_says_is_remembered_and_told_as_one(
    desk: Desk, rule: Reason | None, pinned: bool
) -> None:
    desk.name = f"pin-{str(rule).lower()}"
    desk.key = ("default", desk.name)
    desk.api.deploy(desk.name, 4)
    rescale = desk.rescale(UP, rule=rule or record(UP).rule)
    await desk.write(rescale)
    assert [each.pinned for each in desk.memory.events[desk.key]] == [pinned]
    assert rescale.why == (rescale.record.sentence if pinned else rescale.record.cause)
