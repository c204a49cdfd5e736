"""The difference of two figures with its interval, from the figures and their own intervals.

Matching rows of two lots of figures and the arithmetic belong here; which lots are compared does not.
"""

from dataclasses import replace

import numpy as np

from qa_pipeline.marts.reading import Codes
from qa_pipeline.marts.records import DIFFERENCE, NO_METHOD, NO_REASON, REASONS, Figures
from qa_pipeline.stats.jackknife import IntArray

_KEY = ("market", "queue", "subject_kind", "subject")


def difference(now: Figures, before: Figures, *, metric: Codes, missing: str) -> Figures:
    """`now` minus `before`, a row for every row of `now`; both are of one metric and index the same windows.

    The interval is that of G. Y. Zou and A. Donner (2008), Statistics in Medicine 27(10), 1693-1702, for independent
    figures (MOVER): each end is as far from the difference as the two nearer ends are together, squared and added.
    It keeps what the figures' own intervals are good for, skewness included. Where either figure is missing the row
    says why: the reason of `now`, else that of `before`, else `missing`. n_items and n_ratings are those of `now`.
    """
    place = matching_rows(now, before)
    found = place >= 0
    other = np.where(found, place, 0)

    def of(values: np.ndarray) -> np.ndarray:
        return np.where(found, values[other], np.nan) if len(values) else np.full(len(found), np.nan)

    estimate = now.estimate - of(before.estimate)
    below = np.hypot(now.estimate - now.low, of(before.high) - of(before.estimate))
    above = np.hypot(now.high - now.estimate, of(before.estimate) - of(before.low))
    low, high = estimate - below, estimate + above
    given = np.isfinite(low) & np.isfinite(high)
    theirs = np.where(found, before.reason[other], NO_REASON) if len(before.reason) else np.full(len(found), NO_REASON)
    reason = np.where(theirs != NO_REASON, theirs, REASONS.index(missing))
    reason = np.where(now.reason != NO_REASON, now.reason, reason)
    return Figures(
        window=now.window,
        texts=now.texts | {"metric": metric},
        method=np.where(given, DIFFERENCE, NO_METHOD),
        estimate=np.where(given, estimate, np.nan),
        low=np.where(given, low, np.nan),
        high=np.where(given, high, np.nan),
        n_items=now.n_items,
        n_ratings=now.n_ratings,
        reason=np.where(given, NO_REASON, reason),
        days_after=max(now.days_after, before.days_after),
    )


def completed(figures: Figures, *, like: Figures, reason: str) -> Figures:
    """`figures` and, for every row of `like` that none of them matches, a row without an estimate for this reason."""
    lacking = like.where(matching_rows(like, figures) < 0)
    rows = len(lacking.window)
    nothing, zero = np.full(rows, np.nan), np.zeros(rows)
    blank = replace(
        lacking,
        method=np.full(rows, NO_METHOD),
        estimate=nothing,
        low=nothing,
        high=nothing,
        n_items=zero,
        n_ratings=zero,
        reason=np.full(rows, REASONS.index(reason)),
        days_after=figures.days_after,
    )
    return Figures.joined([figures, blank])


def matching_rows(now: Figures, before: Figures) -> IntArray:
    """Row of `before` with the same window, market, queue and subject as each row of `now`; -1 where there is none."""
    rows = {key: row for row, key in enumerate(_keys(before))}
    return np.array([rows.get(key, -1) for key in _keys(now)], dtype=np.int64)


def _keys(figures: Figures) -> list[tuple[object, ...]]:
    texts = [[figures.texts[name].names[value] for value in figures.texts[name].values] for name in _KEY]
    return list(zip(figures.window.tolist(), *texts, strict=True))
