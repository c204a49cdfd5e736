"""Which two labels people confuse, how often, and what agreement would gain if they were one. Rows in, `Chart` out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from qa_pipeline.charts import words
from qa_pipeline.charts.agreement_rows import GAIN, SHARE
from qa_pipeline.charts.intervals import Bar, across, interval_trace, label_axis, narrow_labels, scale_of
from qa_pipeline.charts.naming import LABEL_SETS, label_names
from qa_pipeline.charts.reading import MartRow
from qa_pipeline.charts.series import state_text
from qa_pipeline.charts.theme import (
    INK,
    LINE,
    NARROW_LABEL,
    WIDE_LABEL,
    Chart,
    Spec,
    Table,
    axis,
    layout,
    left_margin,
    note,
)
from qa_pipeline.config import QueueConfig
from qa_pipeline.marts.confusion_pairs import JOINT

QUESTION = "Which two labels do people give to the same item?"
PAIRS_SHOWN = 6
ROW_HEIGHT = 30


@dataclass(frozen=True)
class Confusion:
    """Two labels: their name, the row of their share of disagreement, and that of the gain if they were one."""

    name: str
    share: MartRow
    gain: MartRow | None


def confusion_chart(rows: Sequence[MartRow], *, key: str, queue: QueueConfig | None) -> Chart:
    """Shares of disagreement beside the gains of alpha, newest 28 days, the commonest pair on top.

    `rows` are `marts.confusion_pairs` rows of one market and queue; `queue` names the labels.
    """
    found = _confusions(rows, queue=queue)
    if not found:
        reason = words.reason_text(rows[0].reason if rows else None)
        return Chart(key, "Confused labels: not enough data", QUESTION, "", None, reason, 0, None)
    if len(found) == 1:
        only = found[0]
        reason = f"only two labels were confused ({only.name}, {words.plural(only.share.n_ratings, 'item')})"
        return Chart(key, f"All disagreement is between {only.name}", QUESTION, "", None, reason, 0, None)
    shown = found[:PAIRS_SHOWN]
    spec = _spec(shown)
    is_ordered = queue is not None and queue.scale != "nominal"
    rest = " Labels count as unordered here." if is_ordered else ""
    if any(each.gain is None or each.gain.estimate is None for each in shown):
        rest += " No mark: too few items with both for a gain."
    if len(found) > len(shown):
        rest += f" {words.plural(len(found) - len(shown), 'rarer pair is', 'rarer pairs are')} in the numbers."
    text = (
        "Newest 28 days with 95% intervals. Left: share of all disagreeing pairs of decisions. Right: what \u03b1 "
        "would gain if the two were one label; below 0 the line between them holds. A gain says that the line is "
        f"unclear, not that the labels should be merged.{rest}"
    )
    return Chart(key, _title(found), QUESTION, text, spec, "", spec["layout"]["height"], _table(found))


def pair_name(subject: str, *, queue: QueueConfig | None) -> str:
    """The labels' names from the taxonomy; the subject as it is where a code has none."""
    names = label_names(queue)
    sides = [side.split(LABEL_SETS) for side in subject.split(JOINT)]
    if len(sides) != 2 or any(code not in names for side in sides for code in side):
        return subject
    return JOINT.join(" + ".join(names[code] for code in side) for side in sides)


