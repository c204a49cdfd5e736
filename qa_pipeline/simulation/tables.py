"""From integer columns to the feeds' tables: codes become names, numbers become ids, milliseconds become times.

One function per feed, each returning an Arrow table with the contract's columns in the contract's order (texts may be
dictionary-encoded). Nothing is drawn here and nothing is written.
"""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qa_pipeline.contracts import (
    APPEAL_OUTCOMES,
    CONTENT_TYPES,
    ERROR_CATEGORIES,
    FEEDS,
    GOLD_SOURCES,
    SAMPLINGS,
    SEVERITIES,
    STAGES,
    TARGET_KINDS,
    ColumnType,
)
from qa_pipeline.simulation.arrays import Bools, Floats, Ints, Rows, day_bounds
from qa_pipeline.simulation.items import LANGUAGES
from qa_pipeline.simulation.models import ScoredChunk
from qa_pipeline.simulation.operation import (
    CATEGORY_NAMES,
    CATEGORY_OFFSETS,
    GUIDELINES,
    MARKETS,
    MODELS,
    QUEUES,
    TIME_ZONES,
    VENDORS,
)
from qa_pipeline.simulation.world import ROLES, TRAINING_DAYS, World

ROOT_CAUSES = ("unclear_guideline", "haste", "language", "tool")
ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
}
MARKET_CODES = tuple(market.code for market in MARKETS)
QUEUE_CODES = tuple(queue.code for queue in QUEUES)
VENDOR_CODES = tuple(vendor.code for vendor in VENDORS)


def coded(codes: Ints, names: Sequence[str]) -> pa.DictionaryArray:
    """Return the names of codes; a negative code is a missing value."""
    index = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(index, pa.array(names, pa.string()))


def identifiers(prefix: str, ids: Ints) -> pa.StringArray:
    """Return ids as text: the prefix and the number."""
    return pc.binary_join_element_wise(pa.scalar(prefix), pc.cast(pa.array(ids), pa.string()), pa.scalar(""))


def times(milliseconds: Ints, *, missing: Bools | None = None) -> pa.TimestampArray:
    """Return UTC times of milliseconds since 1970."""
    return pa.array(milliseconds * 1000, pa.int64(), mask=missing).cast(ARROW_TYPES["timestamp"])


def _constant(value: str, size: int) -> pa.DictionaryArray:
    return coded(np.zeros(size, dtype=np.int64), (value,))


def _answers(queue: Ints, answer: Ints) -> pa.DictionaryArray:
    codes = np.where(answer < 0, -1, np.array(CATEGORY_OFFSETS)[queue] + answer)
    return coded(codes, CATEGORY_NAMES)


def _doubles(values: Floats) -> pa.DoubleArray:
    return pa.array(values, pa.float64(), mask=np.isnan(values))


def _table(feed: str, columns: dict[str, pa.Array]) -> pa.Table:
    names = FEEDS[feed].names
    if set(columns) != set(names):
        message = f"simulated {feed} differ from the contract in {sorted(set(columns) ^ set(names))}"
        raise ValueError(message)
    return pa.table({name: columns[name] for name in names})


def _cell(rows: Rows) -> dict[str, pa.Array]:
    return {
        "item_id": identifiers("i", rows["item"]),
        "market": coded(rows["market"], MARKET_CODES),
        "queue": coded(rows["queue"], QUEUE_CODES),
    }


