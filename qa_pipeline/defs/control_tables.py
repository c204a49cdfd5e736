"""What the UI shows of the control charts: the worst queue's newest weeks as a small drawing, and the newest alarms.

Which series is the worst belongs here; how it is drawn is `charts.control_spark`. The UI shows Markdown in place under
1,000 characters and as a link above, so the words stand beside the drawing and not in it.
"""

import base64
from typing import Any

import dagster as dg
import duckdb

from qa_pipeline.charts.control_spark import ChartPoint, control_spark
from qa_pipeline.defs import describing

CHART, SIGNALS = "control_chart", "signals"
_DAYS = 28
_ALARMS = 8
# The newest alarm as worse; without any, the point that is highest between centre and upper limit (in a chart of gaps,
# lowest between centre and lower limit).
_WORST = """
with points as (
    select
        market, queue, metric, period_end, p_adjusted,
        is_alarm and direction = 'worse' as is_worse,
        case metric
            when 'p_chart' then (estimate - centre) / nullif(upper_limit - centre, 0)
            else (centre - estimate) / nullif(centre - lower_limit, 0)
        end as height
    from marts.control_chart
    where subject_kind = 'rater_kind' and subject = 'human' and market <> 'ALL' and queue <> 'ALL'
        and phase = 'monitored'
),

alarmed as (
    select
        market, queue, period_end, min(p_adjusted) as p_adjusted,
        bool_or(is_worse) as is_worse,
        max(height) filter (where metric <> 'ewma') as height
    from points
    group by all
)

select market, queue
from alarmed
where is_worse or period_end = (select max(period_end) from alarmed)
order by is_worse desc, case when is_worse then period_end end desc, case when is_worse then p_adjusted end,
    height desc nulls last, market, queue
limit 1
"""
_POINTS = """
select period_end, metric, estimate, centre, lower_limit, upper_limit, is_alarm, direction
from marts.control_chart
where subject_kind = 'rater_kind' and subject = 'human' and market = $market and queue = $queue
    and metric in ('p_chart', 'g_chart')
qualify row_number() over (order by period_end desc) <= $days
order by period_end
"""
_NEWEST = """
select period_end, market, queue, subject_kind || ' ' || subject as who, metric, direction, p_adjusted, action
from marts.signals
where is_alarm and period_end = (select max(period_end) from marts.control_chart)
order by case direction when 'worse' then 0 else 1 end, p_adjusted, market, queue, who, metric
limit $rows
"""


def control_metadata(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, Any]:
    """Metadata of the marts of control charts; empty for every other mart, and where there is nothing to show."""
    if name == CHART:
        return _micro_chart(con)
    return _newest_alarms(con) if name == SIGNALS else {}


def _micro_chart(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    worst = con.execute(_WORST).fetchall()
    if not worst:
        return {}
    ((market, queue),) = worst
    rows = con.execute(_POINTS, {"market": market, "queue": queue, "days": _DAYS}).fetchall()
    points = [
        ChartPoint(value=value, centre=centre, lower=lower, upper=upper, is_alarm=is_alarm and direction == "worse")
        for _, _, value, centre, lower, upper, is_alarm, direction in rows
    ]
    last_day, metric, value, centre, lower, upper, *_ = rows[-1]
    what = "good reviews between defects" if metric == "g_chart" else "defect rate"
    words = f"{_number(value, metric)} on {last_day}, centre {_number(centre, metric)}, limits " + " to ".join(
        _number(each, metric) for each in (lower, upper)
    )
    drawing = base64.b64encode(control_spark(points, label=what).encode()).decode()
    return {
        f"worst queue by {what}": f"{queue} in {market}: {words}",
        f"its newest {_DAYS} points": dg.MetadataValue.md(f"![{what}](data:image/svg+xml;base64,{drawing})"),
    }


def _number(value: float | None, metric: str) -> str:
    if value is None:
        return "none"
    return f"{value:.1f}" if metric == "g_chart" else f"{value:.1%}"


def _newest_alarms(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    rows = con.execute(_NEWEST, {"rows": _ALARMS}).fetchall()
    if not rows:
        return {}
    table = [(str(day), *texts, round(p_value, 6), action) for day, *texts, p_value, action in rows]
    columns = ("date", "market", "queue", "who", "rule", "direction", "adjusted p", "action")
    return {"alarms of the newest date, surest worse first": describing.rows_table(columns, table)}
