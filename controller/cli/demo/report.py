"""The demo's report: one HTML file that needs nothing else, with plots, decisions and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import count
from pathlib import Path
from typing import Final

from controller.cli.demo.panels import draw
from controller.cli.demo.samples import Moment, Verdict, clock_text, decisions, seconds_text

__all__ = ["About", "render_report", "write_report"]

STYLE: Final = """
:root{--ink:#1d2126;--soft:#4a5058;--line:#dfe2e6;--good:#00724f;--bad:#b84a00}
*{box-sizing:border-box}
body{margin:0;background:#f5f6f7;color:var(--ink);
  font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1040px;margin:0 auto;padding:32px 20px 48px}
h1{font-size:24px;line-height:1.25;margin:0 0 4px}
h2{font-size:17px;margin:36px 0 10px}
p{margin:0 0 10px;max-width:76ch}
.soft{color:var(--soft)}
.verdict{margin:20px 0;padding:14px 18px;background:#fff;border:1px solid var(--line);border-radius:6px;
  border-left:6px solid var(--good)}
.verdict.broken{border-left-color:var(--bad)}
.verdict b{font-size:17px}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:0 0 8px;padding:0}
.figures div{background:#fff;border:1px solid var(--line);border-radius:6px;padding:10px 14px}
.figures dt{color:var(--soft);font-size:13px}
.figures dd{margin:0;font-size:20px;font-weight:600;font-variant-numeric:tabular-nums}
figure,.table{margin:0;background:#fff;border:1px solid var(--line);border-radius:6px;padding:14px;overflow-x:auto}
svg{display:block;min-width:720px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:7px 10px;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}
th{font-size:13px;color:var(--soft);font-weight:600}
td.n,th.n{text-align:right;white-space:nowrap}
.good{color:var(--good);font-weight:600}.bad{color:var(--bad);font-weight:600}
@media print{body{background:#fff}main{padding:0}}
"""


@dataclass(frozen=True, slots=True)
class About:
    """What was run: a title, a sentence on the load, how many seconds of it passed in one, what a pod can carry."""

    title: str
    load: str
    compression: float
    pod_rps: float
    """Requests per second of one pod within the promise."""

    def pod_hours(self, verdict: Verdict) -> float:
        """Hours that pods were there, in the trace's own time."""
        return verdict.pod_seconds * self.compression / 3600.0


def write_report(path: Path, moments: Sequence[Moment], about: About) -> None:
    """Write the report as UTF-8; raises OSError, and ValueError when there are no moments."""
    path.write_text(render_report(moments, about), encoding="utf-8")


def render_report(moments: Sequence[Moment], about: About) -> str:
    """The HTML of a run; raises ValueError when there are no moments."""
    verdict = Verdict.of(moments)
    promise = seconds_text(moments[-1].slo_seconds)
    axis = f"minutes:seconds of the run ({about.compression:g} s of the trace pass in each second)"
    if about.compression == 1:
        axis = "minutes:seconds of the run"
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{escape(about.title)}</title><style>{STYLE}</style></head>
<body><main>
<h1>{escape(about.title)}</h1>
<p class="soft">{escape(about.load)}</p>
{_headline(verdict, promise)}
{_figures(verdict, about)}
<h2>What happened</h2>
<figure aria-label="Load, replicas, magnitude and latency over time">{draw(moments, about.pod_rps, axis)}</figure>
<h2>Decisions</h2>
{_decisions(moments)}
<h2>Verdict</h2>
{_verdict(verdict, promise)}
<h2>How to read this</h2>
<p>Every dimension is measured as its excess over idle: 0 without load, 1 at its own target. The magnitude is the length
of the vector of these numbers; the scaler holds it at its target. The coloured areas are each dimension's share of it.</p>
<p>Grey bands are the seconds in which pods were starting. The promise is judged outside of them: no scaler can make a pod
start sooner.</p>
</main></body></html>
"""


def _headline(verdict: Verdict, promise: str) -> str:
    judged = verdict.seconds - verdict.starting_seconds
    if verdict.held:
        title = "✓ The promise was held"
        text = (
            f"The 95th percentile stayed at or below {promise} in all {judged} seconds in which no pod was starting. It was above "
            f"in {verdict.slow_starting_seconds} of the {verdict.starting_seconds} seconds in which pods were, "
            f"{seconds_text(verdict.worst_starting_p95_seconds)} at its worst."
        )
    elif judged:
        title = "✗ The promise was broken"
        text = (
            f"The 95th percentile was above {promise} in {verdict.slow_seconds} of the {judged} seconds in which no pod"
            f" was starting; the worst was {seconds_text(verdict.worst_p95_seconds)}."
        )
    else:
        title = "✗ Nothing could be judged"
        text = "Pods were starting in every second of the run."
    broken = "" if verdict.held else " broken"
    return f'<div class="verdict{broken}"><b>{title}.</b> {escape(text)}</div>'


def _figures(verdict: Verdict, about: About) -> str:
    figures = (
        ("median p95 latency", seconds_text(verdict.median_p95_seconds)),
        ("late or failed requests", f"{verdict.late_share:.2%}"),
        ("peak load", f"{verdict.peak_load_rps:.0f} rps"),
        ("ready pods", f"{verdict.fewest_ready} to {verdict.most_ready}"),
        ("pod-hours", f"{about.pod_hours(verdict):.1f}"),
        ("changes of replicas", str(verdict.actions)),
        ("changes of direction", str(verdict.flips)),
    )
    cells = (f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in figures)
    return f'<dl class="figures">{"".join(cells)}</dl>'


def _decisions(moments: Sequence[Moment]) -> str:
    rows = [
        (
            clock_text(made.t),
            f"{made.load_rps:.0f} rps",
            f"{made.before} → {made.after}",
            escape(made.sentence),
        )
        for made in decisions(moments)
    ]
    if not rows:
        return "<p>The replicas were never changed.</p>"
    return _table(("At", "Load", "Replicas", "Why"), rows, numbers=3)


def _verdict(verdict: Verdict, promise: str) -> str:
    judged = verdict.seconds - verdict.starting_seconds
    result = '<span class="good">✓ held</span>' if verdict.held else '<span class="bad">✗ broken</span>'
    rows = [
        (
            f"p95 at or below {promise} while no pod was starting",
            f"{verdict.slow_seconds} of {judged} s over it",
            result,
        ),
        ("Highest p95 in those seconds", seconds_text(verdict.worst_p95_seconds), ""),
        (
            "Seconds over the promise while pods were starting",
            f"{verdict.slow_starting_seconds} of {verdict.starting_seconds} s",
            "not judged",
        ),
    ]
    return _table(("Question", "Measured", "Result"), rows)


def _table(head: Iterable[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """A table of cells that are HTML already; the first `numbers` columns are aligned as numbers."""

    def row(cells: Iterable[str], tag: str) -> str:
        opened = (f'<{tag} class="n">' if column < numbers else f"<{tag}>" for column in count())
        return "".join(f"{start}{cell}</{tag}>" for start, cell in zip(opened, cells, strict=False))

    body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in rows)
    return f'<div class="table"><table><thead><tr>{row(head, "th")}</tr></thead><tbody>{body}</tbody></table></div>'
