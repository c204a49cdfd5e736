"""Rows that only a market's own page needs, read and sorted by queue. No judgement here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from qa_pipeline.charts.agreement_rows import AgreementRows, read_agreement
from qa_pipeline.charts.comparisons import METRIC_NAMES
from qa_pipeline.charts.overview import Overview
from qa_pipeline.charts.quality_market import QualityRows, read_quality
from qa_pipeline.charts.reading import GuidelineChange, MartRow, Reader, Volume, by_queue, newest_only


@dataclass(frozen=True)
class MarketRows:
    """Rows of one market that only its own page needs, by queue."""

    coefficients: Mapping[str, list[MartRow]]
    accuracy: Mapping[str, list[MartRow]]
    vendor_defects: Mapping[str, list[MartRow]]
    drift: Mapping[str, list[MartRow]]
    volumes: Mapping[str, list[Volume]]
    changes: Mapping[str, list[GuidelineChange]]
    agreement: AgreementRows
    quality: QualityRows


def read_market(
    reader: Reader,
    *,
    market: str,
    overview: Overview,
    volumes: Iterable[Volume],
    changes: Iterable[GuidelineChange],
) -> MarketRows:
    """Read what only this market's page needs, and take its part of the volumes and changes."""
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
        subject_kinds=["rater_kind", "vendor", "model_version", "label"],
        periods=["trailing_28d"],
        markets=[market],
        since=since,
    )
    vendor_defects = reader.mart(
        "defect_rate",
        metrics=["defect_rate"],
        subject_kinds=["vendor"],
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
        # The first days shown have baselines that lie before them.
        since=since - timedelta(days=28),
    )
    return MarketRows(
        coefficients=by_queue(newest_only(row for row in coefficients if row.subject == "production")),
        accuracy=by_queue(newest_only(accuracy)),
        vendor_defects=by_queue(newest_only(vendor_defects)),
        drift=by_queue(drift),
        volumes=by_queue(volume for volume in volumes if volume.market == market),
        changes=by_queue(change for change in changes if change.market == market),
        agreement=read_agreement(reader, market=market, first=since, last=overview.span.last),
        quality=read_quality(reader, market=market, first=since, last=overview.span.last),
    )