def label_table(rows: Rows, world: World, *, day: dt.date, batches_per_day: int) -> pa.Table:
    """Return decisions (as of `labels.ratings_of_items`) of a day as the feed labels.

    A batch is a vendor's work in one of `batches_per_day` equal parts of the market's local day.
    """
    vendor = world.vendor[rows["rater"]]
    start, end = (bounds[rows["market"]] for bounds in day_bounds(day, TIME_ZONES))
    part = np.clip((rows["submitted"] - start) * batches_per_day // (end - start), 0, batches_per_day - 1)
    batches = tuple(f"{code}-b{number}" for code in VENDOR_CODES for number in range(batches_per_day))
    has_suggestion = rows["suggested"] >= 0
    return _table(
        "labels",
        _cell(rows)
        | {
            "label_id": identifiers("L", rows["label_id"]),
            "content_type": coded(rows["content"], CONTENT_TYPES),
            "annotator_id": coded(rows["rater"], world.ids),
            "vendor": coded(vendor, VENDOR_CODES),
            "label": _answers(rows["queue"], rows["answer"]),
            "stage": coded(rows["stage"], STAGES),
            "submitted_at": times(rows["submitted"]),
            "assigned_at": times(rows["assigned"]),
            "batch_id": coded(vendor * batches_per_day + part, batches),
            "language": coded(rows["language"], LANGUAGES),
            "guideline_version": coded(rows["guideline"], GUIDELINES),
            "handle_seconds": pa.array(rows["handle"]),
            "is_blind": pa.array(rows["is_blind"]),
            "suggested_label": _answers(rows["queue"], rows["suggested"]),
            "suggestion_shown": pa.array(rows["is_shown"] & has_suggestion),
        },
    )


def prediction_table(chunk: ScoredChunk) -> pa.Table:
    """Return the scores of a chunk as the feed predictions: a row per item and label."""
    size, labels = chunk.scores.shape
    spec, queue = MODELS[chunk.model], QUEUES[chunk.queue]
    index = np.repeat(np.arange(size, dtype=np.int32), labels)
    label = np.tile(np.arange(labels, dtype=np.int64), size)
    is_decision = label == np.repeat(chunk.chosen, labels)
    rationales = tuple(f"reads as {name.name.lower()} under the policy" for name in queue.labels)
    explains = is_decision & (spec.kind == "llm")
    items = pa.DictionaryArray.from_arrays(pa.array(index), identifiers("i", chunk.items["item"]))
    ids = chunk.first_row + np.arange(size * labels, dtype=np.int64)
    return _table(
        "predictions",
        {
            "prediction_id": identifiers("p", ids),
            "item_id": items,
            "market": coded(chunk.items["market"][index], MARKET_CODES),
            "queue": _constant(queue.code, len(index)),
            "content_type": coded(chunk.items["content"][index], CONTENT_TYPES),
            "model_id": _constant(spec.model_id, len(index)),
            "model_version": _constant(spec.version, len(index)),
            "model_kind": _constant(spec.kind, len(index)),
            "label": coded(label, tuple(name.code for name in queue.labels)),
            "score": pa.array(chunk.scores.ravel()),
            "is_decision": pa.array(is_decision),
            "predicted_at": times(chunk.predicted[index]),
            "rationale": coded(np.where(explains, label, -1), rationales),
        },
    )


def item_table(rows: Rows) -> pa.Table:
    """Return items as the feed items."""
    return _table(
        "items",
        _cell(rows)
        | {
            "content_type": coded(rows["content"], CONTENT_TYPES),
            "language": coded(rows["language"], LANGUAGES),
            "enqueued_at": times(rows["enqueued"]),
            "priority": pa.array(rows["priority"]),
        },
    )


def gold_table(rows: Rows, *, starts: Ints, guidelines: npt.NDArray[np.int64]) -> pa.Table:
    """Return known answers as the feed gold; `starts` is when the folder's day began per market (ms).

    `guidelines` is the guideline of each row, as a place in GUIDELINES; `key` is the answer that is held to be known.
    """
    undated = rows["is_everywhere"] | ~rows["is_dated"]
    return _table(
        "gold",
        _cell(rows)
        | {
            "market": coded(np.where(rows["is_everywhere"], -1, rows["market"]), MARKET_CODES),
            "label": _answers(rows["queue"], rows["key"]),
            "source": coded(rows["source"], GOLD_SOURCES),
            "guideline_version": coded(guidelines, GUIDELINES),
            "valid_from": times(starts[rows["market"]], missing=undated),
        },
    )


def _targets(kind: Ints, target: Ints) -> pa.StringArray:
    prefixes = coded(kind, ("L", "p", "r")).cast(pa.string())
    return pc.binary_join_element_wise(prefixes, pc.cast(pa.array(target), pa.string()), pa.scalar(""))


def review_table(rows: Rows, world: World) -> pa.Table:
    """Return re-reviews (as of `quality.reviews_of`) as the feed reviews."""
    return _table(
        "reviews",
        _cell(rows)
        | {
            "review_id": identifiers("r", rows["review_id"]),
            "target_kind": coded(rows["kind"], TARGET_KINDS),
            "target_id": _targets(rows["kind"], rows["target"]),
            "reviewer_id": coded(rows["reviewer"], world.ids),
            "verdict_label": _answers(rows["queue"], rows["verdict"]),
            "error_category": coded(rows["category"], ERROR_CATEGORIES),
            "severity": coded(rows["severity"], SEVERITIES),
            "is_blind": pa.array(rows["is_blind"]),
            "sampling": coded(rows["sampling"], SAMPLINGS),
            "inclusion_probability": _doubles(rows["probability"]),
            "root_cause": coded(rows["cause"], ROOT_CAUSES),
            "reviewed_at": times(rows["reviewed_at"]),
        },
    )


def appeal_table(rows: Rows) -> pa.Table:
    """Return appeals (as of `quality.appeals_of`) as the feed appeals."""
    return _table(
        "appeals",
        _cell(rows)
        | {
            "appeal_id": identifiers("a", rows["appeal_id"]),
            "target_kind": coded(rows["kind"], TARGET_KINDS),
            "target_id": _targets(rows["kind"], rows["target"]),
            "original_label": _answers(rows["queue"], rows["answer"]),
            "outcome": coded(rows["outcome"], APPEAL_OUTCOMES),
            "final_label": _answers(rows["queue"], rows["final"]),
            "filed_at": times(rows["filed_at"]),
            "resolved_at": times(rows["resolved_at"], missing=rows["resolved_at"] < 0),
        },
    )


def roster_table(world: World, *, day: dt.date) -> pa.Table:
    """Return everybody who is employed on the day as the feed roster; trainees are not certified and not active."""
    who = np.flatnonzero(world.is_employed(day))
    certified = world.is_certified(day)[who]
    sites = tuple(site for vendor in VENDORS for site in vendor.sites)
    first_site = np.cumsum([0] + [len(vendor.sites) for vendor in VENDORS[:-1]])
    epoch = dt.date(1970, 1, 1).toordinal()
    hired = (world.hired[who] - epoch).astype(np.int32)
    return _table(
        "roster",
        {
            "annotator_id": coded(who, world.ids),
            "vendor": coded(world.vendor[who], VENDOR_CODES),
            "site": coded(first_site[world.vendor[who]] + world.site[who], sites),
            "market": coded(world.market[who], MARKET_CODES),
            "language": coded(world.market[who], tuple(market.language for market in MARKETS)),
            "role": coded(world.role[who], ROLES),
            "hired_on": pa.array(hired).cast(pa.date32()),
            "certified_on": pa.array(hired + TRAINING_DAYS, pa.int32(), mask=~certified).cast(pa.date32()),
            "is_active": pa.array(certified),
        },
    )


def timesheet_table(world: World, rng: np.random.Generator, *, day: dt.date) -> pa.Table:
    """Return the shifts of those at work as the feed timesheets; utilization is the vendor's, give or take 6 %."""
    who = np.flatnonzero(world.is_working(day))
    paid = rng.choice(np.array([240.0, 420.0, 480.0, 510.0]), len(who), p=[0.1, 0.2, 0.5, 0.2])
    usual = np.array([vendor.utilization for vendor in VENDORS])[world.vendor[who]]
    productive = np.round(paid * np.clip(usual + rng.normal(0.0, 0.06, len(who)), 0.3, 0.98), 1)
    columns = {
        "annotator_id": coded(who, world.ids),
        "paid_minutes": pa.array(paid),
        "productive_minutes": pa.array(productive),
    }
    return _table("timesheets", columns)
