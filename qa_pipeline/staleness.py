"""What a changed partition makes stale: which fact and tally, of which dates, has to be rebuilt.

A fact of one date is made from rows that share an item (or an annotator's roster) with it. So a changed partition
touches the dates, from `restate_days` before it on, on which one of its items occurs. It is marked twice, before its
old rows go and after its new rows are in: what moves is stale at its old and at its new date. Rebuilding is
`restating`.
"""

from datetime import date

import duckdb

# Name of a fact or tally -> the feeds that can give it rows of a date of their own.
NODE_FEEDS: dict[str, tuple[str, ...]] = {
    "rejected_labels": ("labels",),
    "ratings": ("labels", "predictions"),
    "human_model": ("labels",),
    "repeats": ("labels",),
    "gold_decisions": ("labels",),
    "reviews": ("reviews",),
    "appeals": ("appeals",),
    "reference_events": ("gold", "labels", "reviews"),
    "label_outcomes": ("labels",),
    "prediction_outcomes": ("predictions",),
    "late": ("labels", "reviews", "appeals"),
    "label_counts": ("labels", "predictions"),
    "score_hist": ("predictions",),
    "unit_patterns": ("labels", "predictions"),
    "pair_counts": ("labels", "predictions"),
    "rater_patterns": ("labels",),
    "repeat_counts": ("labels",),
    "suggestion_counts": ("labels",),
    "annotator_label_counts": ("labels",),
    "gold_counts": ("labels",),
    "reviewer_outcomes": ("reviews",),
    "lot_counts": ("labels",),
    "outcome_counts": ("labels", "predictions"),
    "review_counts": ("labels", "predictions"),
    "appeal_counts": ("labels", "predictions"),
}


_JUDGING = {"valid_reviews": "reviews", "valid_appeals": "appeals"}


def mark(con: duckdb.DuckDBPyConnection, nodes: tuple[str, ...], dates_sql: str, parameters: dict[str, object]) -> None:
    """Mark `nodes` stale at every date that `dates_sql` (one DATE column) yields."""
    used = {key: value for key, value in parameters.items() if f"${key}" in dates_sql}
    for node in nodes:
        con.execute(
            f"insert into ops.dirty select distinct $node, s.* from ({dates_sql}) as s "
            "except select node, business_date from ops.dirty",
            used | {"node": node},
        )


def mark_partition(con: duckdb.DuckDBPyConnection, *, feed: str, business_date: date, restate_days: int) -> None:
    """Mark whatever depends on the rows that the partition has at this moment."""
    parameters: dict[str, object] = {"day": business_date, "restate_days": restate_days}
    own = "select $day"
    if feed == "labels":
        facts = ("rejected_labels", "ratings", "repeats", "gold_decisions", "label_outcomes", "late")
        tallies = ("label_counts", "annotator_label_counts", "suggestion_counts", "lot_counts")
        mark(con, (*facts, *tallies), own, parameters)
        _touched_items(con, "labels", parameters)
        mark(con, ("repeats", "gold_decisions"), _sharing("valid_labels", after_the_day=True), parameters)
        mark(con, ("ratings", "label_outcomes", "late"), _sharing("valid_labels"), parameters)
        for table, node in _JUDGING.items():
            judging = _judging(table, kind="label", target="valid_labels", key="label_id")
            mark(con, (node,), judging, parameters)
        mark(con, ("rejected_labels",), _same_keys("valid_labels", "label_id", within="$restate_days"), parameters)
        mark(con, ("reference_events",), own, parameters)
        _touched_items(con, "labels", parameters, where="stage = 'expert'")
        mark(con, ("prediction_outcomes",), _sharing("valid_predictions"), parameters)
    elif feed == "predictions":
        mark(con, ("label_counts", "score_hist", "prediction_outcomes"), own, parameters)
        _touched_items(con, "predictions", parameters, where="is_decision")
        mark(con, ("human_model",), _UNITS_NEARBY, parameters)
        judged = "is_decision and model_kind = 'llm'"
        _touched_items(con, "predictions", parameters, where=judged)
        mark(con, ("ratings",), _sharing("valid_predictions", where=judged), parameters)
        for table, node in _JUDGING.items():
            judging = _judging(table, kind="prediction", target="valid_predictions", key="prediction_id")
            mark(con, (node,), judging, parameters)
    elif feed in ("gold", "reviews"):
        mark(con, ("reference_events",), own, parameters)
        _touched_items(con, feed, parameters)
        of_items = ("label_outcomes", "gold_decisions") if feed == "gold" else ("label_outcomes",)
        mark(con, of_items, _sharing("valid_labels"), parameters)
        mark(con, ("prediction_outcomes",), _sharing("valid_predictions"), parameters)
        if feed == "reviews":
            mark(con, ("reviews", "late"), own, parameters)
            judging = _judging("valid_reviews", kind="review", target="valid_reviews", key="review_id")
            mark(con, ("reviews",), judging, parameters)
            mark(con, ("reviews",), _same_keys("valid_reviews", "review_id"), parameters)
    elif feed == "appeals":
        mark(con, ("appeals", "late"), own, parameters)
        mark(con, ("appeals",), _same_keys("valid_appeals", "appeal_id"), parameters)
    elif feed == "roster":
        mark(con, ("rejected_labels",), _until_next_roster("valid_labels", 0), parameters)
        mark(con, ("reviews",), _until_next_roster("valid_reviews", restate_days), parameters)


