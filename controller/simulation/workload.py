"""The plant's connection to a cluster: asks again and again which pods are Ready and lets the plant catch up.

Who knows the pods is the caller's business (embedded server, real API server): a callable is enough.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from controller.api import CompositeScalerError
from controller.simulation.plant import Plant

__all__ = ["PlantRunner"]

logger: Final = logging.getLogger(__name__)


class PlantRunner:
    """Advances a plant in a thread, every `tick` seconds; use it as a context manager, or `start` and `stop` it.

    `ready_pods` returns (namespace, name) of the pods that are Ready. When it raises an error of this project or an
    OSError the API server is out of reach: the pods of the last answer go on serving, as they would. `clock` counts
    seconds and never goes back; the plant begins when the runner starts.
    """

    def __init__(
        self,
        plant: Plant,
        ready_pods: Callable[[], Sequence[tuple[str, str]]],
        clock: Callable[[], float],
        tick: float = 0.25,
    ) -> None:
        self._plant = plant
        self._ready_pods = ready_pods
        self._clock = clock
        self._tick = tick
        self._began: float | None = None
        self._out_of_reach = False
        self._failure: BaseException | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plant", daemon=True)

    def step(self) -> None:
        """Advance the plant to now with the pods known so far, then ask which pods serve from now on."""
        if self._began is None:
            self._began = self._clock()
        self._plant.advance(self._clock() - self._began)
        try:
            pods = self._ready_pods()
        except (CompositeScalerError, OSError) as error:
            if not self._out_of_reach:
                logger.warning("The pods are not known, the plant goes on with those it has: %s", error)
            self._out_of_reach = True
            return
        self._out_of_reach = False
        self._plant.set_pods(pods)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop and wait for the thread; raises what `ready_pods` raised, if that ended the run before."""
        self._stopping.set()
        self._thread.join()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def __enter__(self) -> PlantRunner:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self.step()
            while not self._stopping.wait(self._tick):
                self.step()
        except BaseException as error:  # handed to whoever stops the runner
            self._failure = error
