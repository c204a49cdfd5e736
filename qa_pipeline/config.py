"""The configuration of a home: taxonomy, markets, targets and pipeline settings, read and checked.

Reading and validating TOML belongs here; deciding what to put in a new file does not (see `drafting`).
"""

import hashlib
import math
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StrictBool,
    StrictInt,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.types import Strict

from qa_pipeline.contracts import RESERVED_CODES
from qa_pipeline.errors import ConfigError
from qa_pipeline.messages import as_sentence, model_reason, ordinal
from qa_pipeline.quality_config import QualityConfig
from qa_pipeline.settings import Home

# Codes travel through patterns joined by commas, multi-selects joined by |, file names and page links.
CODE_PATTERN = r"^[^\s,|/\\<>\"'`%?#*:]{1,80}$"
ModelT = TypeVar("ModelT", bound=BaseModel)
Scale = Literal["nominal", "ordinal", "interval", "ratio"]
Metric = Literal["accuracy", "agreement", "sla_minutes", "utilization", "defect_rate"]
# A number as TOML writes it: "0.05" in quotes and true are slips.
Number = Annotated[FiniteFloat, Strict()]
UNKNOWN_KEY = "is not a key of this file; remove it or correct its spelling"
_MEMORY = re.compile(r"(?=.*[1-9])\d+(\.\d+)?\s?(MB|GB|MiB|GiB)")


def check_code(code: str) -> str:
    """Return `code` if it can be a market, queue or label code; ValueError with the reason otherwise."""
    if code in RESERVED_CODES:
        message = f"{code!r} is reserved for roll-ups"
        raise ValueError(message)
    if not re.match(CODE_PATTERN, code):
        message = f"{code!r} is not a code: no spaces and none of , | / \\ < > \" ' ` % ? # * : (80 characters at most)"
        raise ValueError(message)
    return code


def _number(code: str) -> float | None:
    try:
        number = float(code)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LabelConfig(_Strict):
    """One label of a queue; the order in the file is the order of an ordinal scale.

    `value` is its number on an interval or ratio scale, the code itself where that is a number.
    """

    code: str
    name: str = ""
    is_violating: StrictBool
    severity_weight: Annotated[Number, Field(ge=0)] = 1.0
    value: Number | None = None

    @field_validator("code")
    @classmethod
    def _code(cls, value: str) -> str:
        return check_code(value)


class QueueConfig(_Strict):
    """A queue: its labels and the scale that they lie on."""

    name: str = ""
    scale: Scale = "nominal"
    is_multi_select: StrictBool = False
    labels: Annotated[tuple[LabelConfig, ...], Field(min_length=2)]

    @field_validator("labels")
    @classmethod
    def _distinct(cls, value: tuple[LabelConfig, ...]) -> tuple[LabelConfig, ...]:
        codes = [label.code for label in value]
        repeated = sorted({code for code in codes if codes.count(code) > 1})
        if repeated:
            message = f"label {repeated[0]!r} is declared twice"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _has_values(self) -> "QueueConfig":
        if self.scale in ("interval", "ratio"):
            unknown = next(
                (label.code for label, value in zip(self.labels, self._numbers, strict=True) if value is None), None
            )
            if unknown is not None:
                message = f"scale {self.scale!r} needs a number for every label: add value = ... to label {unknown!r}"
                raise ValueError(message)
            if self.scale == "ratio" and min(self.values) < 0:
                message = "scale 'ratio' has no negative numbers: use 'interval'"
                raise ValueError(message)
        return self

    @property
    def _numbers(self) -> list[float | None]:
        return [label.value if label.value is not None else _number(label.code) for label in self.labels]

    @property
    def values(self) -> tuple[float, ...]:
        """Number of each label: its rank, or on an interval or ratio scale its value."""
        if self.scale in ("interval", "ratio"):
            return tuple(number for number in self._numbers if number is not None)
        return tuple(float(rank) for rank in range(len(self.labels)))


class Taxonomy(_Strict):
    """`taxonomy.toml`."""

    version: str
    queues: dict[str, QueueConfig]

    @field_validator("queues")
    @classmethod
    def _codes(cls, value: dict[str, QueueConfig]) -> dict[str, QueueConfig]:
        for code in value:
            check_code(code)
        return value


class MarketConfig(_Strict):
    """A market: its name and the time zone whose date is the business date."""

    name: str = ""
    time_zone: str

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as err:
            message = f"{value!r} is not a time zone of the IANA database, such as 'Europe/Berlin'"
            raise ValueError(message) from err
        return value


class Markets(_Strict):
    """`markets.toml`."""

    markets: dict[str, MarketConfig]

    @field_validator("markets")
    @classmethod
    def _codes(cls, value: dict[str, MarketConfig]) -> dict[str, MarketConfig]:
        for code in value:
            check_code(code)
        return value


class Target(_Strict):
    """A target for one metric; `*` stands for every market, queue or vendor.

    `value` is in minutes for `sla_minutes` and a share from 0 to 1 for every other metric.
    """

    metric: Metric
    value: Number
    market: str = "*"
    queue: str = "*"
    vendor: str = "*"

    @field_validator("value")
    @classmethod
    def _in_range(cls, value: float, info: ValidationInfo) -> float:
        metric = info.data.get("metric")
        if metric == "sla_minutes" and value <= 0:
            message = f"{metric} must be more than 0 minutes (it is {value:g})"
            raise ValueError(message)
        if metric not in (None, "sla_minutes") and not 0 <= value <= 1:
            message = f"{metric} must be a share from 0 to 1, such as 0.05 for 5 % (it is {value:g})"
            raise ValueError(message)
        return value


