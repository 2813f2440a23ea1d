"""The reporter against an API server: which statuses and Events it writes, and which it does not."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest
import pytest_asyncio

from controller.api import Reason, Status
from controller.engine import Override, Record
from controller.engine.lessons import Dropped, Lesson, lesson_of
from controller.kube import Client, EventRecorder
from controller.operator.memory import ScaleEvent
from controller.operator.report import AGAIN, Reporter
from controller.operator.scalers import Problem, Scaler
from controller.operator.telemetry import Sighting, Telemetry
from tests.engine_support import Case, Pod, dimension, even, record, spec, wanting
from tests.learned_support import WEB_SPEC, Run, far_from_usual, slow_dependency, web
from tests.operator_support import Api, Time, aimed, connected, manifest, scaler_of, serving

PROBLEM = Problem(Reason.TARGET_NOT_FOUND, "there is no Deployment web; create it")
QUEUE = dimension("queue", per="Target")
CALM, UP, DOWN = wanting(4, 4), wanting(7, 4), wanting(2, 4)
SILENT = Case(spec(dimension("load", per="Target")), even(4))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving(tmp_path_factory.mktemp("api")) as api:
        yield api


class Desk:
    """A reporter, the object it tells of, and time."""

    def __init__(self, api: Api, client: Client, name: str) -> None:
        self.api, self.name, self.time = api, name, Time()
        self.client = client
        self.table: dict[tuple[str, str], Sighting] = {}
        self.telemetry = Telemetry(lambda: self.table, dict, int)
        self.recorder = EventRecorder(client, clock=lambda: self.time.monotonic, wall=lambda: self.time.wall)
        self.gone = False
        self.start()
        api.create(manifest(name))
        self.scaler = self.seen(CALM)

    def start(self) -> None:
        """Begin anew, as an operator that starts again does."""
        self.reporter = Reporter(
            self.client, self.recorder, self.telemetry, self.table, is_present=lambda _: not self.gone
        )

    def seen(self, case: Case, **changes: Any) -> Scaler:
        """The object as the API server has it now, with the spec of the case."""
        found = self.api.get(self.name)
        status = Status.parse(found.get("status"))
        self.scaler = dataclasses.replace(
            scaler_of(case.spec, self.name, uid=found["metadata"]["uid"], status=status), **changes
        )
        return self.scaler

    async def decided(
        self,
        case: Case,
        events: Sequence[ScaleEvent] = (),
        failure: str | None = None,
        lesson: Callable[[], Lesson] = Lesson,
        found: Record | None = None,
        **changes: Any,
    ) -> None:
        """One cycle in which this was decided."""
        found = dataclasses.replace(found or record(case), **changes)
        scaler = dataclasses.replace(self.scaler, spec=case.spec)
        self.reporter.decision(aimed(scaler), found, failure, events, self.time.now, lesson)
        await self.finish()

    async def failed(self, problem: Problem = PROBLEM) -> None:
        """One cycle that could not be."""
        self.reporter.problem(self.scaler, problem, self.time.now)
        await self.finish()

    async def finish(self) -> None:
        self.reporter.keep_only({self.scaler.key})
        await self.reporter.flush()
        self.time.pass_(15.0)

    @property
    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(self.name).get("status", {})
        return found

    @property
    def writes(self) -> int:
        return self.api.writes(f"{self.api.path(('default', self.name))}/status")

    def condition(self, kind: str) -> tuple[str, str, str]:
        found = next(each for each in self.status["conditions"] if each["type"] == kind)
        return found["status"], found["reason"], found["lastTransitionTime"]

    async def events(self) -> list[tuple[str, str]]:
        """Type and reason of each Event."""
        task = asyncio.create_task(self.recorder.run())
        assert await self.recorder.flush(10.0)
        task.cancel()
        return [(kind, reason) for kind, reason, _ in self.api.events(self.name)]


@pytest_asyncio.fixture
async def desk(api: Api, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    async with connected(api) as client:
        yield Desk(api, client, request.node.name.replace("_", "-").replace("[", "-").strip("]")[:60].strip("-"))


# Statuses


async def test_the_first_decision_is_written_whole(desk: Desk) -> None:
    await desk.decided(UP, [ScaleEvent(desk.time.monotonic, 4, 7, "up")])
    status = desk.status
    assert (status["currentReplicas"], status["desiredReplicas"]) == (4, 7)
    assert status["lastDecision"]["message"] == record(UP).sentence
    assert [(each["from"], each["to"]) for each in status["scaleEvents"]] == [(4, 7)]
    assert [each["type"] for each in status["conditions"]] == [
        "Ready",
        "ScalingActive",
        "AbleToScale",
        "ScalingLimited",
        "ScalingIneffective",
        "TargetUnreachable",
        "ScalingBlocked",
        "AnomalyDetected",
    ]


async def test_where_nothing_changes_nothing_is_written_in_a_hundred_cycles(desk: Desk) -> None:
    await desk.decided(CALM)
    for _ in range(100):
        desk.seen(CALM)
        await desk.decided(CALM)
    assert desk.writes == 1


async def test_a_magnitude_that_trembles_is_not_written(desk: Desk) -> None:
    await desk.decided(CALM)
    for cycle in range(100):
        rule = Reason.AT_TARGET if cycle % 2 else Reason.WITHIN_TOLERANCE
        await desk.decided(CALM, magnitude=1.0 + 0.09 * (-1) ** cycle, rule=rule)
    assert desk.writes == 1


async def test_a_reason_that_keeps_changing_is_written_once_a_minute(desk: Desk) -> None:
    await desk.decided(CALM)
    for cycle in range(40):
        await desk.decided(CALM, rule=Reason.COOLDOWN if cycle % 3 else Reason.UP_ONLY)
    assert 1 + 600 / 15 / 8 <= desk.writes <= 1 + 600 / 60


async def test_a_problem_whose_sentence_changes_in_every_cycle_is_written_once_a_minute(desk: Desk) -> None:
    for cycle in range(40):
        await desk.failed(dataclasses.replace(PROBLEM, message=f"nothing within {cycle} s"))
    assert desk.writes <= 1 + 600 / 60


async def test_a_problem_that_stays_is_written_once(desk: Desk) -> None:
    for _ in range(100):
        await desk.failed()
    assert desk.writes == 1
    assert desk.condition("Ready")[:2] == ("False", "TargetNotFound")


async def test_a_flip_is_written_at_once_and_moves_only_its_own_transition_time(desk: Desk) -> None:
    await desk.decided(CALM)
    await desk.decided(SILENT)
    assert desk.writes == 2
    assert desk.condition("ScalingActive") == ("False", "NoData", "2026-01-01T00:00:15Z")
    assert desk.condition("Ready") == ("True", "Accepted", "2026-01-01T00:00:00Z")


async def test_transition_times_are_right_although_the_echo_of_our_write_is_late(desk: Desk) -> None:
    await desk.decided(CALM)
    desk.seen(CALM)
    await desk.decided(SILENT)
    desk.time.pass_(60.0)
    # The store still has the status from before the flip, and the reason changes.
    await desk.decided(Case(SILENT.spec, [Pod.of(ready=False)], current=4))
    assert desk.writes == 3
    assert desk.condition("ScalingActive") == ("False", "NoReadyPods", "2026-01-01T00:00:15Z")


async def test_no_field_is_lost_or_comes_back_although_the_echo_of_our_write_is_late(desk: Desk) -> None:
    event = ScaleEvent(desk.time.monotonic, 4, 7, "up")
    await desk.decided(UP, [event])
    first = desk.status
    # All the while the store says that nothing was ever written.
    await desk.decided(SILENT, [event])
    assert "magnitude" not in desk.status
    assert "dominantDimension" not in desk.status
    await desk.decided(UP, [event])
    assert desk.status["magnitude"] == first["magnitude"]
    assert desk.status["dominantDimension"] == "load"
    assert desk.condition("ScalingActive")[:2] == ("True", "ValidMetricFound")
    assert desk.status["scaleEvents"] == first["scaleEvents"]


async def test_a_problem_right_after_a_scale_does_not_forget_it(desk: Desk) -> None:
    await desk.decided(CALM)
    desk.seen(CALM)
    await desk.decided(UP, [ScaleEvent(desk.time.monotonic, 4, 7, "up")])
    told = desk.status
    await desk.failed()
    status = desk.status
    for field in ("scaleEvents", "lastScaleTime", "lastDecision", "currentReplicas", "pods"):
        assert status[field] == told[field], field
    assert "desiredReplicas" not in status
    assert "magnitude" not in status
    assert status["reason"] == "TargetNotFound"
    assert desk.condition("Ready")[0] == "False"


async def test_scale_events_of_the_target_before_are_removed(desk: Desk) -> None:
    await desk.decided(UP, [ScaleEvent(desk.time.monotonic, 4, 7, "up")])
    desk.seen(CALM, generation=2)
    await desk.decided(CALM, [])
    assert desk.status["scaleEvents"] == []
    assert "lastScaleTime" not in desk.status
    assert desk.status["observedGeneration"] == 2


async def test_a_write_that_failed_is_due_again_in_the_next_cycle(desk: Desk) -> None:
    fault = desk.api.server.faults.answer(500, method="PATCH", path=desk.name)
    await desk.decided(CALM)
    assert (fault.hits, desk.status) == (1, {})
    await desk.decided(CALM)
    assert desk.status["desiredReplicas"] == 4
    await desk.decided(CALM)
    assert desk.writes == 2
    assert counted(desk, "status", "error") == counted(desk, "status", "ok") == 1


async def test_a_write_whose_answer_was_lost_is_made_good(desk: Desk) -> None:
    await desk.decided(CALM)
    desk.api.server.faults.drop(method="PATCH", path=desk.name, after=True)
    await desk.decided(SILENT)
    await desk.decided(CALM)
    assert desk.condition("ScalingActive")[:2] == ("True", "ValidMetricFound")
    assert desk.status["magnitude"] == "1.00"


async def test_a_status_that_is_due_twice_is_written_once_with_the_later_one(desk: Desk) -> None:
    desk.reporter.decision(aimed(desk.scaler), record(CALM), None, (), desk.time.now, Lesson)
    desk.reporter.decision(aimed(desk.scaler), record(UP), None, (), desk.time.now, Lesson)
    await desk.finish()
    assert (desk.writes, desk.status["desiredReplicas"]) == (1, 7)


async def test_a_scaler_that_was_deleted_meanwhile_is_nobodys_fault(desk: Desk) -> None:
    desk.api.send("DELETE", desk.api.path(desk.scaler.key))
    await desk.decided(CALM)
    assert counted(desk, "status", "error") == counted(desk, "status", "ok") == 0


async def test_an_operator_that_starts_again_writes_nothing_that_the_status_says_already(desk: Desk) -> None:
    event = ScaleEvent(desk.time.monotonic - 100.0, 3, 4, "up")
    await desk.decided(CALM, [event])
    desk.start()
    desk.seen(CALM)
    await desk.decided(CALM, [event])
    assert desk.writes == 1
    await desk.decided(SILENT, [event])
    assert desk.writes == 2
    assert desk.condition("Ready")[2] == "2026-01-01T00:00:00Z"


async def test_an_object_that_was_created_anew_gets_a_status_of_its_own(desk: Desk) -> None:
    await desk.decided(SILENT)
    desk.api.send("DELETE", desk.api.path(desk.scaler.key))
    desk.api.create(manifest(desk.name))
    desk.seen(SILENT)
    await desk.decided(SILENT)
    assert desk.writes == 2
    assert desk.condition("ScalingActive") == ("False", "NoData", "2026-01-01T00:00:15Z")
    assert await desk.events() == [("Warning", "NoData"), ("Warning", "NoData")]


def counted(desk: Desk, what: str, result: str) -> float:
    value = desk.telemetry.registry.get_sample_value("compositescaler_writes_total", {"what": what, "result": result})
    return value or 0.0


# The table that /metrics reads


async def test_the_table_has_the_last_decision_until_the_scaler_goes(desk: Desk) -> None:
    await desk.decided(UP)
    await desk.decided(CALM)
    last = desk.table[desk.scaler.key].record
    assert last is not None
    assert last.sentence == record(CALM).sentence
    await desk.failed()
    assert desk.table[desk.scaler.key].record is None
    desk.reporter.keep_only(set())
    assert desk.table == {}


# Events


async def test_no_event_is_sent_while_all_is_well(desk: Desk) -> None:
    for case in (CALM, UP, DOWN):
        await desk.decided(case)
    assert await desk.events() == []


async def test_a_condition_that_turns_bad_is_told_once(desk: Desk) -> None:
    await desk.decided(CALM)
    for _ in range(50):
        await desk.decided(SILENT)
    assert await desk.events() == [("Warning", "NoData")]


async def test_another_reason_is_told_too(desk: Desk) -> None:
    await desk.decided(SILENT)
    await desk.decided(dataclasses.replace(SILENT, faults={"load": Reason.SOURCE_TIMEOUT}))
    assert await desk.events() == [("Warning", "NoData"), ("Warning", "SourceTimeout")]


async def test_one_problem_is_one_event_although_it_stands_in_three_conditions(desk: Desk) -> None:
    await desk.failed()
    assert await desk.events() == [("Warning", "TargetNotFound")]


async def test_a_missing_dimension_is_told_once_however_its_numbers_change(desk: Desk) -> None:
    dimensions = spec(dimension("cpu"), QUEUE)
    told = set()
    for covered in range(1, 20):
        pods = [Pod.of(1.0 if at < covered else None) for at in range(40)]
        case = Case(dimensions, pods, target={"queue": 1.0})
        told.add(record(case).invalid[0].message)
        await desk.decided(case)
    assert len(told) == 19
    assert await desk.events() == [("Warning", "PartialMetrics")]
    assert desk.writes <= 1 + 19 * 15 / 60


async def test_a_condition_that_comes_and_goes_is_told_now_and_then_only(desk: Desk) -> None:
    while desk.time.monotonic < 1000.0 + 3 * AGAIN:
        await desk.decided(CALM)
        await desk.decided(SILENT)
    assert 2 <= len(await desk.events()) <= 4


async def test_an_operator_that_starts_again_does_not_tell_what_was_told(desk: Desk) -> None:
    await desk.decided(SILENT)
    desk.start()
    desk.seen(SILENT)
    await desk.decided(SILENT)
    assert await desk.events() == [("Warning", "NoData")]


async def test_a_limit_is_no_warning(desk: Desk) -> None:
    await desk.decided(wanting(30, 20, maximum=20))
    assert desk.condition("ScalingLimited")[0] == "True"
    assert await desk.events() == []


def lived() -> tuple[Record, Record]:
    """The record of a web server whose latency pods do not lower, and the one when it may ask again."""
    run = Run()
    run.in_vain()
    dropped = run.record
    run.see(web(300, 16, slow_dependency), times=60)
    trial = run.record.outlook.trial
    assert trial is None or not trial.dropped
    return dropped, run.record


async def test_a_dimension_that_pods_do_not_lower_is_told_and_so_is_that_it_may_ask_again(desk: Desk) -> None:
    case = dataclasses.replace(CALM, spec=WEB_SPEC)
    dropped, again = lived()
    for _ in range(3):
        await desk.decided(case, found=dropped)
    for _ in range(3):
        await desk.decided(case, found=again)
    assert await desk.events() == [("Warning", "ScalingIneffective"), ("Normal", "PodsHelp")]
    assert desk.api.events(desk.name)[1][2] == "latency may ask for more pods again"
    assert desk.condition("ScalingIneffective")[:2] == ("False", "PodsHelp")


async def test_an_operator_that_starts_again_knows_which_dimension_may_ask_again(desk: Desk) -> None:
    case = dataclasses.replace(CALM, spec=WEB_SPEC)
    dropped, again = lived()
    lesson = Lesson(dropped=Dropped("latency", desk.time.monotonic, desk.time.monotonic + 900.0))
    await desk.decided(case, found=dropped, lesson=lambda: lesson)
    desk.start()
    desk.seen(case)
    await desk.decided(case, found=dropped, lesson=lambda: lesson)
    await desk.decided(case, found=again)
    assert await desk.events() == [("Warning", "ScalingIneffective"), ("Normal", "PodsHelp")]
    assert desk.api.events(desk.name)[1][2] == "latency may ask for more pods again"


async def test_a_target_that_cannot_be_reached_is_told_once(desk: Desk) -> None:
    floor = {"metric": "memory", "target": "80%", "floor": "78%"}
    case = Case(spec(dimension("cpu"), floor), even(4, 0.9, 0.8))
    for _ in range(5):
        await desk.decided(case)
    assert await desk.events() == [("Warning", "TargetUnreachable")]
    assert desk.condition("TargetUnreachable")[:2] == ("True", "FloorAtTarget")


async def test_an_anomaly_is_told_when_it_begins_and_when_it_is_over(desk: Desk) -> None:
    case = Case(spec(dimension("cpu"), dimension("queue")), even(4, 0.7, 0.7))
    calm, far = far_from_usual(cycles=0)[0], far_from_usual()[0]
    for found in (calm, calm, far, far, calm, calm):
        await desk.decided(case, found=found)
    assert await desk.events() == [("Warning", "AnomalyDetected"), ("Normal", "AsUsual")]
    first, second = (message for _, _, message in desk.api.events(desk.name))
    assert first == far.alarm.sentence
    assert second == "no anomaly is detected any more; the load is not far from usual: score 0, threshold 0.3"
    assert desk.condition("AnomalyDetected")[:2] == ("False", "AsUsual")


async def test_what_was_learned_is_written_with_every_write_and_by_itself_after_five_minutes(desk: Desk) -> None:
    case, run = dataclasses.replace(CALM, spec=WEB_SPEC), Run()
    for _ in range(60):
        decisions = run.see(web(300, 10))
        await desk.decided(case, found=run.record, lesson=functools.partial(lesson_of, decisions, 0))
    # The first sight, the switch to the capacity form, and the first lesson that is worth a write of its own.
    assert desk.writes <= 3
    learned = desk.status["learned"]
    assert learned["demand"] == "Requests"
    assert [each["name"] for each in learned["floors"]] == ["memory", "latency"]
    assert [each["name"] for each in learned["capacities"]] == ["cpu", "memory", "latency"]
    assert learned["startup"] == "28s"


async def test_what_was_learned_is_only_put_into_words_where_a_status_is_due(desk: Desk) -> None:
    await desk.decided(CALM)
    await desk.decided(CALM, lesson=lambda: pytest.fail("it was asked"))


async def test_what_was_forgotten_vanishes_from_the_status(desk: Desk) -> None:
    await desk.decided(CALM, lesson=lambda: Lesson(startup=28.0))
    assert desk.status["learned"]["startup"] == "28s"
    await desk.decided(UP)
    assert "learned" not in desk.status


async def test_a_rescale_that_failed_is_told_once_in_hpas_word(desk: Desk) -> None:
    for cycle in range(20):
        await desk.decided(UP, failure=f"no answer for {cycle} s")
    assert await desk.events() == [("Warning", "FailedRescale")]
    assert desk.api.events(desk.name)[0][2] == "no answer for 0 s"
    assert desk.condition("AbleToScale")[:2] == ("False", "FailedUpdateScale")


async def test_a_status_never_reaches_another_object_of_the_same_name(desk: Desk) -> None:
    desk.gone = True
    desk.reporter.decision(aimed(desk.scaler), record(CALM), None, (), desk.time.now, Lesson)
    await desk.reporter.flush()
    assert "status" not in desk.api.get(desk.name)


# Overrides


def held_by(*reasons: Reason) -> Record:
    """A calm decision under an override with these reasons."""
    return dataclasses.replace(record(CALM), override=Override(reasons, tuple(f"note of {each}" for each in reasons)))


async def test_a_pause_is_one_event_when_it_begins_and_one_when_it_ends(desk: Desk) -> None:
    await desk.decided(CALM)
    for _ in range(3):
        await desk.decided(CALM, found=held_by(Reason.PAUSED))
    assert desk.condition("ScalingBlocked")[:2] == ("True", "Paused")
    for _ in range(3):
        await desk.decided(CALM)
    assert desk.condition("ScalingBlocked")[:2] == ("False", "NotBlocked")
    assert await desk.events() == [("Normal", "Paused"), ("Normal", "Resumed")]


async def test_another_kind_of_pause_is_an_event_of_its_own(desk: Desk) -> None:
    await desk.decided(CALM, found=held_by(Reason.PAUSED))
    await desk.decided(CALM, found=held_by(Reason.PAUSED_REPLICAS))
    assert await desk.events() == [("Normal", "Paused"), ("Normal", "PausedReplicas")]


async def test_an_operator_that_starts_again_does_not_tell_of_a_pause_that_was_told(desk: Desk) -> None:
    await desk.decided(CALM, found=held_by(Reason.PAUSED))
    desk.start()
    desk.seen(CALM)
    await desk.decided(CALM, found=held_by(Reason.PAUSED))
    assert (await desk.events(), desk.writes) == ([("Normal", "Paused")], 1)
    await desk.decided(CALM)
    assert await desk.events() == [("Normal", "Paused"), ("Normal", "Resumed")]


async def test_that_everything_is_stopped_stands_in_the_status_and_is_no_event_of_every_scaler(desk: Desk) -> None:
    for found in (
        held_by(Reason.STOPPED),
        record(CALM),
        held_by(Reason.STOPPED, Reason.PAUSED),
        held_by(Reason.STOPPED),
    ):
        await desk.decided(CALM, found=found)
    assert desk.condition("ScalingBlocked")[:2] == ("True", "Stopped")
    assert await desk.events() == []
