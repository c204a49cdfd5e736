"""Draws the numbers of the made-up marts (see `fake_marts`): seeded daily sums of every cell, rolled up into rows."""

import json
import math
from collections.abc import Callable, Iterable
from datetime import date, timedelta

import numpy as np

from qa_pipeline.marts.reading import coded
from qa_pipeline.marts.verdicts import verdicts

FIRST_DAY = date(2026, 9, 21)
MARKETS = {"BR": "Brazil", "ID": "Indonesia", "JP": "Japan", "DE": "Germany", "US": "United States"}
QUEUES = {"hate": "Hate speech", "spam": "Spam", "minors": "Minor safety", "nudity": "Nudity", "violence": "Violence"}
VENDORS = ("altavia", "borealis", "cordoba")
VERSIONS = ("guard@2026.1", "judge@v3")
BASE_RATES = {"hate": 0.052, "spam": 0.017, "minors": 0.028, "nudity": 0.024, "violence": 0.034}
BASE_ALPHAS = {"hate": 0.62, "spam": 0.9, "minors": 0.79, "nudity": 0.85, "violence": 0.73}
TARGETS = {"hate": 0.07, "spam": 0.016, "minors": 0.045, "nudity": 0.04, "violence": 0.05}

HOSTILE = {
    "market": "<img src=x onerror=alert(1)>",
    "queue_name": "<b>Hate</b> </script><script>alert(2)</script> & \"q\" 'x'",
    "vendor": "</script><script>alert(3)</script>",
    "version": '@line %{x} <a href="javascript:alert(4)">v{{ 7 * 7 }}</a>',
    "label": "violating</script><a href='javascript:alert(9)'>l</a>",
    "annotator": "<img src=x onerror=alert(10)>",
    "guideline": "<svg onload=alert(5)>",
    "file": "<iframe src=javascript:alert(6)>.csv",
    "message": "<script>alert(7)</script> at line 3",
    "row": '{"label_id": "</td><img src=x onerror=alert(8)>"}',
    "run": "<b>run</b>",
}

Estimator = Callable[[float, float], tuple[float | None, float | None, float | None, str | None]]


def wilson(defects: float, n: float) -> tuple[float | None, float | None, float | None, str | None]:
    """Rate with Wilson's interval, z = 1.96; without any item NULL and the reason."""
    if n <= 0:
        return None, None, None, "no_data"
    rate, z = defects / n, 1.96
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return rate, max(0.0, middle - half), min(1.0, middle + half), None


def coefficient(total: float, n: float) -> tuple[float | None, float | None, float | None, str | None]:
    """Mean coefficient with an interval on the atanh scale; under 100 items no interval, under 10 no estimate."""
    if n < 10:
        return None, None, None, "too_few_items"
    value = min(0.99, total / n)
    if n < 100:
        return value, None, None, "too_few_disagreements"
    half = 2.09 * 1.1 / math.sqrt(n)
    return value, math.tanh(math.atanh(value) - half), math.tanh(math.atanh(value) + half), None


def fake_verdict(metric: str, low: float | None, high: float | None) -> str | None:
    """The verdict that the marts give to such a row."""
    ends = [np.array([np.nan if end is None else end]) for end in (low, high)]
    found = verdicts(coded([metric]), low=ends[0], high=ends[1])
    return None if found.values[0] < 0 else found.names[found.values[0]]


