"""Log lines: JSON for machines or console for people, the same fields in both.

A line's fields are what the code passes as `extra`; nothing is parsed back out of a message.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from typing import Any, Final

__all__ = ["configure"]

#: What kopf's loggers carry for its own use.
KOPF: Final = frozenset({"settings", "k8s_skip"})
#: What every LogRecord has anyway; the rest is `extra`.
STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"} | KOPF


def configure(level: str, style: str) -> None:
    """Send all log lines to standard error; `style` is json or console."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else ConsoleFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # kopf tells of every handler call; what matters to users is said by us.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in STANDARD and not key.startswith("_")}


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity; a reader that is handed one refuses the whole line."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{key: _finite(value) for key, value in _extra(record).items()},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class ConsoleFormatter(logging.Formatter):
    """Time, level, sentence, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{key}={value}" for key, value in _extra(record).items())
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower():7} {record.getMessage()}"
        line += f"  [{fields}]" if fields else ""
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
