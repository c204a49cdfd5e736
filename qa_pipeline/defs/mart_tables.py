"""What the UI shows of a mart: its worst rows with intervals, of a figure of queues also a line of the last days, and
numbers to plot.
"""

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


HEADLINES = {
    "agreement": Headline("Krippendorff's alpha", "krippendorff_alpha", "pool", "", is_low_bad=True),
    "accuracy": Headline("accuracy of people", "accuracy", "rater_kind", "any", is_low_bad=True),
    "defect_rate": Headline("defect rate of people", "defect_rate", "rater_kind", "qa", is_low_bad=False),
    "drift": Headline("PSI of labels", "psi", "labels", "", is_low_bad=False),
}


@dataclass(frozen=True)
class Ranking:
    """What to look at first in a mart about raters, labels or dates: the newest rows, the surest bad one first.

    Surest by the end of the interval that is nearer to good: by the estimate, those with the fewest items would lead.
    `shown` names the columns besides market, queue, estimate, interval and items, with their SQL. `days`: how long
    before the newest period_end a row may end; `where`: which of these rows are meant. `order`: the SQL to order by
    where figures have no interval.
    """

    title: str
    metric: str
    period: str
    subject_kinds: tuple[str, ...]
    shown: dict[str, str]
    is_low_bad: bool
    days: int
    where: str = "true"
    order: str | None = None


