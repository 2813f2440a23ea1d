"""The operator's own configuration: which metrics sources there are, how often to look, where to listen.

An administrator writes this file; a CompositeScaler only names a source. How a family becomes PromQL is the business of
`controller.prometheus`.
"""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from controller.api.amounts import Duration, Label, Number, PositiveDuration, PositiveQuantity, Switch, Text
from controller.api.dimensions import LATENCY, Per
from controller.api.errors import InvalidConfiguration
from controller.api.rules import Model
from controller.api.sentences import sentence
from controller.api.units import parse_duration, parse_quantity

__all__ = ["Configuration", "FamilyConfiguration", "FamilyKind", "LogFormat", "LogLevel", "SourceConfiguration"]

METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
LISTEN: Final = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]\s]*)):([0-9]{1,5})", re.ASCII)


class FamilyKind(StrEnum):
    """How the series of a family become one value a pod."""

    COUNTER = "Counter"
    GAUGE = "Gauge"
    HISTOGRAM = "Histogram"


class LogFormat(StrEnum):
    """How log lines look."""

    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """The least important log lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _url(text: str) -> str:
    parts = urlsplit(text)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
    ):
        raise ValueError(
            "must be the base URL of a Prometheus API without user, query and fragment, "
            "write for example http://prometheus.monitoring:9090 (what is there is not repeated, it may hold a password)"
        )
    return text.rstrip("/")


def _metric(text: str) -> str:
    if METRIC.fullmatch(text) is None:
        raise ValueError(
            f"must be the name of a metric without labels, write for example http_request_duration_seconds (got {text!r})"
        )
    return text


def _selector(text: str) -> str:
    if "{" in text or "}" in text or "\n" in text:
        raise ValueError(
            f'must be label matchers without braces, write for example job="api",code!="500" (got {text!r})'
        )
    return text


def _listen(text: str) -> str:
    match = LISTEN.fullmatch(text)
    if match is None or int(match[3]) > 65535:
        raise ValueError(f"must be host:port, write for example 0.0.0.0:8080 (got {text!r})")
    return text


def _long_enough(text: str) -> str:
    if parse_duration(text) < 1:
        raise ValueError("must be 1s or more, write for example 15s")
    return text


#: Metrics are not measured more often than once a second.
LongEnough = Annotated[PositiveDuration, AfterValidator(_long_enough)]


class FamilyConfiguration(Model):
    """One metric family of a source: one value a pod (or a target) from one metric.

    Names tell the unit: `cpu` is in cores, `memory` in bytes, `latency...` in seconds; any other is a plain number.
    """

    kind: FamilyKind = Field(
        description="Counter (its rate), Gauge (its sum) or Histogram (a quantile of a classic histogram)."
    )
    metric: Annotated[Text, AfterValidator(_metric)] = Field(
        description="Name of the metric; of a histogram without _bucket and _count."
    )
    selectors: tuple[Annotated[Text, AfterValidator(_selector)], ...] = Field(
        ("",), min_length=1, max_length=16, description="Label matchers without braces; the series of all are taken."
    )
    scale: Annotated[Number, Field(gt=0)] = Field(
        1.0, description="What brings the value into the family's unit, e.g. 0.001 for a histogram in milliseconds."
    )
    per: Per = Field(Per.POD, description="Pod: one value a pod. Target: selectors name $namespace and $name.")

    @model_validator(mode="after")
    def _a_target_is_named(self) -> Self:
        if self.per is Per.TARGET and not all("$name" in selector for selector in self.selectors):
            raise ValueError(
                "per: Target needs $namespace or $name in every selector, or one number would stand for the whole "
                'cluster; write for example namespace="$namespace",service="$name"'
            )
        return self

    @model_validator(mode="after")
    def _histogram_is_named_without_suffix(self) -> Self:
        if self.kind is FamilyKind.HISTOGRAM and self.metric.endswith(("_bucket", "_count", "_sum")):
            raise ValueError(f"metric {self.metric} of a histogram must have no suffix, remove _bucket, _count or _sum")
        return self


class SourceConfiguration(Model):
    """One Prometheus, or anything with its HTTP API."""

    url: Annotated[Text, AfterValidator(_url)] = Field(description="Base URL, e.g. http://prometheus.monitoring:9090.")
    timeout: PositiveDuration = Field("10s", description="The longest a query may take.")
    max_bytes: PositiveQuantity = Field("32Mi", description="The largest answer that is read, in bytes.")
    window: LongEnough = Field("2m", description="The range of rate(), 1s or more: four scrape intervals are right.")
    bearer_token_file: Path | None = Field(None, description="File with the token that is sent along.")
    ca_file: Path | None = Field(None, description="File with the certificate authority (PEM) of the server.")
    families: dict[Label, FamilyConfiguration] = Field(
        {}, description="Families that are added to the ready-made ones, or replace them, by name."
    )

    @model_validator(mode="after")
    def _latency_is_a_histogram(self) -> Self:
        for name, family in self.families.items():
            if name.startswith(LATENCY) and family.kind is not FamilyKind.HISTOGRAM:
                raise ValueError(f"families.{name}: latency is a Histogram, write kind: Histogram or rename it")
            if not name.startswith(LATENCY) and family.kind is FamilyKind.HISTOGRAM:
                raise ValueError(f"families.{name}: a Histogram gives durations, rename it to latency-{name}")
        return self

    @model_validator(mode="after")
    def _ca_is_for_https(self) -> Self:
        if self.ca_file is not None and not self.url.startswith("https:"):
            raise ValueError(f"caFile {self.ca_file} is of no use with {self.url}, write an https URL or remove caFile")
        return self

    @property
    def timeout_seconds(self) -> float:
        """The longest a query may take, in seconds."""
        return float(parse_duration(self.timeout))

    @property
    def most_bytes(self) -> int:
        """The largest answer that is read, in bytes."""
        return int(parse_quantity(self.max_bytes))

    @property
    def window_seconds(self) -> float:
        """The range of rate() in seconds."""
        return float(parse_duration(self.window))


class Configuration(Model):
    """The operator's configuration file."""

    interval: LongEnough = Field("15s", description="Time between two cycles, 1s or more.")
    evaluation_delay: Duration = Field(
        "5s", description="How far in the past a cycle evaluates its queries, so that all samples have arrived."
    )
    sources: Annotated[dict[Label, SourceConfiguration], Field(min_length=1)] = Field(
        description="Metrics sources by the name that CompositeScalers use, `default` if they name none."
    )
    stop: Switch = Field(
        False,
        description="true: no target is written; everything is still evaluated, shown and remembered. "
        "The only key that is read again while the operator runs, before every cycle.",
    )
    log_format: LogFormat = Field(LogFormat.JSON, description="json or console.")
    log_level: LogLevel = Field(LogLevel.INFO, description="debug, info, warning or error.")
    listen: Annotated[Text, AfterValidator(_listen)] = Field(
        ":8080",
        description="host:port (no host: every address) of /healthz, /readyz and /metrics; port 0 takes a free one.",
    )

    @property
    def interval_seconds(self) -> float:
        """Time between two cycles in seconds."""
        return float(parse_duration(self.interval))

    @property
    def evaluation_delay_seconds(self) -> float:
        """How far in the past a cycle evaluates its queries, in seconds."""
        return float(parse_duration(self.evaluation_delay))

    @property
    def address(self) -> tuple[str | None, int]:
        """Host and port to listen on; no host means every address, of IPv6 too."""
        match = LISTEN.fullmatch(self.listen)
        assert match is not None
        return match[1] or match[2] or None, int(match[3])

    @classmethod
    def parse(cls, content: Any) -> Self:
        """Read the content of a configuration file, as YAML gives it.

        Raises InvalidConfiguration with one sentence about every mistake.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise InvalidConfiguration(sentence(error)) from error

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a configuration file.

        Raises InvalidConfiguration.
        """
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise InvalidConfiguration(
                f"{path} cannot be read: {error.strerror}; write the file or name another"
            ) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InvalidConfiguration(f"{path} is no YAML: {' '.join(str(error).split())}") from error
        try:
            return cls.parse(content)
        except InvalidConfiguration as error:
            raise InvalidConfiguration(f"{path}: {error}") from error
