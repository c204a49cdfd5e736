"""Rows that only a market's own page needs, read and sorted by queue. No judgement here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from qa_pipeline.charts.comparisons import METRIC_NAMES
from qa_pipeline.charts.overview import Overview
from qa_pipeline.charts.reading import GuidelineChange, MartRow, Reader, Volume

OfQueue = TypeVar("OfQueue", MartRow, Volume, GuidelineChange)


@dataclass(frozen=True)
class MarketRows:
    """Rows of one market that only its own page needs, by queue."""

    coefficients: Mapping[str, list[MartRow]]
    accuracy: Mapping[str, list[MartRow]]
    drift: Mapping[str, list[MartRow]]
    volumes: Mapping[str, list[Volume]]
    changes: Mapping[str, list[GuidelineChange]]


def read_market(
    reader: Reader,
    *,
    market: str,
    overview: Overview,
    volumes: Iterable[Volume],
    changes: Iterable[GuidelineChange],
) -> MarketRows:
    """Read agreement coefficients, accuracy and drift of one market, and take its part of the volumes and changes."""
    since = overview.span.first
    coefficients = reader.mart(
        "agreement",
        metrics=list(METRIC_NAMES),
        subject_kinds=["pool"],
        periods=["trailing_28d"],
        markets=[market],
        since=since,
    )
    accuracy = reader.mart(
        "accuracy",
        metrics=["accuracy"],
        subject_kinds=["rater_kind", "vendor", "model_version"],
        periods=["trailing_28d"],
        markets=[market],
        since=since,
    )
    drift = reader.mart(
        "drift",
        metrics=["psi", "psi_no_drift"],
        subject_kinds=["labels", "predictions", "scores"],
        periods=["day"],
        markets=[market],
        since=since,
    )
    return MarketRows(
        coefficients=_by_queue(_newest_only(row for row in coefficients if row.subject == "production")),
        accuracy=_by_queue(_newest_only(accuracy)),
        drift=_by_queue(drift),
        volumes=_by_queue(volume for volume in volumes if volume.market == market),
        changes=_by_queue(change for change in changes if change.market == market),
    )


def _by_queue(rows: Iterable[OfQueue]) -> dict[str, list[OfQueue]]:
    found: dict[str, list[OfQueue]] = {}
    for row in rows:
        found.setdefault(row.queue, []).append(row)
    return found


def _newest_only(rows: Iterable[MartRow]) -> list[MartRow]:
    """Of each series the row that ends last."""
    found: dict[tuple[str, ...], MartRow] = {}
    for row in rows:
        key = (row.market, row.queue, row.subject_kind, row.subject, row.metric, row.reference_kind)
        if key not in found or row.end > found[key].end:
            found[key] = row
    return list(found.values())
