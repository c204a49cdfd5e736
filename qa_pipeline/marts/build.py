"""Builds every mart from the tallies, in one transaction.

The order of the work and what an absent feed leaves behind belong here; each figure has its own module.
"""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from qa_pipeline.config import Config
from qa_pipeline.marts import (
    accuracy,
    agreement,
    agreement_change,
    appeal_rates,
    calibration,
    confusion_pairs,
    control_chart,
    defect_rate,
    drift,
    gold_health,
    habits,
    lot_decisions,
    qa_accuracy,
    rater_pairs,
    rater_vitality,
    review_needs,
    review_plan,
    signals,
    vendor_funnel,
)
from qa_pipeline.marts.label_drift import label_drift_figures, read_label_counts
from qa_pipeline.marts.mart import Headline, Mart
from qa_pipeline.marts.reading import Codes, read_dates, read_table
from qa_pipeline.marts.records import (
    NO_METHOD,
    REASONS,
    Figures,
    WindowedFigures,
    constant,
    mart_rows,
    write_mart,
)
from qa_pipeline.marts.score_drift import score_drift_figures
from qa_pipeline.stats.windows import Windows, calendar_windows, summary_windows

MARTS: dict[str, Mart] = {
    mart.name: mart
    for mart in (
        agreement.MART,
        agreement_change.MART,
        rater_pairs.MART,
        rater_vitality.MART,
        confusion_pairs.MART,
        habits.CONSISTENCY,
        habits.ANCHORING,
        calibration.MART,
        accuracy.MART,
        defect_rate.MART,
        vendor_funnel.MART,
        control_chart.MART,
        signals.MART,
        qa_accuracy.MART,
        appeal_rates.MART,
        gold_health.MART,
        drift.MART,
        lot_decisions.MART,
        review_plan.MART,
        review_needs.MART,
    )
}


def build_marts(con: duckdb.DuckDBPyConnection, *, sql_root: Path, config: Config) -> dict[str, int]:
    """Rebuild every mart of MARTS; returns the number of rows of each.

    `sql_root` is the project's folder `sql`. Reads schema tallies, ops.partitions and ops.ledger; needs schema marts.
    The figures are a function of these tables and of `config` (labels, restate_days) alone. Periods are the days, ISO
    weeks and trailing 28 days that any tally has a date in, and all. A declared market x queue of which a mart knows
    nothing gets one row for all dates (those that landed, when every tally is empty) with reason `no_data`; the marts
    are empty only when nothing has landed. All are replaced in one transaction: when anything fails, the marts
    stay as they were.
    """
    dates = read_dates(con, sql_root=sql_root, name="tally_dates")
    if not len(dates):
        dates = read_dates(con, sql_root=sql_root, name="landed_dates")
    rows: dict[str, list[pa.Table]] = {name: [] for name in MARTS}
    if len(dates):
        newest = read_dates(con, sql_root=sql_root, name="newest_landed_date")
        settled = (newest if len(newest) else dates).max() - np.timedelta64(config.pipeline.restate_days, "D")
        windows = calendar_windows(dates)
        summary = summary_windows(dates)
        found_figures = _figures(con, sql_root=sql_root, config=config, windows=windows, few=summary)
        for name, found in found_figures.items():
            headline = MARTS[name].headline
            if headline is not None:
                found.append((windows, [_missing(found, config, headline=headline)]))
            rows[name] = [
                mart_rows(
                    figures,
                    windows=over,
                    provisional_after=settled,
                    has_verdict="verdict" in MARTS[name].columns,
                )
                for over, group in found
                for figures in group
                if len(figures.window)
            ]
    return _write(con, rows)


