"""How far QA and the known answers can be trusted, in sentences: QA's errors, leaked or wrong keys. No HTML here."""

from collections.abc import Sequence

from qa_pipeline.charts import words
from qa_pipeline.charts.differences import HIGHER, difference_text, direction
from qa_pipeline.charts.naming import label_name
from qa_pipeline.charts.quality_rows import DoubtfulKey
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.theme import Table
from qa_pipeline.config import QueueConfig

CORRECTED = "defect_rate_corrected"
QA_METRICS = ("qa_sensitivity", "qa_specificity", "qa_confirmed")
GOLD_METRICS = (
    "gold_share",
    "first_look_accuracy",
    "leak_accuracy_gain",
    "leak_speed_up",
    "suspected_key_share",
    "suspected_key_share_by_chance",
    "other_guideline_share",
)
ITEMS_NAMED = 3
# An interval of a rate that is wider than this is not worth an estimate in a sentence.
_SAYS_NOTHING = 0.5


def corrected_sentence(corrected: MartRow | None, *, qa: Sequence[MartRow]) -> str:
    """The defect rate without QA's own errors and what QA finds, or why not; empty where no mart says anything.

    `corrected` is `marts.defect_rate`'s row, `qa` those of `marts.qa_accuracy` on labels; both newest 28 days.
    """
    if corrected is None:
        return ""
    if corrected.estimate is None:
        reason = words.reason_text(corrected.reason)
        return f"QA is not truth: the defect rate is not corrected for QA\u2019s own errors ({reason})."
    rate = _rate(corrected)
    if corrected.low is not None and corrected.high is not None and corrected.high - corrected.low > _SAYS_NOTHING:
        inside = words.percent_range(corrected.low, corrected.high)
        return (
            f"QA is not truth: corrected for QA\u2019s own errors the defect rate may be anything in {inside}, because "
            "too few of QA\u2019s verdicts were arbitrated."
        )
    known = {row.metric: row for row in qa if row.estimate is not None}
    parts = []
    if "qa_sensitivity" in known:
        parts.append(f"QA finds {_rate(known['qa_sensitivity'])} of the defects")
    if "qa_specificity" in known:
        parts.append(f"and leaves {_rate(known['qa_specificity'])} of the right decisions alone")
    said = f" Arbitration says: {' '.join(parts)}." if parts else ""
    return f"QA is not truth: corrected for QA\u2019s own errors the defect rate is {rate}.{said}"


def gold_sentences(
    rows: Sequence[MartRow], *, keys: Sequence[DoubtfulKey], queue: QueueConfig | None = None
) -> tuple[str, ...]:
    """What `marts.gold_health` says of one queue's known answers: how many, labels without any, leaks, wrong keys.

    `queue` names the labels.
    """
    found = (_share(rows), _unkeyed(rows, queue), _leak(rows), _wrong_keys(rows, keys, queue), _guideline(rows))
    return tuple(sentence for sentence in found if sentence)


def _first(rows: Sequence[MartRow], *, metric: str, kind: str = "rater_kind") -> MartRow | None:
    found = (row for row in rows if (row.metric, row.subject_kind) == (metric, kind) and row.estimate is not None)
    return next(found, None)


def _rate(row: MartRow) -> str:
    inside = words.percent_range(row.low, row.high) or words.reason_text(row.reason)
    return f"{words.percent(row.estimate)} ({inside})"


def _share(rows: Sequence[MartRow]) -> str:
    row = _first(rows, metric="gold_share")
    return "" if row is None else f"{_rate(row)} of the decisions were on items with a known answer."


def _unkeyed(rows: Sequence[MartRow], queue: QueueConfig | None) -> str:
    wanted = ("first_look_accuracy", "label")
    labels = [
        label_name(row.subject, queue=queue)
        for row in rows
        if (row.metric, row.subject_kind) == wanted and row.n_items == 0
    ]
    if not labels:
        return ""
    which = "the label" if len(labels) == 1 else "the labels"
    return f"No known answer with {which} {words.join(labels)} came up: how often people find it is unknown."


def _leak(rows: Sequence[MartRow]) -> str:
    right, fast = (_first(rows, metric=metric) for metric in ("leak_accuracy_gain", "leak_speed_up"))
    if right is None or right.low is None:
        return ""
    lead = "when they saw an item again, people were right"
    speed = ""
    if fast is not None and fast.low is not None and fast.low > 0:
        speed = f", and {_rate(fast)} faster"
    gain = difference_text(right, is_share=True)
    if direction(right) is HIGHER:
        return f"Known answers may have leaked: {lead} more often, {gain}{speed}."
    return f"No clear sign that known answers leaked: {lead} about as often, {gain}{speed}."


def _wrong_keys(rows: Sequence[MartRow], keys: Sequence[DoubtfulKey], queue: QueueConfig | None) -> str:
    if not keys:
        return ""
    named = [
        f"{words.short(key.row.subject, limit=40)}, the key says {label_name(key.row.reference_kind, queue=queue)}, "
        f"{words.percent(key.row.estimate, digits=0)} of {words.plural(key.row.n_items, 'decision')} by good "
        f"annotators {label_name(key.alternative_label, queue=queue)}"
        for key in _clearest_first(keys)[:ITEMS_NAMED]
    ]
    more = f" and {len(keys) - ITEMS_NAMED} more" if len(keys) > ITEMS_NAMED else ""
    which = "One key is" if len(keys) == 1 else f"{len(keys)} keys are"
    chance = _first(rows, metric="suspected_key_share_by_chance", kind="rater_kind")
    share = _first(rows, metric="suspected_key_share", kind="rater_kind")
    beside = ""
    if chance is not None and share is not None:
        found = f"{words.percent(share.estimate)} of the items"
        beside = f" ({found}; chance alone would give {words.percent(chance.estimate)} at most)"
    return f"{which} perhaps wrong{beside}: {'; '.join(named)}{more}."


def _clearest_first(keys: Sequence[DoubtfulKey]) -> list[DoubtfulKey]:
    return sorted(keys, key=lambda key: (-(key.row.low or 0.0), key.row.subject))


def _guideline(rows: Sequence[MartRow]) -> str:
    row = _first(rows, metric="other_guideline_share")
    if row is None or not row.estimate:
        return ""
    return f"{_rate(row)} of the decisions on known answers were made under another guideline than the answer\u2019s."


def keys_table(keys: Sequence[DoubtfulKey], *, queue: QueueConfig | None = None) -> Table:
    """Every item whose key is perhaps wrong."""
    return Table(
        caption="Keys that are perhaps wrong: most good annotators decide otherwise",
        heads=("Item", "Key", "They say", "Share", "95% interval", "Decisions"),
        rows=tuple(
            (
                words.short(key.row.subject, limit=60),
                label_name(key.row.reference_kind, queue=queue),
                label_name(key.alternative_label, queue=queue),
                words.percent(key.row.estimate),
                words.percent_range(key.row.low, key.row.high),
                words.count(key.row.n_items),
            )
            for key in _clearest_first(keys)
        ),
        numeric=frozenset({3, 4, 5}),
    )
