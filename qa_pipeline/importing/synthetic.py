"""Business dates and times for sources that have none (`[synthetic]` in a mapping).

An item's date is the first day plus a hash of its id, so that every decision on it, in whatever file, falls on the
same date and a second import gives the same. The time keeps the order of the source: a later row gets a later time,
in every market at once where the markets' local days overlap, because of a rater's decisions the last one counts.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from qa_pipeline.importing.mapping import Synthetic

# Below this, rows of markets far apart get the times of their own day, and their order across markets is not kept.
SMALLEST_OVERLAP = timedelta(hours=1)
_MICROSECOND = timedelta(microseconds=1)


def date_sql(synthetic: Synthetic, *, item_column: str | None) -> str:
    """SQL of a row's business date: spread over `days` by the item's hash, or the first day without an item."""
    start = f"date '{synthetic.start.isoformat()}'"
    if item_column is None or synthetic.days == 1:
        return start
    # The stable_bucket of the warehouse: the first 15 hexadecimal digits of the MD5.
    return f"{start} + cast(cast(('0x' || substring(md5({item_column}), 1, 15)) as bigint) % {synthetic.days} as int)"


def day_bounds(day: date, time_zone: str) -> tuple[datetime, datetime]:
    """UTC bounds of a market's local day; the end is exclusive."""
    zone = ZoneInfo(time_zone)
    start, end = (datetime.combine(each, time(0), zone).astimezone(UTC) for each in (day, day + timedelta(days=1)))
    return start, end


def windows(pairs: Iterable[tuple[date, str]], time_zones: Mapping[str, str]) -> list[tuple[date, str, datetime, int]]:
    """For each (business date, market): where its times start and how many microseconds they spread over.

    Markets of one date share the window in which it is that date in all of them, if there is such an hour.
    """
    markets: dict[date, list[str]] = {}
    for day, market in sorted(pairs):
        markets.setdefault(day, []).append(market)
    found = []
    for day, names in markets.items():
        bounds = {name: day_bounds(day, time_zones[name]) for name in names}
        shared = max(start for start, _ in bounds.values()), min(end for _, end in bounds.values())
        for name in names:
            start, end = shared if shared[1] - shared[0] >= SMALLEST_OVERLAP else bounds[name]
            found.append((day, name, start, (end - start) // _MICROSECOND))
    return found
