"""One plain recommended action for each signal, made from the numbers and nothing else.

Words and what they are worked out from belong here; which points are signals is `signals`.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qa_pipeline.marts.cells import ALL, Rows
from qa_pipeline.marts.control_series import Series
from qa_pipeline.marts.control_tests import RULES, Control
from qa_pipeline.marts.reading import Table
from qa_pipeline.marts.sampling_plans import PER_UNIT
from qa_pipeline.stats.jackknife import FloatArray, IntArray

# More names than this are a list, not an action.
_NAMED = 3
_NOTES = {
    "nelson_2": "nine days or more in a row {side} the baseline's rate",
    "nelson_3": "six days or more in a row {trend}",
    "nelson_4": "fourteen days or more in a row up and down by turns",
}


@dataclass(frozen=True)
class Signal:
    """A signal: indices of day and series, its rule, 1 worse or -1 better, first changed day (-1), rate since (NaN)."""

    day: int
    column: int
    rule: str
    direction: int
    changed: int
    share: float


def actions(signals: Sequence[Signal], *, series: Series, control: Control, defects: Table) -> list[str]:
    """The action of each signal; `defects` is `sql/marts/control_defects.sql`."""
    words = _Words(series=series, control=control, risen=_Risen(series, control, defects=defects))
    return [words.action(signal) for signal in signals]


class _Risen:
    """Which sort of defect rose most in a series since a day, against its baseline."""

    def __init__(self, series: Series, control: Control, *, defects: Table) -> None:
        self._series, self._control, self._defects = series, control, defects
        order = np.argsort(defects.key, kind="stable")
        key = defects.key[order].astype(np.int64)
        self._rows = Rows(
            slot=np.searchsorted(series.dates, defects.dates[order]),
            replicate=np.zeros(len(order), dtype=np.int64),
            key=key,
            numbers={"weight": defects.numbers["weight"][order] / PER_UNIT},
            bounds=np.searchsorted(key, np.arange(defects.keys + 1)),
        )
        texts = defects.texts
        self._category = texts["error_category"]
        pairs = [
            (texts["label"].names[label], texts["verdict_label"].names[verdict])
            for label, verdict in zip(texts["label"].values, texts["verdict_label"].values, strict=True)
        ]
        self._pairs = sorted(set(pairs))
        place = {pair: index for index, pair in enumerate(self._pairs)}
        self._pair = np.array([place[pair] for pair in pairs], dtype=np.int64)
        self._own: dict[int, tuple[IntArray, Rows]] = {}

    def sort(self, column: int, *, since: int, until: int) -> str:
        """The error category, and its labels, that rose most from day `since` to `until`; empty where none did."""
        keys, rows = self._of_series(column)
        if not len(rows.slot):
            return ""
        weight = rows.numbers["weight"]
        reviewed = self._series.measures["weight"][:, column]
        baseline = self._control.baseline[:, column]
        within = (rows.slot >= since) & (rows.slot <= until)
        # What each defect adds to the rate since the change, less what it adds to that of the baseline.
        rise = (
            within * weight / reviewed[since : until + 1].sum()
            - baseline[rows.slot] * weight / reviewed[baseline].sum()
        )
        category = self._category.values[keys][rows.key]
        top, by = _greatest(category, rise)
        if by <= 0:
            return ""
        name = self._category.names[top].replace("_", " ") + " defects"
        own = category == top
        pair, by = _greatest(self._pair[keys][rows.key][own], rise[own])
        label, verdict = self._pairs[pair]
        if by <= 0 or label == verdict or not verdict:
            return name
        return f'{name}, most of all "{label}" where the review says "{verdict}",'

    def _of_series(self, column: int) -> tuple[IntArray, Rows]:
        if column not in self._own:
            names = {name: codes.names[codes.values[column]] for name, codes in self._series.texts.items()}
            texts = self._defects.texts
            field = {"rater_kind": "rater_kind", "vendor": "vendor"}.get(names["subject_kind"], "rater")
            kind = {"rater_kind": names["subject"], "model_version": "model"}.get(names["subject_kind"], "human")
            own = texts[field].equal(names["subject"]) & texts["rater_kind"].equal(kind)
            for name in ("market", "queue"):
                if names[name] != ALL:
                    own &= texts[name].equal(names[name])
            keys = np.flatnonzero(own)
            self._own[column] = keys, self._rows.of_keys(keys)
        return self._own[column]


def _greatest(group: IntArray, values: FloatArray) -> tuple[int, float]:
    sums = np.bincount(group, weights=values)
    top = int(np.argmax(sums))
    return top, float(sums[top])


class _Words:
    """Turns signals into sentences."""

    def __init__(self, *, series: Series, control: Control, risen: _Risen) -> None:
        self._series, self._control, self._risen = series, control, risen
        texts = series.texts
        self._texts = {name: [codes.names[value] for value in codes.values] for name, codes in texts.items()}
        self._vendors: dict[tuple[str, str], list[int]] = defaultdict(list)
        for column in np.flatnonzero(texts["subject_kind"].equal("vendor")).tolist():
            self._vendors[self._place(column)].append(column)

    def action(self, signal: Signal) -> str:
        """One or two sentences: what to do, and the numbers behind it."""
        if signal.rule not in RULES:
            return self._note(signal)
        if signal.direction < 0:
            return (
                f"Nothing to mend, the rate fell: {self._numbers(signal)}. Make sure that QA still finds what it "
                "should, with known answers or a second review."
            )
        advice = f"{self._advice(signal)}: {self._numbers(signal)}."
        back = self._back(signal)
        if not back:
            return advice
        return (
            f"Confirm first, with more reviews, that it goes on: {back} moving average still alarms, but its own point "
            f"of {self._series.dates[signal.day]} is back within its limits. If it goes on: {advice}"
        )

    def _back(self, signal: Signal) -> str:
        """Whose moving average alarms after its own point is back: the series' own, or the one vendor's it names."""
        if signal.rule == "ewma" and self._control.is_back(signal.day, signal.column, since=signal.changed):
            return "the"
        vendors = self._alarming_vendors(signal) if self._texts["subject"][signal.column] == "human" else []
        if len(vendors) != 1 or self._control.is_alarm["rule_1"][signal.day, vendors[0]]:
            return ""
        is_back = self._control.is_back(signal.day, vendors[0], since=signal.changed)
        return f"{self._texts['subject'][vendors[0]]}'s" if is_back else ""

    def _advice(self, signal: Signal) -> str:
        kind, who = (self._texts[name][signal.column] for name in ("subject_kind", "subject"))
        where, since = self._where(signal.column), self._since(signal)
        sort = self._sort(signal)
        if kind == "vendor":
            held = f"Hold back {who}'s batches of {where} since {since} for a second review"
            return f"{held} and go through {sort} with them"
        if kind == "annotator":
            return f"Review more of {who}'s decisions since {since} and go through {sort} with them"
        if kind == "model_version":
            return (
                f"Send what {who} decides in {where} to people, review its decisions since {since} and look at {sort}"
            )
        if who == "model":
            return f"Send what models decide in {where} to people, review decisions since {since} and look at {sort}"
        return self._of_people(signal, sort)

    def _of_people(self, signal: Signal, sort: str) -> str:
        where, since = self._where(signal.column), self._since(signal)
        vendors = [self._texts["subject"][column] for column in self._alarming_vendors(signal)]
        if len(vendors) == 1:
            return (
                f"Hold back {vendors[0]}'s batches of {where} since {since} for a second review and go through {sort} "
                "with them; no other vendor's own chart alarms"
            )
        if vendors:
            more = " and others" if len(vendors) > _NAMED else ""
            named = ", ".join(vendors[:_NAMED])
            return f"Begin with {named}{more}, whose own charts of {where} alarm too, and go through {sort} with them"
        return (
            f"Ask what changed for everybody in {where} around {since} (guideline, tools, mix of items), as no "
            f"vendor's own chart alarms, and go through {sort} in a calibration session"
        )

    def _alarming_vendors(self, signal: Signal) -> list[int]:
        """Series of the vendors whose own chart of the same market and queue alarms as worse that day, surest first."""
        found = []
        for column in self._vendors[self._place(signal.column)]:
            p_values = [
                float(self._control.adjusted[rule][signal.day, column])
                for rule in RULES
                if self._control.is_alarm[rule][signal.day, column]
                and self._control.judgement(rule).direction[signal.day, column] > 0
            ]
            if p_values:
                found.append((min(p_values), self._texts["subject"][column], column))
        return [column for _, _, column in sorted(found)]

    def _note(self, signal: Signal) -> str:
        words = _NOTES[signal.rule].format(
            side="above" if signal.direction > 0 else "below", trend="rising" if signal.direction > 0 else "falling"
        )
        who, where = self._texts["subject"][signal.column], self._where(signal.column)
        if signal.rule == "nelson_4":
            return f"A note, no alarm: see whether reviewers or shifts of {who} in {where} take turns; {words}."
        return f"A note, no alarm: watch {who} in {where}; {words}."

    def _sort(self, signal: Signal) -> str:
        since = signal.day if signal.changed < 0 else signal.changed
        return self._risen.sort(signal.column, since=since, until=signal.day) or "the defects"

    def _numbers(self, signal: Signal) -> str:
        rate = float(self._series.rate[signal.day, signal.column])
        if signal.changed >= 0:
            now = f"{signal.share:.1%} of reviews had a defect since {self._since(signal)}"
        else:
            now = f"{rate:.1%} of reviews had a defect that day"
        return f"{now}, {float(self._control.fitted.share[signal.column]):.1%} in the baseline"

    def _since(self, signal: Signal) -> str:
        return str(self._series.dates[signal.day if signal.changed < 0 else signal.changed])

    def _place(self, column: int) -> tuple[str, str]:
        return self._texts["market"][column], self._texts["queue"][column]

    def _where(self, column: int) -> str:
        market, queue = self._place(column)
        return f"{'all queues' if queue == ALL else queue} in {'all markets' if market == ALL else market}"
