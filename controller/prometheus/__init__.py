"""Metrics sources: queries, the catalogue of families, the HTTP transport, and answers that became columns."""

from controller.prometheus.families import AGE_LABEL, AGE_LABEL_VALUE, READY_MADE, Family, Kind, families_of
from controller.prometheus.query import Answer, Column, Fault, Query, Scalar
from controller.prometheus.source import Source
from controller.prometheus.templates import custom_text

__all__ = [
    "AGE_LABEL",
    "AGE_LABEL_VALUE",
    "READY_MADE",
    "Answer",
    "Column",
    "Family",
    "Fault",
    "Kind",
    "Query",
    "Scalar",
    "Source",
    "custom_text",
    "families_of",
]
