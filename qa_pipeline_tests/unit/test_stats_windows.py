"""Calendar windows and sums over them."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_pipeline.stats.windows import PERIODS, DateArray, Windows, calendar_windows, lookback_windows, summary_windows

FIRST = np.datetime64("2026-02-26")  # a Thursday


def _days(first: str, last: str) -> DateArray:
    return np.arange(np.datetime64(first), np.datetime64(last) + 1, dtype="datetime64[D]")


def _named(windows: Windows, period: str) -> list[tuple[str, str]]:
    chosen = windows.period == PERIODS.index(period)
    return list(zip(windows.start[chosen].astype(str), windows.end[chosen].astype(str), strict=True))


def test_windows_of_six_days() -> None:
    """Stops off-by-one bounds: ISO weeks are whole, trailing windows have 28 days, both ends are inclusive."""
    windows = calendar_windows(_days("2026-02-26", "2026-03-03"))
    assert _named(windows, "all") == [("2026-02-26", "2026-03-03")]
    assert _named(windows, "week") == [("2026-02-23", "2026-03-01"), ("2026-03-02", "2026-03-08")]
    assert _named(windows, "day")[0] == ("2026-02-26", "2026-02-26")
    assert len(_named(windows, "day")) == len(_named(windows, "trailing_28d")) == 6
    assert _named(windows, "trailing_28d")[-1] == ("2026-02-04", "2026-03-03")
    assert windows.slots == 6


def test_summary_windows_keep_weeks_and_the_newest_trailing_window() -> None:
    """Stops daily rows for every annotator: only weeks, all and the newest 28 days, over few slots."""
    windows = summary_windows(_days("2026-01-01", "2026-03-31"))
    assert _named(windows, "day") == []
    assert _named(windows, "trailing_28d") == [("2026-03-04", "2026-03-31")]
    assert len(_named(windows, "week")) == 14
    assert windows.slots < 35


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.sets(st.integers(0, 120), min_size=1), st.integers(0, 400), st.booleans())
def test_sums_equal_a_loop_over_days(offsets: set[int], offset: int, summary: bool) -> None:
    """Stops any disagreement with the definition, for windows and baselines, over gaps and the ends of months."""
    dates = FIRST + np.array(sorted(offsets)) + offset
    counts = np.random.default_rng(offset).integers(0, 100, size=len(dates)).astype(np.float64)
    windows = (summary_windows if summary else calendar_windows)(dates)
    daily = np.bincount(windows.slot_of(dates), weights=counts, minlength=windows.slots).astype(np.float64)
    sums = windows.sums(daily)
    baselines = windows.baseline_sums(daily)
    for place in range(len(windows)):
        start, end = windows.start[place], windows.end[place]
        assert sums[place] == counts[(dates >= start) & (dates <= end)].sum()
        before = (dates >= start - np.timedelta64(28, "D")) & (dates < start)
        assert baselines[place] == counts[before].sum()


def test_weeks_are_iso_weeks() -> None:
    """Stops weeks that start on Sunday, at the turn of a year too."""
    windows = calendar_windows(_days("2024-12-20", "2025-01-20"))
    for start, end in _named(windows, "week"):
        monday, sunday = date.fromisoformat(start), date.fromisoformat(end)
        assert monday.isoweekday() == 1
        assert sunday == monday + timedelta(days=6)
        assert monday.isocalendar()[:2] == sunday.isocalendar()[:2]


def test_pair_sums_equal_all_sums() -> None:
    """Stops the shortcut for chosen pairs from reading another window or column."""
    windows = calendar_windows(FIRST + np.arange(41))
    daily = np.random.default_rng(0).integers(0, 9, size=(windows.slots, 20, 5)).astype(np.float64)
    window, column = np.array([3, 50, 7]), np.array([4, 0, 2])
    pairs = windows.pair_sums(daily, window=window, column=column)
    assert pairs.shape == (20, 3)
    np.testing.assert_array_equal(pairs, windows.sums(daily)[window, :, column].T)


def test_windows_are_those_that_have_a_date_in_them() -> None:
    """Stops one misdated file from making windows of every day between it and now: 26 years cost 200 s and 3.6 GB."""
    stray, first, last = (np.datetime64(day) for day in ("2000-01-01", "2026-03-02", "2026-03-04"))
    windows = calendar_windows(np.array([last, stray, first, first]))
    assert _named(windows, "all") == [("2000-01-01", "2026-03-04")]
    assert _named(windows, "day") == [(day, day) for day in ("2000-01-01", "2026-03-02", "2026-03-04")]
    assert _named(windows, "week") == [("1999-12-27", "2000-01-02"), ("2026-03-02", "2026-03-08")]
    trailing = [end for _, end in _named(windows, "trailing_28d")]
    assert trailing == [str(stray + day) for day in range(28)] + [str(first + day) for day in range(3)]
    assert windows.slots < 40


def test_no_dates_are_an_error() -> None:
    """Stops an empty calendar from passing for one."""
    with pytest.raises(ValueError, match="one date at least"):
        calendar_windows(np.array([], dtype="datetime64[D]"))


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 120), min_size=1, max_size=30), st.booleans())
def test_lookbacks_sum_28_days_whatever_the_period(offsets: list[int], is_few: bool) -> None:
    """Stops slots of the windows themselves, which may hold days before the 28, from being summed in their place."""
    dates = FIRST + np.array(offsets)
    windows = summary_windows(dates) if is_few else calendar_windows(dates)
    lookbacks = lookback_windows(windows)
    daily = np.bincount(lookbacks.slot_of(dates), minlength=lookbacks.slots).astype(np.float64)
    for total, period, end in zip(lookbacks.sums(daily), windows.period, windows.end, strict=True):
        start = dates.min() if PERIODS[period] == "all" else end - 27
        assert total == np.sum((dates >= start) & (dates <= end))