def pair_label(name: str, *, limit: int) -> str:
    """The name within `limit` characters, with some of both labels left so that two pairs do not look alike."""
    one, joint, other = name.partition(JOINT)
    if len(name) <= limit or not joint:
        return name
    room = limit - len(JOINT)
    left = max(room - len(other), min(len(one), room // 2))
    return f"{words.squeeze(one, limit=left)}{JOINT}{words.squeeze(other, limit=room - left)}"


def _confusions(rows: Sequence[MartRow], *, queue: QueueConfig | None) -> list[Confusion]:
    gains = {row.subject: row for row in rows if row.metric == GAIN}
    shares = [row for row in rows if row.metric == SHARE and row.estimate is not None]
    shares.sort(key=lambda row: (-(row.estimate or 0.0), row.subject))
    return [Confusion(pair_name(row.subject, queue=queue), row, gains.get(row.subject)) for row in shares]


def _title(found: Sequence[Confusion]) -> str:
    """The commonest pair, or those that cannot be told from it; and the largest certain gain of a merger."""
    first = found[0]
    alike = [other.name for other in found if (other.share.high or 0.0) >= (first.share.low or 0.0)]
    share = f"{words.percent(first.share.estimate, digits=0)} of disagreement is over {first.name}"
    if len(alike) > 1:
        rest = " from others" if len(alike) > 2 else ""
        share = f"Most disagreement is over {words.join(alike[:2])}, not told apart{rest}"
    gains = [
        (each.gain.estimate or 0.0, each)
        for each in found
        if each.gain is not None and each.gain.low is not None and each.gain.low > 0
    ]
    if not gains:
        return f"{share}; merging no two labels would raise \u03b1"
    value, best = max(gains, key=lambda gain: gain[0])
    which = "it" if best is first and len(alike) == 1 else best.name
    if which == "it":
        return f"{share}; as one label \u03b1 gains {words.signed(value)}"
    return f"{share}; \u03b1 gains most, {words.signed(value)}, if {which} were one label"


def _spec(shown: Sequence[Confusion]) -> Spec:
    """Two panels that share their labels, the commonest pair on top."""
    ordered = list(reversed(shown))
    bars = [_bar(each) for each in ordered]
    gains = [(place, each.gain) for place, each in enumerate(ordered) if each.gain is not None]
    traces = [interval_trace(bar, place=place, text=words.percent) for place, bar in enumerate(bars)]
    traces += [
        interval_trace(replace(bars[place], row=row), place=place, text=_signed, xaxis="x2")
        for place, row in gains
        if row.estimate is not None
    ]
    ends = [value for _, row in gains for value in (row.low, row.high) if value is not None] + [0.0]
    shares = [value for bar in bars for value in (bar.row.low, bar.row.high) if value is not None] + [0.0]
    heads = {"y": 1, "yref": "paper", "yanchor": "bottom", "xanchor": "left", "font": {"size": 11, "color": INK}}
    return {
        "narrow": narrow_labels(bars),
        "data": traces,
        "layout": layout(
            height=ROW_HEIGHT * len(bars) + 54,
            margin=(24, 14, 30, left_margin([bar.label for bar in bars], limit=WIDE_LABEL)),
            xaxis=axis(
                domain=[0, 0.46], range=scale_of(shares, bounds=(0.0, 1.0)), tickformat=".0~%", nticks=3, tickangle=0
            ),
            xaxis2=axis(
                domain=[0.54, 1],
                range=scale_of(ends, bounds=(-1.0, 1.0)),
                tickformat=".2~f",
                nticks=3,
                tickangle=0,
                anchor="y",
            ),
            yaxis=label_axis(bars),
            shapes=[across(0.0, xref="x2")],
            annotations=[
                note("Share", x=0, xref="paper", **heads),
                note("Gain of \u03b1", x=0.54, xref="paper", **heads),
            ],
        ),
    }


def _bar(each: Confusion) -> Bar:
    narrow = pair_label(each.name, limit=NARROW_LABEL)
    return Bar(pair_label(each.name, limit=WIDE_LABEL), each.share, LINE, None, name=each.name, narrow=narrow)


def _signed(value: float | None) -> str:
    return words.NOTHING if value is None else words.signed(value)


def _table(found: Sequence[Confusion]) -> Table:
    return Table(
        caption="Confused labels, newest 28 days",
        heads=("Labels", "Items with both", "Share of disagreement", "95% interval", "Gain of \u03b1", "95% interval"),
        rows=tuple(
            (
                each.name,
                words.count(each.share.n_ratings),
                words.percent(each.share.estimate),
                words.percent_range(each.share.low, each.share.high),
                _signed(each.gain.estimate if each.gain else None),
                _gain_range(each.gain),
            )
            for each in found
        ),
        numeric=frozenset({1, 2, 3, 4, 5}),
    )


def _gain_range(row: MartRow | None) -> str:
    if row is None:
        return ""
    return words.signed_range(row.low, row.high) or state_text(row)
