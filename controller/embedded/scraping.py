"""Scraping: the expositions of targets -> samples in the store, with Prometheus' bookkeeping.

Every sample of a scrape has the scrape's own time. A series that was in the last scrape of its target and is not in
this one gets a stale marker; a scrape that fails ends all of its target's series and sets `up` to 0.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp

from controller.embedded.promql.exposition import Exposition, ExpositionError
from controller.embedded.promql.series import SeriesStore
from controller.embedded.promql.values import NAME, Labels

__all__ = ["CallableTarget", "HttpTarget", "ScrapeError", "Target"]

_log = logging.getLogger(__name__)
_ACCEPT = "text/plain;version=0.0.4"


class ScrapeError(Exception):
    """A target gave no exposition; the text says why."""


class Target(ABC):
    """One thing that is scraped; `labels` go onto each of its series and onto its `up`."""

    def __init__(self, name: str, labels: dict[str, str]) -> None:
        self.name = name
        self._exposition = Exposition(labels)
        self._up = Labels({NAME: "up"} | labels)
        self._current: set[Labels] = set()
        self._reported = False

    @abstractmethod
    async def text(self) -> str:
        """The exposition now; raises ScrapeError."""

    async def scrape(self, store: SeriesStore, clock: Callable[[], int]) -> bool:
        """Take the exposition into the store at the time `clock` (milliseconds) shows; whether that succeeded."""
        now = clock()
        try:
            exposed = self._exposition.read(await self.text())
        except (ScrapeError, ExpositionError) as error:
            if not self._reported:
                _log.warning("cannot scrape %s: %s", self.name, error)
            self._reported = True
            self._end(self._current, store, now)
            self._current = set()
            store.series(self._up).append(now, 0.0)
            return False
        self._reported = False
        seen: set[Labels] = set()
        for labels, value, time in exposed:
            store.series(labels).append(now if time is None else time, value)
            # A sample with a time of its own says itself how old it is: Prometheus puts no markers behind it.
            if time is None:
                seen.add(labels)
        self._end(self._current - seen, store, now)
        self._current = seen
        store.series(self._up).append(now, 1.0)
        store.retain(now)
        return True

    @staticmethod
    def _end(gone: set[Labels], store: SeriesStore, now: int) -> None:
        for labels in gone:
            store.series(labels).end(now)


class CallableTarget(Target):
    """A function that returns the exposition; its series carry no labels but their own."""

    def __init__(self, scrape: Callable[[], str]) -> None:
        super().__init__(getattr(scrape, "__qualname__", repr(scrape)), {})
        self._scrape = scrape

    async def text(self) -> str:
        """What the function returns; whatever it raises is a failed scrape."""
        try:
            return self._scrape()
        except Exception as error:
            raise ScrapeError(f"it raised {type(error).__name__}: {error}") from error


class HttpTarget(Target):
    """A URL; its series carry `job` and `instance` as a Prometheus would attach them."""

    def __init__(self, url: str, session: aiohttp.ClientSession, job: str = "embedded") -> None:
        super().__init__(url, {"job": job, "instance": urlsplit(url).netloc})
        self._url = url
        self._session = session

    async def text(self) -> str:
        """The body of a 200."""
        try:
            async with self._session.get(self._url, headers={"Accept": _ACCEPT}) as response:
                if response.status != 200:
                    raise ScrapeError(f"server returned HTTP status {response.status}")
                return await response.text(encoding="utf-8")
        except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as error:
            raise ScrapeError(f"{type(error).__name__}: {error}") from error