class Targets(_Strict):
    """`targets.toml`."""

    targets: tuple[Target, ...] = ()

    @field_validator("targets")
    @classmethod
    def _distinct(cls, value: tuple[Target, ...]) -> tuple[Target, ...]:
        places: dict[tuple[str, ...], int] = {}
        for place, target in enumerate(value, start=1):
            first = places.setdefault((target.metric, target.market, target.queue, target.vendor), place)
            if first != place:
                message = (
                    f"the {ordinal(first)} and the {ordinal(place)} are both the target of {target.metric} for market "
                    f"{target.market}, queue {target.queue} and vendor {target.vendor}; remove one of them"
                )
                raise ValueError(message)
        return value


class PipelineConfig(_Strict):
    """`pipeline.toml`: how the pipeline runs. The file may be absent."""

    restate_days: Annotated[StrictInt, Field(ge=0, le=365)] = 28
    memory_limit: str = "2500MB"
    threads: Annotated[StrictInt, Field(ge=1, le=1024)] | None = None

    @field_validator("memory_limit")
    @classmethod
    def _memory(cls, value: str) -> str:
        if not _MEMORY.fullmatch(value):
            message = f"{value!r} is not an amount of memory: a number and MB, GB, MiB or GiB, such as '2500MB'"
            raise ValueError(message)
        return value


class Config(_Strict):
    """Everything a home is configured with."""

    taxonomy: Taxonomy
    markets: Markets
    targets: Targets
    pipeline: PipelineConfig
    quality: QualityConfig = QualityConfig()

    @model_validator(mode="after")
    def _known_targets(self) -> "Config":
        for target in self.targets.targets:
            if target.market != "*" and target.market not in self.markets.markets:
                message = f"targets.toml: market {target.market!r} is not in markets.toml"
                raise ValueError(message)
            if target.queue != "*" and target.queue not in self.taxonomy.queues:
                message = f"targets.toml: queue {target.queue!r} is not in taxonomy.toml"
                raise ValueError(message)
        for queue in self.quality.acceptance.queue_aql_percent:
            if queue not in self.taxonomy.queues:
                message = f"quality.toml: queue {queue!r} of queue_aql_percent is not in taxonomy.toml"
                raise ValueError(message)
        return self

    def target(self, metric: Metric, market: str = "*", queue: str = "*", vendor: str = "*") -> float | None:
        """Value of the most specific target for the slice, or None. Of equals, the later one in the file."""
        best: tuple[int, float] | None = None
        for target in self.targets.targets:
            pairs = ((target.market, market), (target.queue, queue), (target.vendor, vendor))
            if target.metric != metric or any(want not in ("*", have) for want, have in pairs):
                continue
            rank = sum(want != "*" for want, _ in pairs)
            if best is None or rank >= best[0]:
                best = (rank, target.value)
        return best[1] if best else None

    def fingerprint(self) -> str:
        """Hash of what can change a fact or tally: taxonomy, markets and restate_days."""
        parts = (
            self.taxonomy.model_dump_json(),
            self.markets.model_dump_json(),
            str(self.pipeline.restate_days),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        message = (
            f"{path} is missing: `qa-pipeline simulate` and `qa-pipeline import` draft it, or write it by hand "
            "(docs/configure.md)."
        )
        raise ConfigError(message) from err
    except UnicodeDecodeError as err:
        message = f"{path} is not UTF-8: save it as UTF-8."
        raise ConfigError(message) from err
    except tomllib.TOMLDecodeError as err:
        message = f"{path} is not valid TOML: {err}."
        raise ConfigError(message) from err
    except OSError as err:
        message = f"{path} cannot be read ({err.strerror})."
        raise ConfigError(message) from err


def _parse(model: type[ModelT], path: Path, content: dict[str, Any]) -> ModelT:
    try:
        return model.model_validate(content)
    except ValidationError as err:
        message = as_sentence(f"{path}: {model_reason(err, model=model, unknown_key=UNKNOWN_KEY)}")
        raise ConfigError(message) from err


def load_config(home: Home) -> Config:
    """Read `<home>/config/*.toml`.

    Raises ConfigError naming the file, the key and the reason. `targets.toml`, `quality.toml` and `pipeline.toml` may
    be absent.
    """
    folder = home.config
    optional: dict[str, dict[str, Any]] = {}
    for name in ("targets", "quality", "pipeline"):
        path = folder / f"{name}.toml"
        optional[name] = _read_toml(path) if path.exists() else {}
    parts: dict[str, BaseModel] = {
        "taxonomy": _parse(Taxonomy, folder / "taxonomy.toml", _read_toml(folder / "taxonomy.toml")),
        "markets": _parse(Markets, folder / "markets.toml", _read_toml(folder / "markets.toml")),
        "targets": _parse(Targets, folder / "targets.toml", optional["targets"]),
        "quality": _parse(QualityConfig, folder / "quality.toml", optional["quality"]),
        "pipeline": _parse(PipelineConfig, folder / "pipeline.toml", optional["pipeline"]),
    }
    try:
        return Config.model_validate(parts)
    except ValidationError as err:
        raise ConfigError(f"{folder}/{err.errors()[0]['msg'].removeprefix('Value error, ')}.") from err
