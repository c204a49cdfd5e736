"""The series of control charts: reviews and defects of each subject a day, and their roll-ups.

Which series there are and how their reviews add up belongs here; limits and tests are `control_tests`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qa_pipeline.marts.cells import RollUp, group_by, roll_ups, summed
from qa_pipeline.marts.defect_rate import REFERENCE_KIND
from qa_pipeline.marts.rates import Subject
from qa_pipeline.marts.reading import Codes, Table, coded
from qa_pipeline.marts.records import WILSON, WILSON_EFFECTIVE, constant
from qa_pipeline.marts.sampling_plans import PER_UNIT, largest_weights
from qa_pipeline.marts.subjects import annotators, few_subjects
from qa_pipeline.stats.jackknife import FloatArray, IntArray, Interval, divide
from qa_pipeline.stats.proportions import effective_n
from qa_pipeline.stats.weighted_means import WeightedSums, mean_interval
from qa_pipeline.stats.windows import DateArray, Windows

_MEASURES = ("unit_count", "weight", "weight_squared", "defect_count", "defect_weight", "defect_weight_squared")


@dataclass(frozen=True)
class Series:
    """Every series of defect rates; arrays are `[days, series]` unless noted.

    `dates` `[days]` are those with reviews. `texts` (market, queue, subject_kind, subject) are `[series]`. `measures`
    are sums of the tally, weights in 1; `largest_weight` is the largest of the sampling plans around the day.
    `same_as` `[series]` is the most special series made of the very same markets and queues: a roll-up of a single
    queue is that queue again.
    """

    dates: DateArray
    texts: dict[str, Codes]
    measures: dict[str, FloatArray]
    largest_weight: FloatArray
    same_as: IntArray

    def __len__(self) -> int:
        return len(self.same_as)

    @property
    def units(self) -> FloatArray:
        """Reviews."""
        return self.measures["unit_count"]

    @cached_property
    def rate(self) -> FloatArray:
        """Defect rate weighted by 1 / inclusion probability; NaN without reviews."""
        return divide(self.measures["defect_weight"], self.measures["weight"])

    @cached_property
    def reviews(self) -> FloatArray:
        """Kish's effective number of reviews: the reviews themselves where weights are equal."""
        return effective_n(self.units, self.measures["weight"], self.measures["weight_squared"])

    @cached_property
    def defects(self) -> FloatArray:
        """Rate times effective number; the defects themselves where weights are equal."""
        reviews = self.reviews
        weighted = np.nan_to_num(self.rate) * reviews
        return np.where(reviews == self.units, self.measures["defect_count"], weighted)

    def day_rates(self, day: IntArray, series: IntArray) -> tuple[FloatArray, Interval, IntArray]:
        """Rates of chosen points, `[points]`, their intervals as of a process that goes on, and methods of these."""
        chosen = {name: values[day, series] for name, values in self.measures.items()}
        sums = WeightedSums(
            units=chosen["unit_count"],
            weight=chosen["weight"],
            value=chosen["defect_weight"],
            spread=chosen["weight_squared"],
            spread_value=chosen["defect_weight_squared"],
            spread_square=chosen["defect_weight_squared"],
        )
        found = mean_interval(sums, largest_weight=self.largest_weight[day, series], is_finite=False)
        is_equal = self.reviews[day, series] == sums.units
        return sums.mean, found, np.where(is_equal, WILSON, WILSON_EFFECTIVE)

    def row_texts(self, series: IntArray, metric: Codes) -> dict[str, Codes]:
        """Texts of rows `[points]` about some series."""
        return {name: codes.take(series) for name, codes in self.texts.items()} | {
            "metric": metric,
            "reference_kind": constant(REFERENCE_KIND, len(series)),
        }


@dataclass(frozen=True)
class _Lot:
    """The series of one kind of subject in one roll-up: their texts, and which of them each key is in (-1: none)."""

    names: list[tuple[str, str, str, str]]
    column: IntArray
    # The distinct markets x queues that each series is made of.
    made_of: list[tuple[tuple[int, int], ...]]


