"""The rows that every mart is made of: one set of columns, one key, one way to write them.

The shape of a mart and its writing belong here; what the figures are does not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qa_pipeline.marts import verdicts
from qa_pipeline.marts.reading import Codes
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray
from qa_pipeline.stats.windows import PERIODS, Windows

ExtraColumn: TypeAlias = Codes | npt.NDArray[Any]
METHODS = (
    "",
    "difference",
    "imbens_manski",
    "jackknife",
    "linearised",
    "multinomial_delta",
    "variance_recovery",
    "wilson",
    "wilson_effective",
    "wilson_kish",
)
(
    NO_METHOD,
    DIFFERENCE,
    IMBENS_MANSKI,
    JACKKNIFE,
    LINEARISED,
    MULTINOMIAL_DELTA,
    VARIANCE_RECOVERY,
    WILSON,
    WILSON_EFFECTIVE,
    WILSON_KISH,
) = range(len(METHODS))
REASON_MEANINGS: dict[str, str] = {
    "bounds_only": "not one number: what was not appealed is unknown, and the interval is all that can be said",
    "contradicted": "fewer defects were found than QA's own false alarms, or more were overturned than QA finds wrong",
    "control_limits": "a point of a control chart, which is judged by its limits and not by an interval",
    "expectation": "a value to compare with, which has no interval",
    "mixed_scales": "the queues rolled up have labels on different scales",
    "no_arbitration": "none of QA's blind verdicts was reviewed again",
    "no_baseline": "nothing in the 28 days before",
    "no_blind_reviews": "no review was blind, and only of blind verdicts is it known how they err",
    "no_comparison": "nothing to compare with",
    "no_data": "nothing was decided, judged or reviewed",
    "no_defects": "no defect has been found since the baseline, so that none lies between two",
    "no_pairs": "no unit has two ratings",
    "one_label_only": "everybody chose the same label, so agreement by chance or drift is undefined",
    "one_sided_arbitration": "QA's verdicts of one sort (defect or none) were never reviewed again",
    "planned": "a number to plan with, which has no interval",
    "rare_labels": "under 5 units in which two raters agree on a label other than the commonest",
    "short_baseline": "the baseline of the control chart is not complete, or has under 14 days with reviews",
    "sparse_categories": "more than half of the labels or bins are too rare for an interval",
    "thin_arbitration": "under 10 defects or under 10 right decisions among QA's verdicts reviewed again",
    "too_few_disagreements": "raters always agreed, or never did, so that chance agreement cannot be told apart",
    "too_few_events": "under 10 decisions outside the commonest label, or in under 8 groups",
    "too_few_items": "under 100 units (coefficients of agreement: under 20; pairs of raters: under 30)",
    "uninformative_qa": "QA's sensitivity and specificity add up to 1 or less, so that its verdicts say nothing",
    "unstated_chances": "some reviews of the lots state with what chance they were picked and others do not",
}
REASONS = tuple(REASON_MEANINGS)
NO_REASON = -1
COLUMNS: dict[str, tuple[str, str]] = {
    "period": ("varchar", "day, week (ISO, Monday to Sunday), trailing_28d (28 days up to period_end) or all."),
    "period_start": ("date", "First business date of the period."),
    "period_end": ("date", "Last business date of the period, inclusive."),
    "market": ("varchar", "Market code; ALL rolls markets up, CROSS takes an item over all markets as one unit."),
    "queue": ("varchar", "Queue code; ALL rolls queues up."),
    "subject_kind": ("varchar", "What sort of subject the figure is about."),
    "subject": ("varchar", "Who or what the figure is about, within subject_kind."),
    "metric": ("varchar", "Name of the figure."),
    "reference_kind": ("varchar", "What decisions were judged by; empty where a figure has no reference."),
    "method": ("varchar", "How the interval was made; empty where there is none."),
    "estimate": ("double", "The figure; NULL with a reason where it cannot be computed."),
    "ci_low": ("double", "Lower end of the 95 % interval."),
    "ci_high": ("double", "Upper end of the 95 % interval."),
    "n_items": ("bigint", "Units behind the figure (see the table's comment)."),
    "n_ratings": ("bigint", "Ratings behind the figure (see the table's comment)."),
    "is_provisional": ("boolean", "Whether data still to come within restate_days may change the figure."),
    "reason": (
        "varchar",
        "Why the estimate or its interval is missing, NULL when both are there. "
        + "; ".join(f"{reason}: {meaning}" for reason, meaning in REASON_MEANINGS.items())
        + ".",
    ),
}
KEY = tuple(COLUMNS)[:10]
_TEXTS = ("market", "queue", "subject_kind", "subject", "metric", "reference_kind")


_ARRAYS = ("window", "method", "estimate", "low", "high", "n_items", "n_ratings", "reason")


@dataclass(frozen=True)
class Figures:
    """Figures about to become mart rows, `[rows]` each; `window` indexes the windows they belong to.

    `method` and `reason` index METHODS and REASONS (NO_REASON: NULL); NaN becomes NULL. `days_after` is how many days
    beyond the end of their period the data behind them go on. `extra` are columns that only this mart has: codes,
    numbers (NaN: NULL), dates (NaT: NULL) or booleans.
    """

    window: IntArray
    texts: dict[str, Codes]
    method: IntArray
    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    n_items: FloatArray
    n_ratings: FloatArray
    reason: IntArray
    days_after: int = 0
    extra: Mapping[str, ExtraColumn] = field(default_factory=dict)

    def where(self, chosen: BoolArray) -> "Figures":
        """The chosen rows."""
        return replace(
            self,
            texts={name: codes.take(chosen) for name, codes in self.texts.items()},
            extra={name: taken(values, chosen) for name, values in self.extra.items()},
            **{name: getattr(self, name)[chosen] for name in _ARRAYS},
        )

    @staticmethod
    def joined(parts: Sequence["Figures"]) -> "Figures":
        """The rows of several figures, one after the other; their texts are coded anew. All have the same extras."""
        return replace(
            parts[0],
            texts={name: _joined([part.texts[name] for part in parts]) for name in parts[0].texts},
            extra={name: _joined_extra([part.extra[name] for part in parts]) for name in parts[0].extra},
            days_after=max(part.days_after for part in parts),
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS},
        )

    def with_texts(self, **texts: Codes) -> "Figures":
        """The same rows with other texts."""
        return replace(self, texts=self.texts | texts)


# Figures with the windows that they index.
WindowedFigures: TypeAlias = list[tuple[Windows, list[Figures]]]


def taken(values: ExtraColumn, chosen: IntArray | BoolArray) -> ExtraColumn:
    """The chosen ones of an extra column."""
    return values.take(chosen) if isinstance(values, Codes) else values[chosen]


def _joined_extra(parts: list[ExtraColumn]) -> ExtraColumn:
    codes = [part for part in parts if isinstance(part, Codes)]
    if codes:
        return _joined(codes)
    return np.concatenate([part for part in parts if not isinstance(part, Codes)])


def _joined(parts: list[Codes]) -> Codes:
    names = tuple(sorted(set().union(*(part.names for part in parts))))
    place = {name: index for index, name in enumerate(names)}
    values = [np.array([place[name] for name in part.names], dtype=np.int64)[part.values] for part in parts]
    return Codes(values=np.concatenate(values), names=names)


def constant(name: str, rows: int) -> Codes:
    """The same text for `rows` rows."""
    return Codes(values=np.zeros(rows, dtype=np.int64), names=(name,))


def mart_rows(figures: Figures, *, windows: Windows, provisional_after: np.datetime64, has_verdict: bool) -> pa.Table:
    """Rows with COLUMNS and the figures' extra ones. Those whose data end after `provisional_after` are provisional."""
    period = Codes(values=windows.period[figures.window], names=PERIODS)
    end = windows.end[figures.window]
    texts = {name: _dictionary(figures.texts[name]) for name in _TEXTS}
    columns = {
        "period": _dictionary(period),
        "period_start": pa.array(windows.start[figures.window]),
        "period_end": pa.array(end),
        **texts,
        "method": _dictionary(Codes(values=figures.method, names=METHODS)),
        "estimate": _numbers(figures.estimate),
        "ci_low": _numbers(figures.low),
        "ci_high": _numbers(figures.high),
        "n_items": pa.array(figures.n_items.astype(np.int64)),
        "n_ratings": pa.array(figures.n_ratings.astype(np.int64)),
        "is_provisional": pa.array(end + np.timedelta64(figures.days_after, "D") > provisional_after),
        "reason": _dictionary(Codes(values=figures.reason, names=REASONS)),
    }
    if has_verdict:
        judged = verdicts.verdicts(figures.texts["metric"], low=figures.low, high=figures.high)
        columns["verdict"] = _dictionary(judged)
    return pa.table(columns | {name: _extra(values) for name, values in figures.extra.items()})


