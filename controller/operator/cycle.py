"""One cycle: plan, fetch, join, decide, act, record, for all scalers at one moment.

Nothing here waits for one scaler: every step is done for all of them before the next begins. What a step cannot do for a
scaler (no target, no
data, a refused write) becomes a sentence in that scaler's record and stops nobody else.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from controller.engine import Learned, LoadKind, Record, Samples, Scalers, evaluate, record_of
from controller.engine.lessons import Lesson, lesson_of
from controller.operator.clock import Clock, Moment
from controller.operator.lessons import lesson_in
from controller.operator.memory import Knowledge, Lore, Memory, Subject
from controller.operator.overrides import Authority
from controller.operator.plan import Plan, Planner
from controller.operator.report import Reporter
from controller.operator.scalers import Key, Problem, Scaler, ScalerStore
from controller.operator.snapshot import Layout, join
from controller.operator.status import events_of
from controller.operator.targets import Aimed, Targets
from controller.operator.telemetry import Telemetry
from controller.operator.writes import Rescale, Writer
from controller.prometheus import Answer, Fault, Query, Source

__all__ = ["Cycle"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What a cycle evaluates, samples apart."""

    scalers: Scalers
    plan: Plan
    layout: Layout


@dataclass(frozen=True, slots=True)
class _Decided:
    """One scaler's decision, and how to get what was learned of it."""

    aimed: Aimed
    record: Record
    lesson: Callable[[], Lesson]


