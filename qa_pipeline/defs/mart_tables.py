"""What the UI shows of a mart: its worst queues with intervals and a line of the last days, and numbers to plot."""

from dataclasses import dataclass
from typing import Any

import duckdb

from qa_pipeline.defs.describing import rows_table

_SPARKS = "▁▂▃▄▅▆▇█"
_SPARK_DAYS = 14
_WORST_ROWS = 8
# So many series fit a page of plots; the pages show the rest.
_PLOTTED = 12


@dataclass(frozen=True)
class Headline:
    """The figure that a mart is judged by at a glance, and whether a low one is bad."""

    title: str
    metric: str
    subject_kind: str
    reference_kind: str
    is_low_bad: bool


# Marts about raters and labels have no one figure of a queue, so nothing of theirs stands here.
HEADLINES = {
    "agreement": Headline("Krippendorff's alpha", "krippendorff_alpha", "pool", "", is_low_bad=True),
    "accuracy": Headline("accuracy of people", "accuracy", "rater_kind", "any", is_low_bad=True),
    "defect_rate": Headline("defect rate of people", "defect_rate", "rater_kind", "qa", is_low_bad=False),
    "drift": Headline("PSI of labels", "psi", "labels", "", is_low_bad=False),
}
_CELLS = (
    "metric = $metric and subject_kind = $kind and reference_kind = $reference and subject in ('production', 'human') "
    "and market not in ('ALL', 'CROSS') and queue <> 'ALL'"
)


def _parameters(headline: Headline) -> dict[str, object]:
    return {"metric": headline.metric, "kind": headline.subject_kind, "reference": headline.reference_kind}


def worst_queues(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, Any]:
    """A table of the worst queues of the newest 28 days; empty when there is no such figure."""
    headline = HEADLINES.get(name)
    if headline is None:
        return {}
    order = "asc" if headline.is_low_bad else "desc"
    rows = con.execute(
        "select market, queue, estimate, ci_low, ci_high, n_items "  # noqa: S608 - names of ours
        f"from marts.{name} where {_CELLS} and period = 'trailing_28d' and estimate is not null and period_end = "
        f"(select max(period_end) from marts.{name} where {_CELLS} and period = 'trailing_28d') "
        f"order by estimate {order}, market, queue limit {_WORST_ROWS}",
        _parameters(headline),
    ).fetchall()
    if not rows:
        return {}
    days = _days(con, name, headline)
    table = [
        (market, queue, round(estimate, 4), _interval(low, high), n_items, _spark(days.get((market, queue), [])))
        for market, queue, estimate, low, high, n_items in rows
    ]
    columns = ("market", "queue", "estimate", "95 % interval", "items", f"last {_SPARK_DAYS} days")
    return {f"worst queues by {headline.title} (28 days)": rows_table(columns, table)}


def floats_by_queue(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, float]:
    """The newest 28-day figure of each market and queue as a plain number, which the UI plots over runs."""
    headline = HEADLINES.get(name)
    if headline is None:
        return {}
    rows = con.execute(
        f"select market, queue, estimate from marts.{name} where {_CELLS} and period = 'trailing_28d' "  # noqa: S608
        "and estimate is not null qualify row_number() over (partition by market, queue order by period_end desc) = 1 "
        f"order by market, queue limit {_PLOTTED}",
        _parameters(headline),
    ).fetchall()
    return {f"{headline.metric} {market} {queue}": round(float(estimate), 6) for market, queue, estimate in rows}


def _days(con: duckdb.DuckDBPyConnection, name: str, headline: Headline) -> dict[tuple[str, str], list[float]]:
    rows = con.execute(
        f"select market, queue, estimate from marts.{name} where {_CELLS} and period = 'day' "  # noqa: S608
        "and estimate is not null qualify row_number() over (partition by market, queue order by period_end desc) "
        f"<= {_SPARK_DAYS} order by market, queue, period_end",
        _parameters(headline),
    ).fetchall()
    series: dict[tuple[str, str], list[float]] = {}
    for market, queue, estimate in rows:
        series.setdefault((market, queue), []).append(float(estimate))
    return series


def _interval(low: float | None, high: float | None) -> str:
    return "none" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def _spark(values: list[float]) -> str:
    """The values as a line of block characters from their least to their greatest.

    >>> _spark([0.0, 0.5, 1.0])
    '▁▅█'
    """
    if not values:
        return ""
    low, high = min(values), max(values)
    if high == low:
        return _SPARKS[0] * len(values)
    steps = len(_SPARKS) - 1
    return "".join(_SPARKS[int((value - low) / (high - low) * steps + 0.5)] for value in values)
