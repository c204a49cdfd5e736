"""Figures over subjects: sorted intervals of accuracy, of defect rates and of agreement coefficients.

Rows in, `Chart` out; titles come from the same rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from qa_pipeline.charts import findings, words
from qa_pipeline.charts.intervals import Bar, intervals_spec
from qa_pipeline.charts.measures import ACCURACY, DEFECT_RATE, RECALL, Measure
from qa_pipeline.charts.naming import label_name
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.series import state_text
from qa_pipeline.charts.theme import ACT as ACT_COLOR
from qa_pipeline.charts.theme import LINE, MODEL, MUTED, Chart, Table
from qa_pipeline.charts.verdicts import (
    ACT,
    COEFFICIENT_LIMITS,
    MIN_ITEMS,
    judge,
    verdict_key,
    verdict_label,
    verdict_text,
)
from qa_pipeline.config import QueueConfig

REFERENCE_WORDS = {
    "gold": "gold answers",
    "expert": "expert decisions",
    "arbitration": "arbitrated decisions",
    "qa": "blind audits",
    "any": "the best reference of each item",
}
_QUESTIONS = {
    ("Vendor", True): "Which vendors make more defects?",
    ("Vendor", False): "Which vendors decide as the reference does?",
    ("Model version", False): "Which model versions decide as the reference does?",
    ("Label", False): "Which labels do people miss where the answer is known?",
}
_LEADS = {
    DEFECT_RATE.name: "Share of randomly audited decisions with a defect",
    RECALL.name: "Share of the decisions on items with this known answer that gave it",
}
_KINDS = ("gold", "expert", "arbitration", "qa")


def reference_kind(rows: Sequence[MartRow]) -> str:
    """The reference that a comparison uses: the best of which every subject has an interval and enough, else `any`.

    Comparing one vendor against gold with another against audits would compare the references.
    """
    subjects = {(row.subject_kind, row.subject) for row in rows if row.estimate is not None}
    for kind in _KINDS:
        of_kind = [row for row in rows if row.reference_kind == kind]
        have = {(row.subject_kind, row.subject) for row in of_kind if row.low is not None and row.n_items >= MIN_ITEMS}
        if subjects and have == subjects:
            return kind
    return "any"


def accuracy_chart(
    rows: Sequence[MartRow], *, key: str, overall: MartRow | None, targets: Mapping[str, float | None], noun: str
) -> Chart:
    """Accuracy of vendors or of model versions, one market and queue, newest 28 days, sorted, with intervals.

    `rows` are `marts.accuracy` rows of one subject kind and one reference kind; `overall` is the rater kind's row;
    `targets` gives each subject its target.
    """
    kind = rows[0].reference_kind if rows else "any"
    by = REFERENCE_WORDS.get(kind, kind)
    return _subjects(
        rows,
        key=key,
        overall=overall,
        targets=targets,
        noun=noun,
        measure=ACCURACY,
        by=by,
    )


def vendor_defect_chart(
    rows: Sequence[MartRow], *, key: str, overall: MartRow | None, targets: Mapping[str, float | None]
) -> Chart:
    """Defect rates of vendors, one market and queue, newest 28 days: `marts.defect_rate` rows, sorted by rate."""
    return _subjects(
        rows,
        key=key,
        overall=overall,
        targets=targets,
        noun="Vendor",
        measure=DEFECT_RATE,
        by="random audits",
    )


def label_chart(
    rows: Sequence[MartRow], *, key: str, overall: MartRow | None, queue: QueueConfig | None = None
) -> Chart:
    """How often people find each label on items with a known answer: `marts.accuracy` rows by label, newest 28 days.

    No target: that of accuracy is for all decisions together, and a rare label may be found less often. `queue` names
    the labels.
    """
    chart = _subjects(
        rows,
        key=key,
        overall=overall,
        targets={},
        noun="Label",
        measure=RECALL,
        by=REFERENCE_WORDS["gold"],
        labels={row.subject: label_name(row.subject, queue=queue) for row in rows},
    )
    judged = [row for row in rows if row.low is not None and row.n_items >= MIN_ITEMS]
    if len(judged) != 1:
        return chart
    (only,) = judged
    name = label_name(only.subject, queue=queue)
    return replace(chart, title=f"Where the known answer is {name}, {findings.rate_text(only)} of decisions give it")


def _subjects(
    rows: Sequence[MartRow],
    *,
    key: str,
    overall: MartRow | None,
    targets: Mapping[str, float | None],
    noun: str,
    measure: Measure,
    by: str,
    labels: Mapping[str, str] | None = None,
) -> Chart:
    """One interval a subject, the best on top; who has too few judged decisions is hollow and takes no part."""
    names = {row.subject: (labels or {}).get(row.subject, row.subject) or f"(no {noun.lower()} named)" for row in rows}
    said = {subject: f"the label {name}" for subject, name in names.items()} if measure is RECALL else names
    question = _QUESTIONS[noun, measure.is_high_bad]
    title = findings.subjects_title(rows, noun=noun, measure=measure, by=by, names=said, targets=targets)
    title = f"{title[0].upper()}{title[1:]}" if measure is RECALL else title
    shown = [row for row in rows if row.estimate is not None]
    few = [row for row in shown if row.n_items < MIN_ITEMS]
    if len(few) == len(shown):
        counts = words.join([f"{names[row.subject]} {words.count(row.n_items)}" for row in few])
        reason = f"fewer than {MIN_ITEMS} judged decisions ({counts})" if few else ""
        reason = reason or words.reason_text(rows[0].reason if rows else None)
        return Chart(key, title, question, "", None, reason, 0, None)
    color = MODEL if noun == "Model version" else LINE
    bars = [
        _bar(row, name=names[row.subject], color=color, target=targets.get(row.subject), measure=measure)
        for row in shown
    ]
    sign = -1.0 if measure.is_high_bad else 1.0
    bars.sort(key=lambda bar: (sign * (bar.row.estimate or 0.0), bar.label))
    legend = ["with 95% intervals"]
    lines = []
    if overall is not None and overall.estimate is not None:
        lines.append(overall.estimate)
        legend.append(f"dotted: all {noun.lower()}s together, {words.percent(overall.estimate)}")
    goals = sorted({bar.target for bar in bars if bar.target is not None})
    if goals:
        legend.append(f"upright stroke: target, {words.join([words.exact_percent(goal) for goal in goals])}")
    if any(bar.color == ACT_COLOR for bar in bars):
        side = "above" if measure.is_high_bad else "below"
        legend.append(f"{ACT.glyph} the whole interval is {side} target")
    if few:
        counts = words.join([f"{names[row.subject]} {words.count(row.n_items)}" for row in few])
        legend.append(f"hollow: not enough data, fewer than {MIN_ITEMS} ({counts})")
    spec = intervals_spec(
        bars, lines=lines, row_height=30, text=words.percent, tickformat=".1~%", bounds=(0.0, 1.0), reach=None
    )
    lead = _LEADS.get(measure.name, f"Share of decisions equal to {by}")
    note_text = f"{lead}, newest 28 days, {'; '.join(legend)}."
    table = _interval_table(rows, names, title=measure.name, targets=targets if goals else None)
    return Chart(key, title, question, note_text, spec, "", spec["layout"]["height"], table)


def _bar(row: MartRow, *, name: str, color: str, target: float | None, measure: Measure) -> Bar:
    if row.n_items < MIN_ITEMS:
        return Bar(name, row, MUTED, target, is_hollow=True)
    is_miss = judge(row, target, measure=measure) is ACT
    return Bar(name, row, ACT_COLOR if is_miss else color, target)


METRIC_NAMES = {
    "percent_agreement": "Observed",
    "gwet_ac1": "Gwet\u2019s AC1",
    "krippendorff_alpha": "Krippendorff\u2019s \u03b1",
    "fleiss_kappa": "Fleiss\u2019 \u03ba",
}
# With a glyph before them they fit left of a narrow figure.
_NARROW = {
    "percent_agreement": "Observed",
    "gwet_ac1": "Gwet AC1",
    "krippendorff_alpha": "Krippendorff \u03b1",
    "fleiss_kappa": "Fleiss \u03ba",
}


def coefficient_chart(rows: Sequence[MartRow], *, key: str) -> Chart:
    """Observed agreement beside the coefficients that correct for chance, newest 28 days.

    With one very common label alpha and kappa fall although people agree: side by side that is seen at once.
    """
    found = [row for name in METRIC_NAMES for row in rows if row.metric == name]
    names = {row.metric: METRIC_NAMES[row.metric] for row in found}
    question = "Do two people give the same item the same label?"
    alpha = next((row for row in found if row.metric == "krippendorff_alpha"), None)
    observed = next((row for row in found if row.metric == "percent_agreement"), None)
    title = findings.coefficients_title(observed, alpha=alpha)
    shown = [row for row in found if row.estimate is not None]
    table = _interval_table(found, names, title="Agreement", text=words.coefficient, by_metric=True)
    if not shown:
        reason = words.reason_text(found[0].reason if found else None)
        return Chart(key, title, question, "", None, reason, 0, table)
    bars = [
        Bar(verdict_label(names[row.metric], row), row, LINE, None, narrow=verdict_label(_NARROW[row.metric], row))
        for row in reversed(shown)
    ]
    spec = intervals_spec(
        bars, lines=(), row_height=44, text=words.coefficient, tickformat=".2~f", bounds=(-1.0, 1.0), reach=None
    )
    lead = f"Newest 28 days with 95% intervals; {verdict_key(shown)}."
    ac1 = next((row for row in found if row.metric == "gwet_ac1"), None)
    more = ""
    if alpha is not None and alpha.high is not None and ac1 is not None and (ac1.low or -1.0) > alpha.high:
        more = (
            " \u03b1 is below AC1: \u03b1 expects more agreement by chance where labels are common, AC1 less the more "
            "labels the queue declares."
        )
    return Chart(key, title, question, lead + more, spec, "", spec["layout"]["height"], table)


def _interval_table(
    rows: Sequence[MartRow],
    names: Mapping[str, str],
    *,
    title: str,
    text: Callable[[float | None], str] = words.percent,
    by_metric: bool = False,
    targets: Mapping[str, float | None] | None = None,
) -> Table:
    ordered = list(rows)
    if not by_metric:
        ordered.sort(key=lambda row: row.estimate if row.estimate is not None else -2.0, reverse=True)
    goal = ("Target",) if targets is not None else ()
    verdict = ("Verdict",) if by_metric else ()
    return Table(
        caption=f"{title}, newest 28 days",
        heads=("", title, "95% interval", *verdict, *goal, "Items", "Ratings", "State"),
        rows=tuple(
            (
                names[row.metric if by_metric else row.subject],
                text(row.estimate),
                _inside(row, by_metric=by_metric, targets=targets),
                *((verdict_text(row),) if by_metric else ()),
                *((words.exact_percent(targets.get(row.subject)),) if targets is not None else ()),
                words.count(row.n_items),
                words.count(row.n_ratings),
                state_text(row),
            )
            for row in ordered
        ),
        numeric=frozenset({1, 2, *range(3 + len(verdict), 5 + len(verdict) + len(goal))}),
    )


def _inside(row: MartRow, *, by_metric: bool, targets: Mapping[str, float | None] | None) -> str:
    """The interval, its ends told from what they are held against."""
    if by_metric:
        return words.coefficient_range(row.low, row.high, limits=COEFFICIENT_LIMITS)
    return words.percent_range(row.low, row.high, limits=() if targets is None else (targets.get(row.subject),))
