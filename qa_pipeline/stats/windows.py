"""Calendar windows (day, ISO week, trailing 28 days, all) and sums over them.

Which windows some dates have, and summing additive counts over them by differences of cumulative sums, belong
here; what is counted does not. Dates are numpy days; `end` is inclusive, as `period_end` in the marts.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from qa_pipeline.stats.jackknife import BoolArray, FloatArray, IntArray

DateArray: TypeAlias = npt.NDArray[np.datetime64]
PERIODS = ("all", "day", "trailing_28d", "week")
TRAILING_DAYS = 28
SESSION_DAYS = 7
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0


@dataclass(frozen=True)
class Windows:
    """Windows over slots of consecutive dates; `[W]` arrays unless noted.

    `period` indexes PERIODS. `slot_starts` `[S]` is the first date of each slot: the dates between two neighbouring
    window bounds are one slot, so daily windows have a slot a day, weekly ones a slot a week, and years without data
    are one slot. `first`/`stop` bound a
    window's slots (half open), `baseline_first`/`baseline_stop` those of the 28 days before its start.
    """

    period: IntArray
    start: DateArray
    end: DateArray
    slot_starts: DateArray
    first: IntArray
    stop: IntArray
    baseline_first: IntArray
    baseline_stop: IntArray

    def __len__(self) -> int:
        return len(self.period)

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.slot_starts)

    def of_period(self, period: str) -> "Windows":
        """The windows of one of PERIODS, over the same slots."""
        return self._where(self.period == PERIODS.index(period))

    def without_period(self, period: str) -> "Windows":
        """The windows of the other periods, over the same slots."""
        return self._where(self.period != PERIODS.index(period))

    def _where(self, chosen: BoolArray) -> "Windows":
        names = ("period", "start", "end", "first", "stop", "baseline_first", "baseline_stop")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})

    def baselines(self) -> "Windows":
        """Windows that sum, in place of each window, the 28 days before it; their dates stay those of the windows."""
        return replace(self, first=self.baseline_first, stop=self.baseline_stop)

    def slot_of(self, dates: DateArray) -> IntArray:
        """Slot of each date; dates must lie within the range that the windows were made for."""
        return np.searchsorted(self.slot_starts, dates, side="right") - 1

    def sums(self, daily: FloatArray) -> FloatArray:
        """Sum `[S, ...]` additive counts over each window: `[W, ...]`. Exact below 2**53, whatever came before."""
        running = running_sums(daily)
        return running[self.stop] - running[self.first]

    def baseline_sums(self, daily: FloatArray) -> FloatArray:
        """Sum `[S, ...]` additive counts over the 28 days before each window: `[W, ...]`."""
        running = running_sums(daily)
        return running[self.baseline_stop] - running[self.baseline_first]

    def pair_sums(self, daily: FloatArray, *, window: IntArray, column: IntArray) -> FloatArray:
        """Sum `[S, replicate, column]` over chosen pairs of a window and a column: `[replicate, pairs]`."""
        running = running_sums(daily)
        pairs: FloatArray = running[self.stop[window], :, column] - running[self.first[window], :, column]
        return pairs.T


def calendar_windows(dates: DateArray) -> Windows:
    """The days, ISO weeks (Monday to Sunday, whole even at the edges) and 28 days back that have counts, and all.

    `dates` are those with counts, in any order. A window without any is left out, so that one file dated decades ago
    costs a few windows and not ten thousand. ValueError when there are no dates.
    """
    days = _distinct(dates)
    mondays = _mondays(days)
    reached = _reached(days)
    length = np.timedelta64(TRAILING_DAYS - 1, "D")
    return _assemble(
        days,
        {"day": (days, days), "week": (mondays, mondays + 6), "trailing_28d": (reached - length, reached)},
    )


def summary_windows(dates: DateArray) -> Windows:
    """ISO weeks, the newest trailing 28 days and all: what a mart keeps for subjects as many as annotators.

    `dates` are those with counts, in any order; ValueError when there are none.
    """
    days = _distinct(dates)
    mondays = _mondays(days)
    newest = days[-1:]
    length = np.timedelta64(TRAILING_DAYS - 1, "D")
    return _assemble(days, {"week": (mondays, mondays + 6), "trailing_28d": (newest - length, newest)})


def lookback_windows(windows: Windows) -> Windows:
    """Windows that sum, in place of each of `windows`, the TRAILING_DAYS days up to its end, whatever its length.

    The window of all dates stays what it is. The windows keep their order and period; their dates are those summed.
    """
    is_all = windows.period == PERIODS.index("all")
    start = np.where(is_all, windows.start, windows.end - np.timedelta64(TRAILING_DAYS - 1, "D"))
    last = windows.end[is_all].max()
    return _of_spans(windows.period, start=start, end=windows.end, first=windows.slot_starts[0], last=last)


def around_windows(sessions: DateArray, *, first: np.datetime64, last: np.datetime64) -> tuple[Windows, ...]:
    """Windows of each of `sessions`, of the SESSION_DAYS before it and of those after it, over the same slots.

    All three have the session's date as their first and last; `first` and `last` are the oldest and newest date with
    counts.
    """
    days = np.unique(sessions)
    one, length = np.timedelta64(1, "D"), np.timedelta64(SESSION_DAYS, "D")
    spans = ((days, days + one), (days - length, days), (days + one, days + one + length))
    after = last + one
    bounds = [tuple(np.clip(edge, first, after) for edge in span) for span in spans]
    slot_starts = np.unique(np.concatenate([np.array([first]), *(edge for span in bounds for edge in span)]))
    slot_starts = slot_starts[slot_starts < after]
    found = []
    for low, high in bounds:
        start, stop = np.searchsorted(slot_starts, low), np.searchsorted(slot_starts, high)
        found.append(
            Windows(
                period=np.full(len(days), PERIODS.index("day")),
                start=days,
                end=days,
                slot_starts=slot_starts,
                first=start,
                stop=stop,
                baseline_first=start,
                baseline_stop=start,
            )
        )
    return tuple(found)


def _distinct(dates: DateArray) -> DateArray:
    if not len(dates):
        message = "windows need one date at least"
        raise ValueError(message)
    return np.unique(dates.astype("datetime64[D]"))


def _reached(days: DateArray) -> DateArray:
    """Dates, up to the newest, whose trailing window has one of `days` in it."""
    span = days[:, None] + np.arange(TRAILING_DAYS)
    return np.unique(span[span <= days[-1]])


def _mondays(days: DateArray) -> DateArray:
    number = days.astype(np.int64)
    return np.unique(number - (number + _EPOCH_WEEKDAY) % 7).astype("datetime64[D]")


def _assemble(days: DateArray, spans: dict[str, tuple[DateArray, DateArray]]) -> Windows:
    first, last = days[0], days[-1]
    everything = (days[:1], days[-1:])
    ordered = {name: spans.get(name, everything) for name in PERIODS if name == "all" or name in spans}
    period = np.concatenate([np.full(len(span[0]), PERIODS.index(name)) for name, span in ordered.items()])
    start = np.concatenate([span[0] for span in ordered.values()])
    end = np.concatenate([span[1] for span in ordered.values()])
    return _of_spans(period.astype(np.int64), start=start, end=end, first=first, last=last)


def _of_spans(
    period: IntArray, *, start: DateArray, end: DateArray, first: np.datetime64, last: np.datetime64
) -> Windows:
    after = last + np.timedelta64(1, "D")
    bounds = [
        np.clip(edge, first, after)
        for edge in (start, end + 1, start - np.timedelta64(TRAILING_DAYS, "D"), np.array([first]))
    ]
    slot_starts = np.unique(np.concatenate(bounds))
    slot_starts = slot_starts[slot_starts < after]
    edges = [np.searchsorted(slot_starts, bound) for bound in bounds]
    return Windows(
        period=period,
        start=start,
        end=end,
        slot_starts=slot_starts,
        first=edges[0],
        stop=edges[1],
        baseline_first=edges[2],
        baseline_stop=edges[0],
    )


def running_sums(daily: FloatArray) -> FloatArray:
    """Sums of `[S, ...]` before each slot and after the last, `[S + 1, ...]`."""
    running = np.zeros((daily.shape[0] + 1, *daily.shape[1:]), dtype=np.float64)
    np.cumsum(daily, axis=0, out=running[1:])
    return running