class Cycle:
    """Holds what one cycle needs from the last one; `run` does one."""

    def __init__(
        self,
        *,
        store: ScalerStore,
        planner: Planner,
        sources: Mapping[str, Source],
        targets: Targets,
        writer: Writer,
        reporter: Reporter,
        telemetry: Telemetry,
        clock: Clock,
        interval: float,
        evaluation_delay: float,
        authority: Authority | None = None,
    ) -> None:
        self._store = store
        self._planner = planner
        self._sources = sources
        self._targets = targets
        self._writer = writer
        self._reporter = reporter
        self._telemetry = telemetry
        self._clock = clock
        self._delay = evaluation_delay
        # A window with a hole longer than this says nothing about what was wanted in it.
        self._memory = Memory(gap=2.5 * interval)
        self._knowledge = Knowledge()
        self._authority = authority or Authority()
        self._problems: tuple[int, dict[Key, Problem]] | None = None
        self._settings: tuple[tuple[object, ...], Scalers, Plan] | None = None
        self._layout: tuple[tuple[object, ...], Layout] | None = None
        self._finishing: asyncio.Task[None] | None = None
        self._silent: set[str] = set()

    async def run(self) -> None:
        """Do one cycle."""
        now = self._clock.now()
        scalers = self._store.all()
        self._telemetry.scalers.set(len(scalers))
        self._forget()
        problems, planned = self._sort_out(scalers)
        with self._step("targets"):
            aimed, lost = await self._targets.aim(planned)
        problems |= lost
        with self._step("plan"):
            batch = self._batch_of(aimed)
            self._meet(aimed, now)
        with self._step("fetch"):
            answers = await self._ask(batch.plan, now.wall - self._delay)
        with self._step("decide"):
            decided = self._decide(aimed, batch, answers, now)
        by_key = {scaler.key: scaler for scaler in scalers}
        told = [(by_key[key], problem) for key, problem in problems.items()]
        # What is written has to be remembered: a stop in between would forget a scale that was made.
        self._finishing = asyncio.create_task(self._finish(told, decided, now), name="finish")
        await asyncio.shield(self._finishing)

    async def settle(self, seconds: float) -> None:
        """Let the writes of a cycle that was cancelled come to their end, for so long."""
        if self._finishing is not None:
            await asyncio.wait([self._finishing], timeout=seconds)
            self._finishing.cancel()

    async def _finish(
        self, problems: Sequence[tuple[Scaler, Problem]], decided: Sequence[_Decided], now: Moment
    ) -> None:
        """Act and record."""
        with self._step("act"):
            rescales = [
                Rescale(each.aimed, each.record, now) for each in decided if each.record.desired != each.record.current
            ]
            failures = await self._writer.write(rescales, self._memory)
        with self._step("record"):
            for scaler, problem in problems:
                self._reporter.problem(scaler, problem, now)
            for each in decided:
                key = each.aimed.scaler.key
                events = self._memory.events.get(key, ())
                try:
                    self._reporter.decision(each.aimed, each.record, failures.get(key), events, now, each.lesson)
                except Exception:  # one that cannot be told must not silence the others
                    logger.exception("the decision cannot be told: %s/%s", *key)
            self._reporter.keep_only(self._store.keys())
            await self._reporter.flush()

    def _sort_out(self, scalers: Sequence[Scaler]) -> tuple[dict[Key, Problem], list[Scaler]]:
        """Which scalers cannot be asked about at all, and the others; judged anew only when a spec came, changed or went."""
        if self._problems is None or self._problems[0] != self._store.version:
            found = {scaler.key: self._planner.problem(scaler) for scaler in scalers}
            self._problems = (self._store.version, {key: each for key, each in found.items() if each is not None})
        problems = dict(self._problems[1])
        return problems, [scaler for scaler in scalers if scaler.key not in problems]

    def _meet(self, aimed: Sequence[Aimed], now: Moment) -> None:
        for each in aimed:
            scaler = each.scaler
            assert scaler.spec is not None
            self._memory.meet(
                scaler.key,
                Subject(scaler.uid, scaler.spec.scale_target_ref),
                each.target.spec_replicas or 0,
                now.monotonic,
                partial(events_of, scaler.status, now),
            )
            self._memory.found(scaler.key, each.target.spec_replicas or 0, scaler.spec.cooldown.longest)

    def _batch_of(self, aimed: Sequence[Aimed]) -> _Batch:
        """Settings and plan change with the scalers, the layout with their pods: each is kept until then."""
        scalers, plan = self._settings_of(aimed)
        signature = tuple((each.scaler.key, each.group.version) for each in aimed)
        if self._layout is None or self._layout[0] != signature:
            self._layout = (signature, Layout.of([each.group.pods for each in aimed]))
        return _Batch(scalers, plan, self._layout[1])

    def _settings_of(self, aimed: Sequence[Aimed]) -> tuple[Scalers, Plan]:
        signature = (self._store.version, tuple(each.scaler.key for each in aimed))
        if self._settings is None or self._settings[0] != signature:
            scalers = Scalers.of([each.scaler.spec for each in aimed if each.scaler.spec is not None])
            plan = self._planner.plan([each.scaler for each in aimed], scalers.used.shape[1])
            self._settings = (signature, dataclasses.replace(scalers, per_pod=plan.per_pod), plan)
        return self._settings[1], self._settings[2]

    async def _ask(self, plan: Plan, at: float) -> dict[Query, Answer]:
        """Every query of every source, all sources at once."""
        grouped = plan.by_source()
        found = await asyncio.gather(*(self._sources[name].ask(queries, at) for name, queries in grouped.items()))
        answers: dict[Query, Answer] = {}
        for (name, queries), of_source in zip(grouped.items(), found, strict=True):
            answers |= of_source
            self._telemetry.queries.labels(name).inc(len(queries))
            faults = [answer for answer in of_source.values() if isinstance(answer, Fault)]
            for fault in faults:
                self._telemetry.query_faults.labels(name, str(fault.reason)).inc()
            self._tell_of(name, faults if len(faults) == len(of_source) else [])
        return answers

    def _tell_of(self, source: str, faults: Sequence[Fault]) -> None:
        """One log line when a source stops answering, and one when it answers again; `faults` where it answers nothing."""
        if faults and source not in self._silent:
            self._silent.add(source)
            logger.warning("no answer can be used: %s", faults[0].message, extra={"source": source})
        elif not faults and source in self._silent:
            self._silent.remove(source)
            logger.info("source %s answers again", source, extra={"source": source})

    def _decide(
        self, aimed: Sequence[Aimed], batch: _Batch, answers: Mapping[Query, Answer], now: Moment
    ) -> list[_Decided]:
        keys = [each.scaler.key for each in aimed]
        current = [each.target.spec_replicas or 0 for each in aimed]
        samples, said = join(batch.scalers, batch.layout, batch.plan, answers, current, now.wall - self._delay)
        learned = self._learned(aimed, batch.scalers, samples, now)
        ruling = self._authority.rule(aimed, self._memory.events, now.wall)
        history = self._memory.history(keys)
        decisions = evaluate(batch.scalers, samples, history, now.monotonic, learned, ruling.arrays)
        self._knowledge.state = decisions.learned
        longest = max(float(rules.window.max(initial=0.0)) for rules in (batch.scalers.up, batch.scalers.down))
        self._memory.recommend(keys, decisions.recommendation, now.monotonic, longest)
        return [
            _Decided(
                each, record_of(decisions, row, said[row], ruling.rows.get(row)), partial(lesson_of, decisions, row)
            )
            for row, each in enumerate(aimed)
        ]

    def _learned(self, aimed: Sequence[Aimed], scalers: Scalers, samples: Samples, now: Moment) -> Learned:
        """The law's state for this cycle; what a status remembers of loads counts where they are measured as they were."""

        def lores() -> dict[Key, Lore]:
            return {
                each.scaler.key: Lore.of(Subject(each.scaler.uid, each.scaler.spec.scale_target_ref), each.scaler.spec)
                for each in aimed
                if each.scaler.spec is not None
            }

        def teach(row: int) -> Lesson | None:
            scaler = aimed[row].scaler
            try:
                lesson = None if scaler.spec is None else lesson_in(scaler.spec, scaler.status, now)
            except Exception:  # a status that somebody damaged is that scaler's own misfortune
                logger.exception("what the status remembers cannot be read, it is learned anew: %s/%s", *scaler.key)
                lesson = None
            return None if lesson is None else lesson.of_kind(LoadKind(int(samples.load.kind[row])))

        return self._knowledge.follow(scalers, lores, now.monotonic, teach)

    def _forget(self) -> None:
        for key in self._memory.rows.keys() - self._store.keys():
            self._memory.forget(key)
            self._knowledge.forget(key)
        self._authority.keep_only(self._store.keys())

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._telemetry.step_seconds.labels(name).observe(time.perf_counter() - started)