RANKINGS = {
    "agreement_change": Ranking(
        title="change of Krippendorff's alpha, surest falls first (newest week against the 28 days before)",
        metric="change_krippendorff_alpha",
        period="week",
        subject_kinds=("pool",),
        shown={"guideline": "replace(reference_kind, '_guideline', '')"},
        is_low_bad=True,
        days=0,
    ),
    "rater_vitality": Ranking(
        title="vitality, surest drags on Krippendorff's alpha first (28 days)",
        metric="vitality",
        period="trailing_28d",
        subject_kinds=("annotator", "vendor"),
        shown={"who": "subject_kind || ' ' || subject"},
        is_low_bad=True,
        days=0,
    ),
    "confusion_pairs": Ranking(
        title="alpha gained if two labels were one, surest first (28 days)",
        metric="alpha_gain_if_merged",
        period="trailing_28d",
        subject_kinds=("label_pair",),
        shown={"labels": "subject"},
        is_low_bad=False,
        days=0,
    ),
    "rater_pairs": Ranking(
        title="Cohen's kappa of pairs, surest low first (28 days)",
        metric="cohen_kappa",
        period="trailing_28d",
        subject_kinds=("pair", "model_pair", "model_version"),
        shown={"pair": "case subject_kind when 'model_version' then 'people & ' else '' end || subject"},
        is_low_bad=True,
        days=0,
    ),
    # Of thousands of annotators the worst are there by chance, so these two are by vendor.
    "self_consistency": Ranking(
        title="self-consistency by vendor, surest low first (28 days)",
        metric="self_consistency",
        period="trailing_28d",
        subject_kinds=("vendor",),
        shown={"vendor": "subject"},
        is_low_bad=True,
        days=0,
    ),
    "anchoring": Ranking(
        title="anchoring by vendor, surest high first (28 days)",
        metric="anchoring",
        period="trailing_28d",
        subject_kinds=("vendor",),
        shown={"vendor": "subject"},
        is_low_bad=False,
        days=0,
    ),
    "qa_accuracy": Ranking(
        title="QA's sensitivity by kind of decision, surest low first (28 days)",
        metric="qa_sensitivity",
        period="trailing_28d",
        subject_kinds=("target_kind",),
        shown={"kind": "subject"},
        is_low_bad=True,
        days=0,
    ),
    "calibration": Ranking(
        title="change of percent agreement after a session, surest falls first (28 days)",
        metric="change_percent_agreement",
        period="day",
        subject_kinds=("pool",),
        shown={"session": "period_end"},
        is_low_bad=True,
        days=27,
    ),
    "lot_decisions": Ranking(
        title="rejected lots of the newest 7 days, surest high defect rate first",
        metric="defect_rate",
        period="day",
        subject_kinds=("lot",),
        shown={"lot": "subject", "date": "period_end"},
        is_low_bad=False,
        days=6,
        where="decision = 'reject'",
    ),
    "vendor_funnel": Ranking(
        title="defect rate by vendor beside all vendors, surest high first (28 days)",
        metric="defect_rate_adjusted",
        period="trailing_28d",
        subject_kinds=("vendor",),
        shown={"vendor": "subject"},
        is_low_bad=False,
        days=0,
    ),
    "control_chart": Ranking(
        title="defect rate of people and vendors on the newest day, surest high first",
        metric="p_chart",
        period="day",
        subject_kinds=("rater_kind", "vendor"),
        shown={"who": "subject_kind || ' ' || subject"},
        is_low_bad=False,
        days=0,
    ),
    "signals": Ranking(
        title="defect rate where the moving average alarmed, surest high first (28 days)",
        metric="ewma",
        period="day",
        subject_kinds=("rater_kind", "vendor", "model_version"),
        shown={"day": "period_end", "who": "subject_kind || ' ' || subject"},
        is_low_bad=False,
        days=27,
    ),
    "review_plan": Ranking(
        title="annotators by reviews to make next, most first",
        metric="reviews",
        period="day",
        subject_kinds=("annotator",),
        shown={"annotator": "subject", "pool": "pool", "of decisions": "pool_size"},
        is_low_bad=False,
        days=0,
        order="estimate desc",
    ),
    "review_needs": Ranking(
        title="queues furthest from the reviews that the wanted half width takes (28 days)",
        metric="reviews_for_half_width",
        period="trailing_28d",
        subject_kinds=("rater_kind",),
        shown={"missing": "cast(greatest(estimate - n_items, 0) as bigint)"},
        is_low_bad=False,
        days=0,
        order="estimate - n_items desc",
    ),
    "appeal_rates": Ranking(
        title="overturned appeals by vendor, surest high first (28 days)",
        metric="overturn_rate",
        period="trailing_28d",
        subject_kinds=("vendor",),
        shown={"vendor": "subject"},
        is_low_bad=False,
        days=0,
    ),
    "gold_health": Ranking(
        title="accuracy gained when a known answer is seen again, surest leaks first (28 days)",
        metric="leak_accuracy_gain",
        period="trailing_28d",
        subject_kinds=("rater_kind", "vendor"),
        shown={"who": "case subject_kind when 'rater_kind' then 'everybody' else subject end"},
        is_low_bad=False,
        days=0,
    ),
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


def worst_rows(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, Any]:
    """A table of the worst rows of a mart that has a ranking; empty when none of its newest rows has an interval."""
    ranking = RANKINGS.get(name)
    if ranking is None:
        return {}
    surest = ranking.order or ("ci_high" if ranking.is_low_bad else "ci_low desc")
    told = "estimate" if ranking.order else "ci_low"
    newest = (
        f"metric = $metric and period = $period and list_contains($kinds, subject_kind) and {told} is not null "
        f"and market not in ('ALL', 'CROSS') and queue <> 'ALL' and {ranking.where}"
    )
    rows = con.execute(
        f"select market, queue, {', '.join(ranking.shown.values())}, estimate, ci_low, ci_high, n_items "  # noqa: S608 - names of ours
        f"from marts.{name} where {newest} and period_end + cast($days as integer) >= "
        f"(select max(period_end) from marts.{name} where metric = $metric and period = $period) "
        f"order by {surest}, market, queue, subject limit {_WORST_ROWS}",
        {
            "metric": ranking.metric,
            "period": ranking.period,
            "kinds": list(ranking.subject_kinds),
            "days": ranking.days,
        },
    ).fetchall()
    if not rows:
        return {}
    table = [
        (*texts, round(estimate, 4), _interval(low, high), n_items) for *texts, estimate, low, high, n_items in rows
    ]
    return {ranking.title: rows_table(("market", "queue", *ranking.shown, "estimate", "95 % interval", "items"), table)}


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
