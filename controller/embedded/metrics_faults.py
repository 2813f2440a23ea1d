"""What can be made to go wrong with the embedded metrics source's answers, in tests and demonstrations.

Each fault is for the next so many query answers (`answers`, None: until `clear`), optionally only for queries whose
text contains `only`. When several fit, the one that was asked for first is used.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Fault", "Faults"]

Kind = Literal["answer", "delay", "empty", "huge", "truncate", "warn"]


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong, and how often still."""

    kind: Kind
    answers: int | None
    only: str
    seconds: float = 0.0
    size: int = 0
    warnings: tuple[str, ...] = ()
    status: int = 200
    body: bytes = b""


class Faults:
    """The faults of one source; `injected` counts the answers that had one."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self.injected = 0

    def unavailable(self, answers: int | None = 1, only: str = "") -> None:
        """503, with the body of a Prometheus that is starting or stopping."""
        self.answer(b"Service Unavailable", 503, answers, only)

    def delay(self, seconds: float, answers: int | None = 1, only: str = "") -> None:
        """The right answer, `seconds` later."""
        self._waiting.append(Fault("delay", answers, only, seconds=seconds))

    def empty(self, answers: int | None = 1, only: str = "") -> None:
        """Success with an empty vector."""
        self._waiting.append(Fault("empty", answers, only))

    def warn(self, *warnings: str, answers: int | None = 1, only: str = "") -> None:
        """The right answer with `warnings`, as of a query layer that did not reach every store."""
        self._waiting.append(Fault("warn", answers, only, warnings=warnings))

    def truncate(self, answers: int | None = 1, only: str = "") -> None:
        """The connection breaks after half of the body."""
        self._waiting.append(Fault("truncate", answers, only))

    def huge(self, size: int = 10_000_000, answers: int | None = 1, only: str = "") -> None:
        """Success with a vector of at least `size` bytes."""
        self._waiting.append(Fault("huge", answers, only, size=size))

    def answer(self, body: str | bytes, status: int = 200, answers: int | None = 1, only: str = "") -> None:
        """This body and status, whatever was asked."""
        content = body.encode() if isinstance(body, str) else body
        self._waiting.append(Fault("answer", answers, only, status=status, body=content))

    def clear(self) -> None:
        """No more faults."""
        self._waiting.clear()

    def take(self, query: str) -> Fault | None:
        """The fault for the answer to this query, if any; it is used up by one."""
        for fault in self._waiting:
            if fault.only not in query:
                continue
            if fault.answers is not None:
                fault.answers -= 1
                if fault.answers <= 0:
                    self._waiting.remove(fault)
            self.injected += 1
            return fault
        return None
