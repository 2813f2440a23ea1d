"""A subset of PromQL with Prometheus' exact semantics (version 3), over samples in memory.

    text --lexer--> tokens --syntax--> expressions --evaluation--> values            samples: series

What is not in the subset is refused by name (`unsupported`), never answered differently.
"""

from controller.embedded.promql.errors import BadQuery, ExecutionError, QueryError, QueryTimeout
from controller.embedded.promql.evaluation import Answer, evaluate, evaluate_range
from controller.embedded.promql.exposition import Exposition, ExpositionError
from controller.embedded.promql.series import Series, SeriesStore
from controller.embedded.promql.syntax import parse
from controller.embedded.promql.values import Annotations, Labels, Sample, Trace, ValueType, Vector

__all__ = [
    "Annotations",
    "Answer",
    "BadQuery",
    "ExecutionError",
    "Exposition",
    "ExpositionError",
    "Labels",
    "QueryError",
    "QueryTimeout",
    "Sample",
    "Series",
    "SeriesStore",
    "Trace",
    "ValueType",
    "Vector",
    "evaluate",
    "evaluate_range",
    "parse",
]