def write_mart(
    con: duckdb.DuckDBPyConnection,
    name: str,
    rows: list[pa.Table],
    *,
    comment: str,
    columns: Mapping[str, tuple[str, str]],
) -> int:
    """Replace `marts.<name>` by `rows` in the order of the mart key, with comments; returns the number of rows.

    `columns` are the type and comment of each; those that some rows lack are NULL there. The caller holds the
    transaction. `name` is one of the project's own words, never data.
    """
    declared = ", ".join(f"{column} {type_}" for column, (type_, _) in columns.items())
    con.execute(f"create or replace table marts.{name} ({declared})")
    if rows:
        con.register("mart_rows", pa.concat_tables(rows, promote_options="default"))
        try:
            con.execute(f"insert into marts.{name} by name from mart_rows order by {', '.join(KEY)}")
        finally:
            con.unregister("mart_rows")
    con.execute(f"comment on table marts.{name} is {_quoted(comment)}")
    for column, (_, text) in columns.items():
        con.execute(f"comment on column marts.{name}.{column} is {_quoted(text)}")
    return sum(table.num_rows for table in rows)


def _dictionary(codes: Codes) -> pa.DictionaryArray:
    indices = pa.array(codes.values.astype(np.int32), mask=codes.values < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(codes.names, pa.string()))


def _numbers(values: FloatArray) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _extra(values: ExtraColumn) -> pa.Array:
    if isinstance(values, Codes):
        return _dictionary(values)
    if values.dtype.kind == "f":
        return _numbers(values)
    return pa.array(values)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
