"""The anomaly's part of a record, and its sentences: how far one scaler is from usual, most of it in which dimension, and since when."""

from __future__ import annotations

import math
from dataclasses import dataclass

from controller.api import Amount, Unit, format_amount, format_number
from controller.engine.decision import Decisions

__all__ = ["Alarm", "alarm_of"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """How far one scaler was from usual; what is not known is NaN.

    `parts` of the `score` by the dimensions' names, those that are known; `since`, the moment since which the score is above its
    `threshold`, and for how many seconds it has been seen there (`lasted`); `detected` says whether that is an anomaly, and `holds`
    whether nothing goes down while it lasts.
    """

    score: float
    threshold: float
    parts: dict[str, float]
    since: float
    lasted: float
    detected: bool
    holds: bool

    @property
    def dimension(self) -> str | None:
        """The dimension with the largest part of the score; none where nothing is known or all is as usual."""
        name = max(self.parts, key=self.parts.__getitem__, default=None)
        return name if name is not None and self.parts[name] > 0 else None

    @property
    def sentence(self) -> str:
        """How far it is from usual, with the numbers."""
        if not math.isnan(self.since):
            lasted = format_amount(Amount(self.lasted, Unit.SECONDS))
            far = f"the load is far from usual for {lasted}" + ("" if self.detected else ", which is no anomaly yet")
            return f"{far}: {self._numbers}"
        if math.isnan(self.threshold):
            return "what is usual is not known yet: it takes one and a half times anomaly.window with samples"
        return f"the load is not far from usual: {self._numbers}"

    @property
    def hold(self) -> str:
        """Why nothing goes down."""
        return f"nothing scales down while {self.sentence} (anomaly.action: Hold)"

    @property
    def _numbers(self) -> str:
        name, score = self.dimension, "not known now" if math.isnan(self.score) else format_number(self.score)
        most = "" if name is None else f" (most of it {name}, {format_number(self.parts[name])})"
        return f"score {score}{most}, threshold {format_number(self.threshold)}"


def alarm_of(decisions: Decisions, row: int) -> Alarm:
    """How far one scaler was from usual."""
    anomaly, scalers = decisions.anomaly, decisions.scalers
    since = float(anomaly.since[row])
    names, parts = scalers.names[row], anomaly.parts[row].tolist()
    return Alarm(
        score=float(anomaly.score[row]),
        threshold=float(anomaly.threshold[row]),
        parts={name: part for name, part in zip(names, parts, strict=False) if not math.isnan(part)},
        since=since,
        lasted=float(anomaly.last[row]) - since,
        detected=bool(anomaly.detected[row]),
        holds=bool(scalers.anomaly.holds[row]),
    )
