"""`quality.toml`: how quality is counted, controlled, accepted and planned for. The file may be absent.

What the settings mean belongs here; reading the file is `config`'s.
"""

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StrictInt, field_validator, model_validator
from pydantic.types import Strict

from qa_pipeline.limits import AQLS, MIN_BASELINE_DAYS

Number = Annotated[FiniteFloat, Strict()]
Share = Annotated[Number, Field(gt=0, lt=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SeverityWeights(_Strict):
    """What a defect of each severity counts in the severity-weighted defects per 1,000 decisions."""

    critical: Annotated[Number, Field(ge=0)] = 10.0
    major: Annotated[Number, Field(ge=0)] = 5.0
    minor: Annotated[Number, Field(ge=0)] = 1.0

    @model_validator(mode="after")
    def _one_counts(self) -> "SeverityWeights":
        if not max(self.critical, self.major, self.minor) > 0:
            raise ValueError("one of critical, major and minor must be above 0")
        return self


class BaselineConfig(_Strict):
    """The phase that control charts compare with: the first `days` days with reviews of each series, or fixed dates.

    Nothing is judged before it is complete.
    """

    days: Annotated[StrictInt, Field(ge=MIN_BASELINE_DAYS, le=366)] = 28
    start: dt.date | None = None
    end: dt.date | None = None

    @model_validator(mode="after")
    def _both_dates(self) -> "BaselineConfig":
        if (self.start is None) != (self.end is None):
            raise ValueError("start and end go together: give both dates of the baseline, or neither")
        if self.start is not None and self.end is not None and (self.end - self.start).days + 1 < MIN_BASELINE_DAYS:
            raise ValueError(f"a baseline has {MIN_BASELINE_DAYS} days at least, from start to end")
        return self


class AlarmConfig(_Strict):
    """How often a night without any change may raise an alarm."""

    false_discovery_rate: Annotated[Share, Field(le=0.5)] = 0.05


class AcceptanceConfig(_Strict):
    """Lot acceptance: the acceptance quality limit in percent (of all queues, or of one), and the sequential test.

    The sequential test asks whether a lot's defect rate is `good_share` or `bad_share`; without them, the AQL and two
    and a half times it.
    """

    aql_percent: Number = 4.0
    level: Literal["S-1", "S-2", "S-3", "S-4", "I", "II", "III"] = "II"
    queue_aql_percent: dict[str, Number] = Field(default_factory=dict)
    good_share: Share | None = None
    bad_share: Share | None = None
    producer_risk: Annotated[Share, Field(le=0.5)] = 0.05
    consumer_risk: Annotated[Share, Field(le=0.5)] = 0.10

    @field_validator("aql_percent")
    @classmethod
    def _listed(cls, value: float) -> float:
        if value not in AQLS:
            message = f"{value:g} is not an AQL of ISO 2859-1: one of {', '.join(f'{aql:g}' for aql in AQLS)} percent"
            raise ValueError(message)
        return value

    @field_validator("queue_aql_percent")
    @classmethod
    def _all_listed(cls, value: dict[str, float]) -> dict[str, float]:
        for aql in value.values():
            cls._listed(aql)
        return value

    @model_validator(mode="after")
    def _ordered(self) -> "AcceptanceConfig":
        if (self.good_share is None) != (self.bad_share is None):
            raise ValueError("good_share and bad_share go together: give both, or neither")
        if self.good_share is not None and self.bad_share is not None and self.good_share >= self.bad_share:
            raise ValueError("good_share must be below bad_share")
        if self.producer_risk + self.consumer_risk >= 1:
            raise ValueError("producer_risk and consumer_risk must add up to less than 1")
        return self

    def aql(self, queue: str) -> float:
        """Acceptance quality limit of a queue, in percent."""
        return self.queue_aql_percent.get(queue, self.aql_percent)

    def tested_shares(self, queue: str) -> tuple[float, float]:
        """The good and the bad defect rate between which the sequential test of a queue's lots decides."""
        if self.good_share is not None and self.bad_share is not None:
            return self.good_share, self.bad_share
        good = self.aql(queue) / 100
        return good, 2.5 * good


class PlanningConfig(_Strict):
    """Tomorrow's random reviews: how many, the least for each annotator, and what they should show.

    Without `reviews_per_day` the budget is what was reviewed a day on average in the newest 28 days. `half_width`: half
    of the interval wanted for a queue's defect rate over 28 days; `visible_change`: the rise that 28 days should
    show, as a factor on the defect rate, with probability `power`.
    """

    reviews_per_day: Annotated[StrictInt, Field(ge=1)] | None = None
    annotator_floor: Annotated[StrictInt, Field(ge=0)] = 1
    half_width: Share = 0.02
    visible_change: Annotated[Number, Field(gt=1)] = 1.5
    power: Share = 0.8


class QualityConfig(_Strict):
    """`quality.toml`."""

    severity_weights: SeverityWeights = SeverityWeights()
    baseline: BaselineConfig = BaselineConfig()
    alarms: AlarmConfig = AlarmConfig()
    acceptance: AcceptanceConfig = AcceptanceConfig()
    planning: PlanningConfig = PlanningConfig()