def _touched_items(
    con: duckdb.DuckDBPyConnection, feed: str, parameters: dict[str, object], where: str = "true"
) -> None:
    con.execute(
        f"create or replace temp table touched_items as select distinct queue, item_id from validated.valid_{feed} "
        f"where business_date = $day and {where}",
        {"day": parameters["day"]},
    )


def _sharing(table: str, *, where: str = "true", after_the_day: bool = False) -> str:
    """Dates of `table` with a row on a touched item: from restate_days before the day on, or only soon after it."""
    days = (
        "v.business_date > $day and v.business_date <= cast($day + $restate_days as date)"
        if after_the_day
        else "v.business_date >= cast($day - $restate_days as date)"
    )
    return (
        f"select distinct v.business_date from validated.{table} as v where {days} and {where} "
        "and exists (select 1 from touched_items as t where t.item_id = v.item_id and t.queue = v.queue)"
    )


# Dates of units that a model's decision of the day may be compared with: a unit has the date of one of its labels.
_UNITS_NEARBY = (
    "select distinct v.business_date from validated.valid_labels as v where v.stage = 'production' "
    "and v.business_date between cast($day - $restate_days as date) and cast($day + $restate_days as date) "
    "and exists (select 1 from touched_items as t where t.item_id = v.item_id and t.queue = v.queue)"
)


def _judging(table: str, *, kind: str, target: str, key: str) -> str:
    """Dates of reviews or appeals, from the day on, that name one of the day's rows as their target."""
    return (
        f"select distinct v.business_date from validated.{table} as v "
        f"where v.business_date >= $day and v.target_kind = '{kind}' and exists "
        f"(select 1 from validated.{target} as p where p.business_date = $day and p.{key} = v.target_id)"
    )


def _same_keys(table: str, key: str, within: str = "36500") -> str:
    """Later dates, within so many days, on which one of the day's keys is used again."""
    return (
        f"select distinct v.business_date from validated.{table} as v "
        f"where v.business_date > $day and v.business_date <= $day + {within} and exists "
        f"(select 1 from validated.{table} as p where p.business_date = $day and p.{key} = v.{key})"
    )


def _until_next_roster(table: str, extra_days: int) -> str:
    """Dates of `table` for which the day's roster is the one in force, and `extra_days` more."""
    return (
        f"select distinct v.business_date from validated.{table} as v where v.business_date >= $day "
        "and v.business_date < coalesce((select min(r.business_date) from validated.valid_roster as r "
        f"where r.business_date > $day), date '9999-12-31' - {extra_days}) + {extra_days}"
    )


def mark_changed_definitions(con: duckdb.DuckDBPyConnection, fingerprints: dict[str, str]) -> None:
    """Mark every date of a node whose SQL, suite or settings differ from those of its last build."""
    known = dict(con.execute("select node, fingerprint from ops.definitions").fetchall())
    for node, fingerprint in fingerprints.items():
        if known.get(node) == fingerprint:
            continue
        if node in known:
            feeds = ", ".join(f"'{feed}'" for feed in NODE_FEEDS[node])
            mark(con, (node,), f"select distinct business_date from ops.partitions where feed in ({feeds})", {})
        con.execute("delete from ops.definitions where node = ?", [node])
        con.execute("insert into ops.definitions values (?, ?)", [node, fingerprint])