def control_series(table: Table, *, windows: Windows) -> Series:
    """Lay out `table` (`sql/marts/control_reviews.sql`, not empty) as series a day.

    Rater kinds and vendors by market x queue and the roll-ups, model versions by market x queue, annotators over all
    their markets and queues. `windows` are days.
    """
    lots = list(_lots(table))
    dates = np.unique(table.dates)
    day = np.searchsorted(dates, table.dates)
    planned = group_by(*(table.texts[name].values for name in ("market", "queue", "rater_kind"))).group
    of_day = np.searchsorted(windows.start, dates)
    largest = largest_weights(table, windows=windows, plans=planned)[of_day]
    names = [name for lot in lots for name in lot.names]
    texts = zip(("market", "queue", "subject_kind", "subject"), zip(*names, strict=True), strict=True)
    return Series(
        dates=dates,
        texts={name: coded(list(values)) for name, values in texts},
        measures={
            name: np.concatenate([_daily(table, name, day=day, days=len(dates), lot=lot) for lot in lots], axis=1)
            for name in _MEASURES
        },
        largest_weight=np.concatenate([_largest(largest, planned, lot) for lot in lots], axis=1),
        same_as=_same_as(names, [made for lot in lots for made in lot.made_of]),
    )


def _lots(table: Table) -> Iterator[_Lot]:
    for subject in (*few_subjects(table), *annotators(table)):
        keys = np.flatnonzero(subject.keys)
        if not len(keys):
            continue
        for places in roll_ups({name: table.texts[name].take(keys) for name in ("market", "queue")}):
            is_base, is_total = _level(places)
            if (subject.kind == "model_version" and not is_base) or (subject.kind == "annotator" and not is_total):
                continue
            yield _lot(table, subject, keys, places)


def _level(places: RollUp) -> tuple[bool, bool]:
    return not (places.is_market_all or places.is_queue_all), places.is_market_all and places.is_queue_all


def _lot(table: Table, subject: Subject, keys: IntArray, places: RollUp) -> _Lot:
    keys = keys[places.keys]
    cells = group_by(places.market.values, places.queue.values, subject.name.values[keys])
    column = np.full(table.keys, -1)
    column[keys] = cells.group
    market, queue, name = cells.parts
    base = group_by(cells.group, table.texts["market"].values[keys], table.texts["queue"].values[keys]).parts
    made_of: list[list[tuple[int, int]]] = [[] for _ in range(len(cells))]
    for cell, *place in zip(*(part.tolist() for part in base), strict=True):
        made_of[cell].append((place[0], place[1]))
    return _Lot(
        names=[
            (places.market.names[m], places.queue.names[q], subject.kind, subject.name.names[s])
            for m, q, s in zip(market, queue, name, strict=True)
        ],
        column=column,
        made_of=[tuple(each) for each in made_of],
    )


def _daily(table: Table, name: str, *, day: IntArray, days: int, lot: _Lot) -> FloatArray:
    column = lot.column[table.key]
    rows = np.flatnonzero(column >= 0)
    width = len(lot.names)
    values = table.numbers[name][rows].astype(np.float64)
    found = summed(day[rows] * width + column[rows], values, shape=(days, width))
    return found / PER_UNIT if "weight" in name else found


def _largest(largest: FloatArray, plans: IntArray, lot: _Lot) -> FloatArray:
    """The largest weight of the plans that each series is made up of, `[days, series]`."""
    keys = np.flatnonzero(lot.column >= 0)
    pairs = group_by(lot.column[keys], plans[keys])
    series, plan = pairs.parts
    starts = np.searchsorted(series, np.arange(len(lot.names)))
    found: FloatArray = np.maximum.reduceat(largest[:, plan], starts, axis=1)
    return found


def _same_as(names: list[tuple[str, str, str, str]], made_of: list[tuple[tuple[int, int], ...]]) -> IntArray:
    first: dict[tuple[str, str, tuple[tuple[int, int], ...]], int] = {}
    found = [
        first.setdefault((kind, subject, made), place)
        for place, ((_, _, kind, subject), made) in enumerate(zip(names, made_of, strict=True))
    ]
    return np.array(found, dtype=np.int64)