class Draws:
    """Draws daily sums for every cell, then rolls them up into periods and rows."""

    def __init__(self, *, days: int, seed: int, is_hostile: bool) -> None:
        self.days = [FIRST_DAY + timedelta(days=offset) for offset in range(days)]
        self.random = np.random.default_rng(seed)
        self.markets = [*MARKETS, *([HOSTILE["market"]] if is_hostile else [])]
        self.vendors = [*VENDORS[:2], HOSTILE["vendor"]] if is_hostile else list(VENDORS)
        self.versions = [VERSIONS[0], HOSTILE["version"]] if is_hostile else list(VERSIONS)
        self.is_hostile = is_hostile
        self.label_counts: list[tuple[object, ...]] = []
        self.review_counts: list[tuple[object, ...]] = []
        # (mart, subject_kind, subject, metric, reference_kind) -> cell -> (sums, counts) by day
        self.sums: dict[tuple[str, str, str, str, str], dict[tuple[str, str], np.ndarray]] = {}
        for place, market in enumerate(self.markets):
            for queue in QUEUES:
                self._cell(market, queue, size=1.0 / (1 + 0.35 * place))

    def _add(self, series: tuple[str, str, str, str, str], market: str, queue: str, sums: np.ndarray) -> None:
        cells = self.sums.setdefault(series, {})
        for key in {(market, queue), (market, "ALL"), ("ALL", queue), ("ALL", "ALL")}:
            cells[key] = cells.get(key, np.zeros_like(sums)) + sums

    def _cell(self, market: str, queue: str, *, size: float) -> None:
        days = len(self.days)
        is_tiny = (market, queue) == ("JP", "minors")
        weekend = np.array([0.7 if day.weekday() >= 5 else 1.0 for day in self.days])
        human = self.random.poisson(900 * size * weekend * (0.01 if is_tiny else 1.0))
        reviewed = self.random.binomial(human, 0.06)
        rate = np.full(days, BASE_RATES[queue])
        if (market, queue) == ("BR", "hate"):
            rate[min(45, days) :] = 0.13
        if (market, queue) == ("ID", "spam"):
            rate[:] = 0.0185
        for vendor, share, factor in zip(self.vendors, (0.5, 0.2, 0.3), (0.85, 1.9, 0.75), strict=True):
            part = self.random.binomial(reviewed, share)
            wrong = self.random.binomial(part, np.minimum(0.9, rate * factor))
            self._add(
                ("defect_rate", "rater_kind", "human", "defect_rate", "qa"), market, queue, np.stack([wrong, part])
            )
            self._add(("defect_rate", "vendor", vendor, "defect_rate", "qa"), market, queue, np.stack([wrong, part]))
            gold = self.random.binomial(human, 0.02 * share)
            right = self.random.binomial(gold, 1 - np.minimum(0.9, rate * factor * 1.2))
            for kind, have, good in (
                ("qa", part, part - wrong),
                ("gold", gold, right),
                ("any", part + gold, part - wrong + right),
            ):
                self._add(("accuracy", "vendor", vendor, "accuracy", kind), market, queue, np.stack([good, have]))
                self._add(("accuracy", "rater_kind", "human", "accuracy", kind), market, queue, np.stack([good, have]))
        for version, skill in zip(self.versions, (0.93, 0.88), strict=True):
            have = self.random.binomial(human, 0.02)
            good = self.random.binomial(have, skill - BASE_RATES[queue])
            self._add(("accuracy", "model_version", version, "accuracy", "gold"), market, queue, np.stack([good, have]))
            self._add(("accuracy", "rater_kind", "model", "accuracy", "gold"), market, queue, np.stack([good, have]))
        double = self.random.binomial(human, 0.25)
        noise = self.random.normal(0, 0.02, days)
        alpha = np.clip(BASE_ALPHAS[queue] + noise, -0.2, 0.98)
        values = {"krippendorff_alpha": alpha, "percent_agreement": np.clip(0.5 + alpha / 2, 0, 1)}
        values |= {"gwet_ac1": np.clip(alpha + 0.12, 0, 0.99), "fleiss_kappa": alpha - 0.01}
        for metric, value in values.items():
            self._add(
                ("agreement", "pool", "production", metric, ""), market, queue, np.stack([value * double, double])
            )
        self._tallies(market, queue, human=human, reviewed=reviewed)

    def _tallies(self, market: str, queue: str, *, human: np.ndarray, reviewed: np.ndarray) -> None:
        newer = HOSTILE["guideline"] if self.is_hostile else "2026.2"
        for place, day in enumerate(self.days):
            guideline = newer if queue == "hate" and place >= 30 else "2026.1"
            head = (day, market, queue, place % 20)
            self.label_counts.append((*head, "human", self.vendors[0], "", "text", guideline, "ok", int(human[place])))
            self.label_counts.append((*head, "model", "", self.versions[0], "text", "", "ok", int(human[place]) * 9))
            self.review_counts.append(
                (
                    *head,
                    "label",
                    "human",
                    "a1",
                    self.vendors[0],
                    "",
                    "ok",
                    "ok",
                    "none",
                    "minor",
                    "random",
                    "text",
                    guideline,
                    int(reviewed[place]),
                    0,
                    0,
                    1_000_000,
                )
            )

    def _periods(self) -> Iterable[tuple[str, date, date, slice]]:
        last = len(self.days) - 1
        for place, day in enumerate(self.days):
            yield "day", day, day, slice(place, place + 1)
            yield "trailing_28d", day - timedelta(days=27), day, slice(max(0, place - 27), place + 1)
            if day.weekday() == 0:
                yield "week", day, day + timedelta(days=6), slice(place, min(place + 7, last + 1))
        yield "all", self.days[0], self.days[-1], slice(0, last + 1)

    def marts(self) -> dict[str, list[tuple[object, ...]]]:
        """Rows of the four marts."""
        found: dict[str, list[tuple[object, ...]]] = {"agreement": [], "accuracy": [], "defect_rate": []}
        provisional_from = self.days[-1] - timedelta(days=28)
        for (mart, subject_kind, subject, metric, kind), cells in self.sums.items():
            estimator: Estimator = coefficient if mart == "agreement" else wilson
            method = "jackknife" if mart == "agreement" else "wilson"
            for (market, queue), sums in cells.items():
                for period, start, end, where in self._periods():
                    if mart == "accuracy" and period == "day":
                        continue
                    total, n = (float(value) for value in sums[:, where].sum(axis=1))
                    estimate, low, high, reason = estimator(total, n)
                    found[mart].append(
                        (
                            period,
                            start,
                            end,
                            market,
                            queue,
                            subject_kind,
                            subject,
                            metric,
                            kind,
                            method if low is not None else "",
                            estimate,
                            low,
                            high,
                            int(n),
                            int(n),
                            end > provisional_from,
                            reason,
                            *((fake_verdict(metric, low, high),) if mart == "agreement" else ()),
                        )
                    )
        return found | {"drift": self._drift()}

    def _drift(self) -> list[tuple[object, ...]]:
        subjects = [("labels", "human"), *(("predictions", version) for version in self.versions)]
        subjects += [("scores", version) for version in self.versions]
        rows: list[tuple[object, ...]] = []
        for market in (*self.markets, "ALL"):
            for queue in (*QUEUES, "ALL"):
                for kind, subject in subjects:
                    for place, day in enumerate(self.days):
                        head = ("day", day, day, market, queue, kind, subject)
                        tail = ("", "jackknife")
                        if place < 28 or (market, queue) == ("JP", "minors"):
                            reason = "no_baseline" if place < 28 else "too_few_items"
                            rows.append(
                                (
                                    *head,
                                    "psi",
                                    "",
                                    "",
                                    None,
                                    None,
                                    None,
                                    0,
                                    0,
                                    day > self.days[-1] - timedelta(days=28),
                                    reason,
                                )
                            )
                            continue
                        psi = float(self.random.gamma(2.0, 0.008))
                        if (market, queue) == ("BR", "hate") and place >= 45:
                            psi += 0.12 if kind == "scores" else 0.28
                        half = 0.02 + 0.3 * psi
                        rows.append((*head, "psi", *tail, psi, psi - half, psi + half, 900, 1000, True, None))
                        rows.append((*head, "psi_no_drift", "", "", 0.012, None, None, 900, 1000, True, None))
        return rows

    def bookkeeping(self) -> dict[str, list[tuple[object, ...]]]:
        """Rows of ops and quarantine: a late file, a bad one, a blocked date, broken and kept rules."""
        file_name = HOSTILE["file"] if self.is_hostile else "labels-evening.csv"
        message = HOSTILE["message"] if self.is_hostile else "line 7 has 12 values, the header names 14"
        row_json = HOSTILE["row"] if self.is_hostile else json.dumps({"label_id": "l-77", "label": "??"})
        ledger: list[tuple[object, ...]] = []
        rules: list[tuple[object, ...]] = []
        samples: list[tuple[object, ...]] = []
        for place, day in enumerate(self.days):
            bad = int(self.random.poisson(6))
            for feed, landed in (("labels", 16_000), ("predictions", 150_000), ("reviews", 1_000)):
                out = bad if feed == "labels" else 0
                ledger.append(
                    (
                        feed,
                        day,
                        f"{feed}-{place}.parquet",
                        "ab",
                        landed * 61,
                        landed,
                        landed - out - 2,
                        out,
                        2,
                        "loaded",
                        "",
                    )
                )
            for rule, action, failed, text in (
                ("LBL-003", "quarantine", bad // 2, "The market is not in markets.toml"),
                ("LBL-005", "quarantine", bad - bad // 2, "The label is not in the queue\u2019s taxonomy"),
                ("LBL-011", "quarantine", 0, "handle_seconds is below 0 or above 86400"),
                ("LBL-021", "warn", place % 9, "The annotator is not on the roster in force"),
                ("REV-020", "quarantine", 0, "The reviewer judged their own decision"),
            ):
                feed = "reviews" if rule.startswith("REV") else "labels"
                rules.append((feed, day, "validated", rule, action, "major", text, 16_000, failed, failed == 0, ""))
            if bad:
                samples.append(
                    ("labels", day, file_name, 17 + place, place, "validated", ["LBL-003", "LBL-005"], row_json)
                )
        ledger.append(("labels", self.days[-1], file_name, "cd", 0, 0, 0, 0, 0, "quarantined", message))
        held = "PRD-090: 61% of 150,000 rows have no item_id. Deliver the file again."
        return {
            "ops.ledger": ledger,
            "ops.rule_results": rules,
            "ops.partitions": [
                ("labels", self.days[-1], "f", "loaded", ""),
                (
                    "predictions",
                    self.days[max(0, len(self.days) - 2)],
                    "f",
                    "blocked",
                    HOSTILE["message"] if self.is_hostile else held,
                ),
            ],
            "quarantine.quarantined_files": [("labels", self.days[-1], file_name, "FIL-001", message, 0)],
            "quarantine.quarantined_rows": samples,
        }
