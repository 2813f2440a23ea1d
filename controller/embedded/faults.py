"""ApiFaults on order: the next requests of a kind fail, hang or lose their connection; watches break; the past is forgotten.

For tests of clients. Every method may be called from any thread and has taken effect when it returns.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from controller.embedded.refusals import Refusal, expired

__all__ = ["Answer", "ApiFaults", "Delay", "Drop", "Fault"]


@dataclass(frozen=True)
class Answer:
    """Answer with this status instead of doing anything."""

    status: int
    message: str
    retry_after: int | None = None


@dataclass(frozen=True)
class Delay:
    """Wait this many seconds, then go on."""

    seconds: float


@dataclass(frozen=True)
class Drop:
    """Cut the connection; with `after` only once the request has been carried out, so that its answer is lost."""

    after: bool = False


@dataclass
class Fault:
    """One order: which requests, how many of them still, and what happens to them. `hits` counts those it met."""

    method: re.Pattern[str]
    path: re.Pattern[str]
    left: int
    action: Answer | Delay | Drop
    hits: int = field(default=0)


class ApiFaults:
    """The faults of one server.

    `method` and `path` are regular expressions, searched for in the whole method and in the path with its query
    (`/api/v1/pods?watch=true`); `times` is the number of requests that a fault meets before it is used up.
    """

    def __init__(
        self, break_watches: Callable[[re.Pattern[str], Refusal | None], int], compact: Callable[[], None]
    ) -> None:
        self._break_watches = break_watches
        self._compact = compact
        self._orders: list[Fault] = []
        self._lock = threading.Lock()

    def answer(
        self,
        status: int,
        *,
        method: str = "",
        path: str = "",
        times: int = 1,
        message: str = "a fault was ordered",
        retry_after: int | None = None,
    ) -> Fault:
        """The next matching requests are answered with a status, 429 and 503 with `Retry-After` seconds when given."""
        return self._order(method, path, times, Answer(status, message, retry_after))

    def delay(self, seconds: float, *, method: str = "", path: str = "", times: int = 1) -> Fault:
        """The next matching requests wait before they are served."""
        return self._order(method, path, times, Delay(seconds))

    def drop(self, *, method: str = "", path: str = "", times: int = 1, after: bool = False) -> Fault:
        """The next matching requests lose their connection without an answer; with `after` their write happens first."""
        return self._order(method, path, times, Drop(after))

    def break_watches(self, path: str = "", error: int | None = None) -> int:
        """Ends the running watches: cut off, or with an ERROR event of that code (410: too old). Returns how many."""
        refusal = None
        if error == 410:
            refusal = expired("too old resource version: a fault was ordered")
        elif error is not None:
            refusal = Refusal(error, "InternalError", "a fault was ordered")
        return self._break_watches(re.compile(path), refusal)

    def compact(self) -> None:
        """Forgets the past: each version and continue token handed out so far answers 410 from now on."""
        self._compact()

    def clear(self) -> None:
        """Withdraws every order that is not used up."""
        with self._lock:
            self._orders.clear()

    def take(self, method: str, path: str) -> Answer | Delay | Drop | None:
        """What happens to this request; called once per request by the server."""
        with self._lock:
            for order in self._orders:
                if order.left > 0 and order.method.search(method) and order.path.search(path):
                    order.left -= 1
                    order.hits += 1
                    return order.action
        return None

    def _order(self, method: str, path: str, times: int, action: Answer | Delay | Drop) -> Fault:
        order = Fault(re.compile(method), re.compile(path), times, action)
        with self._lock:
            self._orders.append(order)
        return order
