"""What the results are measured against: the goals of issue 4, and the figures of the study that the law comes from.

Violations are in per cent of the requests. The study is the law's (docs/architecture.md, Sources), its sections 2 to 5; it ran on
another simulator of the same plant, so its absolute figures are a guide and its order is the claim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ADVERSARIAL", "BLIND", "BLIND_GOALS", "GOALS", "PARETO", "BlindGoal", "Case", "Goal", "Study"]


@dataclass(frozen=True, slots=True)
class Goal:
    """At `mark` times the oracle's pod-hours the law shall break no more than `violations`; HPA's CPU rule broke `rule` in the study."""

    load: str
    mark: float
    violations: float
    rule: float


GOALS: Final = (
    Goal("crane_diurnal", 1.2, 1.0, 1.19),
    Goal("nasa", 1.2, 2.7, 3.5),
    Goal("autothrottle_bursty", 1.2, 1.5, 5.0),
    Goal("crane_levelshift", 2.1, 4.2, 6.9),
    Goal("crane_bursty", 1.35, 0.7, 1.65),
    Goal("wc98", 1.2, 0.78, 0.84),
)


@dataclass(frozen=True, slots=True)
class Study:
    """Violations of HPA's CPU rule, of KEDA and of the law at one price, and of the clairvoyant schedule; None where there is none."""

    hpa_cpu: float
    keda: float
    law: float | None
    bound: float | None


PARETO: Final = {
    ("wc98", 1.2): Study(0.84, 0.81, 0.74, 0.56),
    ("wc98", 1.35): Study(0.32, 0.31, 0.30, 0.24),
    ("crane_diurnal", 1.2): Study(1.19, 1.09, 0.91, 0.76),
    ("crane_diurnal", 1.35): Study(0.55, 0.51, 0.38, 0.31),
    ("nasa", 1.2): Study(3.52, 2.64, 2.53, 0.68),
    ("nasa", 1.35): Study(1.15, 0.87, 0.83, 0.28),
    ("autothrottle_bursty", 1.2): Study(5.04, 2.74, 1.26, 0.67),
    ("autothrottle_bursty", 1.35): Study(1.59, 0.93, 0.43, 0.27),
    ("autothrottle_noisy", 1.2): Study(1.34, 1.39, 1.26, 0.91),
    ("autothrottle_noisy", 1.35): Study(0.47, 0.51, 0.47, 0.36),
    ("azure_llm_conv", 1.35): Study(1.49, 1.48, 1.91, 0.81),
    ("azure_llm_conv", 1.6): Study(0.27, 0.27, 0.27, 0.16),
    ("azure_llm_code", 6.0): Study(28.39, 24.44, None, None),
    ("azure_llm_code", 9.0): Study(12.43, 12.43, 11.62, None),
    ("crane_levelshift", 1.75): Study(8.69, 5.54, 3.90, 0.01),
    ("crane_levelshift", 2.1): Study(6.89, 4.99, 3.79, 0.00),
    ("crane_bursty", 1.35): Study(1.65, 1.30, 0.60, 0.15),
    ("crane_bursty", 1.75): Study(0.59, 0.53, 0.20, 0.03),
}


@dataclass(frozen=True, slots=True)
class Case:
    """Violations, pod-hours, flips and the most pods of one run of the study."""

    violations: float
    pod_hours: float
    flips: float
    most: float


@dataclass(frozen=True, slots=True)
class BlindGoal:
    """What the law shall keep on the day of the blind signals: violations below, flips and the most pods at most."""

    violations: float
    flips: float = 20.0
    most: float | None = None


BLIND_GOALS: Final = {
    "cost-x1.6": BlindGoal(1.0),
    "workers": BlindGoal(1.0),
    "slow-dependency": BlindGoal(2.4, most=60.0),
}

