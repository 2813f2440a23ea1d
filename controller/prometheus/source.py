"""A metrics source: asks many queries at once and answers each, always in time, with values or a named fault.

How one query travels is the business of `transport`, what its answer means that of `answers`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress

from controller.api import Reason, SourceConfiguration
from controller.prometheus.answers import read_answer
from controller.prometheus.families import Family, families_of
from controller.prometheus.faults import fault
from controller.prometheus.query import Answer, Fault, Query
from controller.prometheus.transport import FaultyAnswerError, Transport

__all__ = ["Source"]

logger = logging.getLogger(__name__)

_PARALLEL = 4
#: The transport keeps its own time; this is for a server that sends its headers byte by byte, which no socket
#: time-out notices.
_GRACE_SECONDS = 1.0


class Source:
    """One Prometheus that an administrator named, and what may be asked of it."""

    def __init__(self, name: str, configuration: SourceConfiguration) -> None:
        self.name = name
        self.families: Mapping[str, Family] = families_of(configuration)
        #: The range of the families' rates, in seconds.
        self.window = configuration.window_seconds
        self._timeout = configuration.timeout_seconds
        self._places = asyncio.Semaphore(_PARALLEL)
        self._transport = Transport(
            name,
            configuration.url,
            timeout=self._timeout,
            max_bytes=configuration.most_bytes,
            bearer_token_file=configuration.bearer_token_file,
            ca_file=configuration.ca_file,
        )

    async def ask(self, queries: Collection[Query], at: float) -> dict[Query, Answer]:
        """Each query's answer at `at` (unix seconds), all within the source's timeout.

        Queries run in parallel. Never raises but for cancellation: what goes wrong is a `Fault`.
        """
        deadline = time.monotonic() + self._timeout
        distinct = list(dict.fromkeys(queries))
        answers = await asyncio.gather(*(self._one(query, at, deadline) for query in distinct))
        return dict(zip(distinct, answers, strict=True))

    def close(self) -> None:
        """Close the idle connections; a request under way ends by itself and holds up nothing."""
        self._transport.close()

    async def _one(self, query: Query, at: float, deadline: float) -> Answer:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await self._places.acquire()
        except TimeoutError:
            return self._late("was so busy with other queries that this one had no turn")
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Answer] = loop.create_future()

        def deliver(answer: Answer) -> None:
            self._places.release()
            if not waiting.done():
                waiting.set_result(answer)

        def work() -> None:
            answer = self._answer(query, at, deadline)
            # Closed: the operator is gone and nobody waits for the answer.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(deliver, answer)

        # Not a ThreadPoolExecutor: the interpreter waits for its threads at exit, and a hanging server would hold up
        # the shut-down. The place is given back by the thread, so however many requests hang, there are never more
        # than the places.
        try:
            threading.Thread(target=work, name=f"source-{self.name}", daemon=True).start()
        except RuntimeError as error:
            self._places.release()
            what = f"cannot be asked ({error})"
            return fault(self.name, Reason.SOURCE_ERROR, what, "raise the operator's limit of processes")
        try:
            async with asyncio.timeout(deadline - time.monotonic() + _GRACE_SECONDS):
                return await waiting
        except TimeoutError:
            return self._late("did not finish its answer")

    def _answer(self, query: Query, at: float, deadline: float) -> Answer:
        try:
            body = self._transport.fetch(query.text, at, deadline - time.monotonic())
            return read_answer(body, query, at)
        except FaultyAnswerError as faulty:
            return faulty.fault
        except Exception as error:
            # A defect of ours or of a library must cost this one answer, not the cycle.
            logger.exception("source %s: query %s", self.name, query.text)
            what = f"cannot be asked ({type(error).__name__})"
            return fault(self.name, Reason.SOURCE_ERROR, what, "report this as a defect, with the log")

    def _late(self, what: str) -> Fault:
        remedy = "look at its load, or raise timeout in the source's configuration"
        return fault(self.name, Reason.SOURCE_TIMEOUT, f"{what} within {self._timeout:g} s", remedy)
