"""`marts.calibration`: agreement in a calibration session, and in production before and after it.

Which sessions there were and what is compared belong here; the figures are `agreement`.
"""

from dataclasses import replace

import numpy as np

from qa_pipeline.config import Config
from qa_pipeline.marts.agreement import agreement_figures
from qa_pipeline.marts.differences import completed, difference
from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.reading import Table
from qa_pipeline.marts.records import Figures, constant
from qa_pipeline.stats.jackknife import BoolArray
from qa_pipeline.stats.windows import SESSION_DAYS, Windows, around_windows

METRICS = ("percent_agreement", "krippendorff_alpha")
_COMMENT = (
    "Calibration sessions: dates on which a market and queue had decisions of stage calibration. session_...: "
    "agreement in the session (subject calibration). before_... and after_...: agreement of production in the "
    f"{SESSION_DAYS} days before and after the date, for all annotators (subject production) and among each vendor's "
    "own. change_...: after minus before (Zou and Donner 2008). Each as percent_agreement and krippendorff_alpha. "
    "n_items and n_ratings of a change are those after; a session with nothing before or after it has a change with "
    "reason no_comparison. after_... and change_... are provisional as long as the last of the days after is."
)
MART = Mart(
    name="calibration",
    comment=_COMMENT,
    queries=("agreement_units",),
    headline=Headline("pool", "production", "change_krippendorff_alpha", ""),
    source=Source("unit_patterns"),
)


def calibration_figures(table: Table, *, config: Config) -> list[tuple[Windows, list[Figures]]]:
    """Figures of marts.calibration from units of agreement (see `agreement`), with the sessions; none without any."""
    is_session = (
        table.texts["rater_pool"].equal("calibration")[table.key] if len(table) else np.zeros(0, dtype=np.bool_)
    )
    if not is_session.any():
        return []
    dates = table.dates[is_session]
    windows = around_windows(dates, first=table.dates.min(), last=table.dates.max())
    session = windows[0]
    held = _held(table, is_session, session)
    lots = {
        name: _of_sessions(agreement_figures(table, config=config, windows=each, metrics=METRICS), held)
        for name, each in zip(("session", "before", "after"), windows, strict=True)
    }
    figures = []
    for metric in METRICS:
        parts = {
            name: Figures.joined([each for each in lot if each.texts["metric"].names == (metric,)])
            for name, lot in lots.items()
        }
        in_session = parts["session"].where(_is_pool(parts["session"], "calibration"))
        before, after = (parts[name].where(_is_production(parts[name])) for name in ("before", "after"))
        after = replace(after, days_after=SESSION_DAYS)
        figures += [
            _named(found, f"{name}_{metric}")
            for name, found in (("session", in_session), ("before", before), ("after", after))
        ]
        everybody = in_session.with_texts(subject=constant("production", len(in_session.window)))
        for had in (before, everybody):
            after = completed(after, like=had, reason="no_comparison")
        name = constant(f"change_{metric}", len(after.window))
        figures.append(difference(after, before, metric=name, missing="no_comparison"))
    return [(session, figures)]


def _held(table: Table, is_session: BoolArray, sessions: Windows) -> set[tuple[int, str, str]]:
    """(session, market, queue) that had decisions of stage calibration."""
    market, queue = table.texts["market"], table.texts["queue"]
    keys = table.key[is_session]
    place = np.searchsorted(sessions.start, table.dates[is_session])
    return {
        (int(window), market.names[m], queue.names[q])
        for window, m, q in zip(place, market.values[keys], queue.values[keys], strict=True)
    }


def _of_sessions(figures: list[Figures], held: set[tuple[int, str, str]]) -> list[Figures]:
    """The rows of markets and queues that had a session on the date; no roll-ups."""
    kept = []
    for each in figures:
        market, queue = each.texts["market"], each.texts["queue"]
        rows = zip(each.window.tolist(), market.values, queue.values, strict=True)
        kept.append(
            each.where(np.array([(w, market.names[m], queue.names[q]) in held for w, m, q in rows], dtype=np.bool_))
        )
    return kept


def _is_production(figures: Figures) -> BoolArray:
    return _is_pool(figures, "production") | figures.texts["subject_kind"].equal("vendor")


def _is_pool(figures: Figures, pool: str) -> BoolArray:
    found: BoolArray = figures.texts["subject_kind"].equal("pool") & figures.texts["subject"].equal(pool)
    return found


def _named(figures: Figures, metric: str) -> Figures:
    return figures.with_texts(metric=constant(metric, len(figures.window)))