def _figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, config: Config, windows: Windows, few: Windows
) -> dict[str, WindowedFigures]:
    labels = read_label_counts(con, sql_root=sql_root, windows=windows)
    units = read_table(con, sql_root=sql_root, name="agreement_units", parameters={})
    control = control_chart.control_figures(con, sql_root=sql_root, config=config, windows=windows)
    reviews = read_table(con, sql_root=sql_root, name="defect_slices", parameters={})
    verdicts = qa_accuracy.read_verdicts(con, sql_root=sql_root)
    defects = defect_rate.defect_rate_figures(
        con,
        reviews,
        sql_root=sql_root,
        windows=windows,
        few=few,
        severity_weights=config.quality.severity_weights,
        verdicts=verdicts,
    )
    return {
        "agreement": [(windows, agreement.agreement_figures(units, config=config, windows=windows))],
        "agreement_change": agreement_change.change_figures(
            con, units, sql_root=sql_root, config=config, windows=windows
        ),
        "rater_pairs": [
            (few, rater_pairs.pair_figures(con, sql_root=sql_root, config=config, windows=few)),
        ],
        "rater_vitality": [
            (few, rater_vitality.vitality_figures(con, units, sql_root=sql_root, config=config, windows=few)),
        ],
        "confusion_pairs": [
            (few, confusion_pairs.confusion_figures(units, config=config, windows=few)),
        ],
        "self_consistency": habits.consistency_figures(con, sql_root=sql_root, windows=windows, annotator_windows=few),
        "anchoring": habits.anchoring_figures(con, sql_root=sql_root, windows=windows, annotator_windows=few),
        "calibration": calibration.calibration_figures(units, config=config),
        "accuracy": accuracy.accuracy_figures(con, sql_root=sql_root, windows=windows, annotator_windows=few),
        "defect_rate": defects,
        "qa_accuracy": qa_accuracy.qa_figures(verdicts, windows=windows, reviewer_windows=few),
        "vendor_funnel": [(few, vendor_funnel.vendor_funnel_figures(reviews, windows=few))],
        "control_chart": control.chart,
        "signals": control.signals,
        "appeal_rates": appeal_rates.appeal_figures(
            con, defects, sql_root=sql_root, windows=windows, label_windows=few
        ),
        "gold_health": gold_health.gold_health_figures(con, sql_root=sql_root, config=config, windows=few),
        "drift": [
            (windows, label_drift_figures(labels, windows=windows)),
            (windows, score_drift_figures(con, sql_root=sql_root, windows=windows, labels=labels)),
        ],
        "lot_decisions": lot_decisions.lot_decision_figures(
            con, sql_root=sql_root, config=config, windows=windows, vendor_windows=few
        ),
        "review_plan": [
            (
                windows,
                review_plan.plan_figures(con, sql_root=sql_root, windows=windows, config=config.quality.planning),
            ),
        ],
        "review_needs": [
            (few, review_needs.need_figures(con, sql_root=sql_root, windows=few, config=config.quality.planning)),
        ],
    }


def _missing(found: WindowedFigures, config: Config, *, headline: Headline) -> Figures:
    """One row, over all dates, for every declared market x queue whose headline figure has none."""
    known = {cell for _, group in found for figures in group for cell in _cells(figures, headline)}
    markets, queues = tuple(sorted(config.markets.markets)), tuple(sorted(config.taxonomy.queues))
    absent = [
        (m, q) for m, market in enumerate(markets) for q, queue in enumerate(queues) if (market, queue) not in known
    ]
    cells = np.array(absent, dtype=np.int64).reshape(-1, 2)
    rows = len(cells)
    nothing, zero = np.full(rows, np.nan), np.zeros(rows)
    return Figures(
        window=np.zeros(rows, dtype=np.int64),
        texts={
            "market": Codes(values=cells[:, 0], names=markets),
            "queue": Codes(values=cells[:, 1], names=queues),
            "subject_kind": constant(headline.subject_kind, rows),
            "subject": constant(headline.subject, rows),
            "metric": constant(headline.metric, rows),
            "reference_kind": constant(headline.reference_kind, rows),
        },
        method=np.full(rows, NO_METHOD),
        estimate=nothing,
        low=nothing,
        high=nothing,
        n_items=zero,
        n_ratings=zero,
        reason=np.full(rows, REASONS.index("no_data")),
    )


def _cells(figures: Figures, headline: Headline) -> set[tuple[str, str]]:
    """Markets and queues for which the figures have the headline's metric about its kind of subject."""
    chosen = np.ones(len(figures.window), dtype=np.bool_)
    for name, wanted in (("subject_kind", headline.subject_kind), ("metric", headline.metric)):
        chosen &= figures.texts[name].equal(wanted)
    market, queue = figures.texts["market"].take(chosen), figures.texts["queue"].take(chosen)
    return {(market.names[m], queue.names[q]) for m, q in zip(market.values, queue.values, strict=True)}


def _write(con: duckdb.DuckDBPyConnection, rows: dict[str, list[pa.Table]]) -> dict[str, int]:
    (is_ordered,) = con.execute("select current_setting('preserve_insertion_order')").fetchall()[0]
    # A warehouse that loads in any order would store the sorted marts in any order too.
    con.execute("set preserve_insertion_order = true")
    con.execute("begin transaction")
    try:
        written = {
            name: write_mart(con, name, tables, comment=MARTS[name].comment, columns=MARTS[name].columns)
            for name, tables in rows.items()
        }
        con.execute("commit")
    except BaseException:
        con.execute("rollback")
        raise
    finally:
        con.execute(f"set preserve_insertion_order = {is_ordered}")
    return written
