"""What known answers are good for: accuracy at first sight, leaks, and answers under another guideline.

Each function returns rows of `marts.gold_health`; which windows and subjects they are made for is `gold_health`'s.
"""

from collections.abc import Iterator

import numpy as np

from qa_pipeline.marts.rates import Subject
from qa_pipeline.marts.reading import Codes, Table
from qa_pipeline.marts.records import JACKKNIFE, NO_REASON, REASONS, WILSON_EFFECTIVE, Figures, constant
from qa_pipeline.marts.replicated import Counts, Measure, contrast, replicate_counts, too_few
from qa_pipeline.stats.jackknife import BoolArray, FloatArray, Interval, divide, interval, may_speak, rarer_outcome
from qa_pipeline.stats.proportions import wilson
from qa_pipeline.stats.weighted_means import widest
from qa_pipeline.stats.windows import Windows


def first_look_accuracy(table: Table, *, windows: Windows, subject: Subject) -> Iterator[Figures]:
    """Share of right decisions among first looks; n_items are distinct items.

    The jackknife where it may speak, and never shorter than Wilson on decisions. Elsewhere Wilson as if every item had
    been decided once: people who decide one item are right or wrong together.
    """
    every = np.ones(table.keys, dtype=np.bool_)
    measures = {"n": Measure("unit_count", every), "right": Measure("right_count", every)}
    for counts in replicate_counts(table, windows=windows, subject=subject, measures=measures):
        n, right = counts.total("n"), counts.total("right")
        share = divide(right, n)
        shares = divide(counts.without_each("right"), counts.without_each("n"))
        found = interval(shares, transform="logit", degrees=counts.degrees("n"))
        speaks = _speaks(counts, "n", "right") & found.is_given
        both, careful = widest(found, wilson(share, n)), wilson(share, counts.items)
        rows = len(n)
        yield Figures(
            window=counts.window,
            texts=counts.texts
            | {
                "subject_kind": constant(subject.kind, rows),
                "metric": constant("first_look_accuracy", rows),
                "reference_kind": constant("", rows),
            },
            method=np.where(speaks, JACKKNIFE, WILSON_EFFECTIVE),
            estimate=share,
            low=np.where(speaks, both.low, careful.low),
            high=np.where(speaks, both.high, careful.high),
            n_items=counts.items,
            n_ratings=n,
            reason=np.full(rows, NO_REASON),
        )


def leaks(table: Table, *, windows: Windows, subject: Subject) -> Iterator[Figures]:
    """How much better and faster annotators are when they see a known answer again, beside their own first look.

    Items that come back, and people who see them, differ from the rest; the pairs of one annotator and item don't.
    What pairs cannot take out is that people learn in the meantime.
    """
    every = np.ones(table.keys, dtype=np.bool_)
    names = ("unit_count", "first_right", "again_right", "changed", "timed", "first_ms", "again_ms")
    measures = {name: Measure(name, every) for name in names}
    for counts in replicate_counts(table, windows=windows, subject=subject, measures=measures):
        n = counts.without_each("unit_count")
        yield contrast(
            counts,
            "leak_accuracy_gain",
            statistics=divide(counts.without_each("again_right") - counts.without_each("first_right"), n),
            units="unit_count",
            speaks=_speaks(counts, "unit_count", "changed"),
            reason=too_few(n[0]),
            back=_difference,
        )
        first, again = counts.without_each("first_ms"), counts.without_each("again_ms")
        timed = counts.total("timed")
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(again) - np.log(first)
        yield contrast(
            counts,
            "leak_speed_up",
            statistics=logs,
            units="timed",
            speaks=may_speak(timed, timed, counts.degrees("timed") + 1),
            reason=np.where(timed > 0, too_few(timed), REASONS.index("no_data")),
            back=_speed_up,
        )


def guideline_gap(table: Table, *, windows: Windows, subject: Subject) -> Iterator[Figures]:
    """First looks: accuracy where guideline and known answer go together, minus accuracy where they don't."""
    is_first, is_right = table.texts["look"].equal("first"), table.texts["outcome"].equal("right")
    is_other = table.texts["guideline"].equal("other")
    keys = {
        "n": is_first,
        "same": is_first & ~is_other,
        "same_right": is_first & ~is_other & is_right,
        "other": is_first & is_other,
        "other_right": is_first & is_other & is_right,
    }
    measures = {name: Measure("unit_count", chosen) for name, chosen in keys.items()}
    for counts in replicate_counts(table, windows=windows, subject=subject, measures=measures):
        same, other = counts.total("same"), counts.total("other")
        shares = [divide(counts.without_each(f"{side}_right"), counts.without_each(side)) for side in ("same", "other")]
        compared = (same > 0) & (other > 0)
        yield contrast(
            counts,
            "other_guideline_accuracy_gap",
            statistics=shares[0] - shares[1],
            units="n",
            speaks=_speaks(counts, "same", "same_right") & _speaks(counts, "other", "other_right"),
            reason=np.where(compared, too_few(np.minimum(same, other)), REASONS.index("no_comparison")),
            back=_difference,
        )


def subject_of(table: Table, kind: str) -> Subject:
    """The keys of a table that are about one kind of subject."""
    keys: BoolArray = table.texts["subject_kind"].equal(kind)
    return Subject(kind=kind, keys=keys, name=table.texts["subject"])


def declared_labels(about: Figures, *, labels: dict[str, tuple[str, ...]], metric: str) -> Figures:
    """A row for each declared label of the queue of each row of `about`, none for queue ALL; the numbers mean nothing.

    `labels` are the codes of each queue.
    """
    queue = about.texts["queue"]
    codes = tuple(sorted(set().union(*labels.values())))
    place = {code: index for index, code in enumerate(codes)}
    rows, values = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    for name, own in labels.items():
        chosen = np.flatnonzero(queue.equal(name))
        rows.append(np.repeat(chosen, len(own)))
        values.append(np.tile(np.array([place[code] for code in own], dtype=np.int64), len(chosen)))
    picked = about.where(np.concatenate(rows))
    n = len(picked.window)
    return picked.with_texts(
        subject=Codes(values=np.concatenate(values), names=codes),
        subject_kind=constant("label", n),
        metric=constant(metric, n),
    )


def _speaks(counts: Counts, units: str, events: str) -> BoolArray:
    yes, all_ = counts.values[events], counts.values[units]
    rarer, spread = rarer_outcome(yes, all_ - yes)
    return may_speak(counts.total(units), rarer, spread)


def _difference(found: Interval) -> Interval:
    """An interval of a difference of two shares, which lies between -1 and 1."""
    return Interval(low=np.maximum(found.low, -1.0), high=np.minimum(found.high, 1.0))


def _speed_up(found: Interval) -> Interval:
    """From the logarithm of a ratio of means to 1 minus the ratio."""
    low: FloatArray = -np.expm1(found.high)
    high: FloatArray = -np.expm1(found.low)
    return Interval(low=low, high=high)