BLIND: Final = {
    ("cost-x1.6", "hpa-cpu"): Case(5.46, 298, 13, 54),
    ("cost-x1.6", "hpa"): Case(1.78, 394, 8, 100),
    ("cost-x1.6", "keda"): Case(81.16, 191, 5, 30),
    ("cost-x1.6", "law"): Case(0.61, 480, 6, 85),
    ("cost-x1.6", "no-efficacy"): Case(0.61, 480, 6, 85),
    ("cost-x1.6", "no-memory"): Case(0.74, 453, 7, 81),
    ("cost-x1.6", "target-1.2"): Case(1.06, 410, 5, 73),
    ("cost-x1.6", "cpu-only"): Case(4.65, 301, 5, 52),
    ("workers", "hpa-cpu"): Case(86.08, 48, 0, 3),
    ("workers", "hpa"): Case(0.27, 188, 37, 41),
    ("workers", "keda"): Case(0.01, 191, 5, 30),
    ("workers", "law"): Case(0.01, 180, 4, 29),
    ("workers", "no-efficacy"): Case(0.01, 180, 4, 29),
    ("workers", "no-memory"): Case(0.33, 166, 26, 27),
    ("workers", "target-1.2"): Case(0.17, 167, 16, 27),
    ("workers", "cpu-only"): Case(85.38, 111, 4, 16),
    ("slow-dependency", "hpa-cpu"): Case(4.63, 201, 8, 33),
    ("slow-dependency", "hpa"): Case(1.77, 306, 8, 100),
    ("slow-dependency", "keda"): Case(5.65, 191, 5, 30),
    ("slow-dependency", "law"): Case(2.05, 270, 8, 52),
    ("slow-dependency", "no-efficacy"): Case(1.26, 342, 6, 100),
    ("slow-dependency", "no-memory"): Case(1.87, 256, 7, 47),
    ("slow-dependency", "target-1.2"): Case(2.87, 231, 9, 38),
    ("slow-dependency", "cpu-only"): Case(4.22, 205, 5, 32),
}

#: The study's law, and the same with the demand of completions.
ADVERSARIAL: Final = {
    ("none", "law"): Case(0.32, 357, 34, 38),
    ("rollout-x1.5", "law"): Case(0.66, 521, 34, 69),
    ("slow-pod", "law"): Case(0.45, 367, 34, 39),
    ("fast-start", "law"): Case(0.34, 353, 40, 38),
    ("slow-start", "law"): Case(0.32, 361, 24, 38),
    ("scrape-30s", "law"): Case(0.34, 354, 36, 38),
    ("rough", "law"): Case(0.27, 383, 33, 41),
    ("noise-5s", "law"): Case(0.46, 304, 25, 29),
    ("noise-2m", "law"): Case(0.49, 319, 47, 45),
    ("step-x50", "law"): Case(1.62, 127, 2, 37),
    ("zero-at-night", "law"): Case(0.32, 302, 1, 35),
    ("zero-at-night-then-slow-dependency", "law"): Case(6.91, 312, 3, 35),
    ("none", "law-histogram"): Case(0.32, 357, 34, 38),
    ("rollout-x1.5", "law-histogram"): Case(0.66, 521, 34, 69),
    ("slow-pod", "law-histogram"): Case(0.45, 367, 34, 39),
    ("fast-start", "law-histogram"): Case(0.34, 353, 40, 38),
    ("slow-start", "law-histogram"): Case(0.32, 361, 24, 38),
    ("scrape-30s", "law-histogram"): Case(0.34, 354, 36, 38),
    ("rough", "law-histogram"): Case(0.27, 383, 33, 41),
    ("noise-5s", "law-histogram"): Case(0.46, 304, 25, 29),
    ("noise-2m", "law-histogram"): Case(0.49, 319, 47, 45),
    ("step-x50", "law-histogram"): Case(2.53, 139, 3, 100),
    ("zero-at-night", "law-histogram"): Case(0.32, 302, 1, 35),
    ("zero-at-night-then-slow-dependency", "law-histogram"): Case(6.91, 312, 3, 35),
}
