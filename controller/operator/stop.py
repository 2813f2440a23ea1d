"""The operator-wide stop for the bad night: `stop: true` in the configuration file, and within one cycle nothing is written to any target.

It is the one key that is read again while the operator runs. The file is looked at before every cycle and read when it is another one than
before; what else changed in it waits for a restart. A file that cannot be read changes nothing: neither does a mistake set the operator
free again, nor does it stop it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from controller.api import Configuration, InvalidConfiguration

__all__ = ["Stop"]

#: What tells one state of a file from another: a ConfigMap's mount swaps a link, so that the inode changes where the time may not.
Look = tuple[int, ...]
NOT_THERE: Final[Look] = ()

logger = logging.getLogger(__name__)


@dataclass
class Stop:
    """Whether everything is stopped, as `file` says; without a file as the configuration of the start says."""

    configuration: Configuration
    file: Path | None = None
    told: Callable[[bool], None] = lambda _: None
    stopped: bool = field(init=False, default=False)
    _seen: Look | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._set(self.configuration.stop)

    def look(self) -> None:
        """Read the file if it changed; a log line and a word to `told` when the stop begins or ends."""
        if self.file is None:
            return
        seen = _look_at(self.file)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            configuration = Configuration.load(self.file)
        except InvalidConfiguration as error:
            still = "stopped" if self.stopped else "not stopped"
            logger.warning("the changed configuration cannot be read, the operator stays %s: %s", still, error)
            return
        self._set(configuration.stop)
        if configuration.model_copy(update={"stop": self.configuration.stop}) != self.configuration:
            logger.warning("of the changed configuration only stop is taken; restart the operator for the rest")

    def _set(self, stopped: bool) -> None:
        if stopped and not self.stopped:
            logger.warning("stopped: nothing is written to any target until stop is false in the configuration")
        elif self.stopped and not stopped:
            logger.warning("going on: targets are written again")
        self.stopped = stopped
        self.told(stopped)


def _look_at(file: Path) -> Look:
    try:
        found = file.stat()
    except OSError:
        return NOT_THERE
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
