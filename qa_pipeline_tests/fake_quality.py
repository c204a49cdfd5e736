"""Made-up rows of the marts about control, gold, QA and lots (see `fake_marts`), from the daily defects of the draws.

BR/hate is worse from day 45 on, and its vendor `borealis` with it; nothing else changed. `minors` has no baseline yet.
Limits and alarms are those of the product's own statistics, so that a chart looks as it will; whether a chart is a
p-chart or a g-chart is set by queue.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import numpy as np

from qa_pipeline.contracts import ERROR_CATEGORIES, SEVERITIES
from qa_pipeline.stats.acceptance_risk import error_consequences, quality_at
from qa_pipeline.stats.control import (
    Baseline,
    Judgement,
    fit_baseline,
    is_opening_complete,
    judged_days,
    opening_baseline,
    p_limits,
    rule_one,
)
from qa_pipeline.stats.control_ewma import ewma
from qa_pipeline.stats.control_patterns import nelson_patterns, step_change
from qa_pipeline.stats.control_rare import g_chart
from qa_pipeline.stats.false_discovery import adjusted
from qa_pipeline.stats.funnel import MIN_REVIEWS
from qa_pipeline.stats.jackknife import FloatArray
from qa_pipeline_tests.fake_draws import BASE_RATES, HOSTILE, QUEUES, Draws, wilson

Row = tuple[object, ...]
BASELINE_DAYS = 28
P_CHARTS = ("hate", "violence")
ACTIONS = {
    "worse": "Look at the newest defects of {name}, the commonest error type first, and calibrate on them.",
    "better": "Find out what changed for {name} and keep it; set a new baseline if it stays.",
}
EXTRA = {
    "control_chart": "phase varchar, centre double, lower_limit double, upper_limit double, p_value double, "
    "p_adjusted double, direction varchar, is_alarm boolean, patterns varchar, "
    "baseline_days bigint",
    "signals": "is_alarm boolean, direction varchar, p_value double, p_adjusted double, centre double, "
    "change_date date, change_from date, change_to date, rate_since double, action varchar",
    "vendor_funnel": "effective_n double, centre double, limit_95_low double, limit_95_high double, "
    "limit_998_low double, limit_998_high double, overdispersion double, position varchar",
    "gold_health": "alternative_label varchar, suspected boolean",
    "lot_decisions": "vendor varchar, inspection varchar, code_letter varchar, lot_size bigint, sample_size bigint, "
    "accept_number bigint, reviewed bigint, sampled bigint, defects bigint, sample_defects bigint, decision varchar, "
    "sequential_decision varchar, decision_reason varchar, "
    "producer_risk double, consumer_risk double, needless_reviews double, passed_defects double, "
    "quality_accepted_95 double, quality_accepted_50 double, quality_accepted_10 double",
}


def quality_marts(draws: Draws) -> dict[str, list[Row]]:
    """Rows of each mart up to the last day of the draws."""
    marts: dict[str, list[Row]] = {"defect_rate": [], "accuracy": [], "qa_accuracy": []}
    marts |= {name: [] for name in EXTRA}
    for market in draws.markets:
        for queue in QUEUES:
            cell = (draws.days, market, queue)
            marts["control_chart"] += _control(draws, market, queue, marts["signals"])
            marts["defect_rate"] += _defect_types(*cell)
            marts["accuracy"] += _labels(*cell, is_hostile=draws.is_hostile)
            marts["qa_accuracy"] += _qa(*cell)
            marts["gold_health"] += _gold(*cell, is_hostile=draws.is_hostile)
            marts["lot_decisions"] += _lots(*cell, vendors=draws.vendors)
            marts["vendor_funnel"] += _funnel(draws, market, queue)
    return marts


def _head(day: date, market: str, queue: str, kind: str, subject: str, metric: str, reference: str = "") -> Row:
    return ("day", day, day, market, queue, kind, subject, metric, reference)


def _window(last: date, market: str, queue: str, kind: str, subject: str, metric: str, reference: str = "") -> Row:
    return ("trailing_28d", last - timedelta(days=27), last, market, queue, kind, subject, metric, reference)


def _rate(defects: float, n: float) -> Row:
    """Method, rate, its interval, counts, provisional, reason."""
    value, low, high, reason = wilson(defects, n)
    return ("wilson" if low is not None else "", value, low, high, int(n), int(n), True, reason)


def _float(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _control(draws: Draws, market: str, queue: str, signals: list[Row]) -> Iterator[Row]:
    subjects = [("rater_kind", "human"), *(("vendor", vendor) for vendor in draws.vendors)]
    series = [draws.sums["defect_rate", kind, name, "defect_rate", "qa"][market, queue] for kind, name in subjects]
    defects, reviews = (np.stack([sums[part] for sums in series], axis=1).astype(float) for part in (0, 1))
    if queue == "minors":
        # Reviews have only begun.
        defects[:-9], reviews[:-9] = 0.0, 0.0
    chosen = opening_baseline(reviews, days=BASELINE_DAYS)
    complete = is_opening_complete(reviews, days=BASELINE_DAYS)
    fitted = fit_baseline(defects, reviews, baseline=chosen & complete)
    charts = _charts(defects, reviews, queue=queue, fitted=fitted)
    change = step_change(defects, reviews, judged=judged_days(reviews, fitted=fitted), fitted=fitted)
    rates = np.where(reviews > 0, defects / np.maximum(reviews, 1), np.nan)
    patterns = nelson_patterns(rates, centre=fitted.share)
    for chart, (value, centre, lower, upper, judgement) in charts.items():
        # The real mart adjusts over all charts of a night.
        fair = adjusted(judgement.p_value * 15)
        for place, day in enumerate(draws.days):
            for column, (kind, subject) in enumerate(subjects):
                has_value = np.isfinite(value[place, column])
                if not reviews[place, column] or (chart == "ewma" and not has_value):
                    continue
                phase = "baseline" if chosen[place, column] else "monitored"
                p, p_fair = judgement.p_value[place, column], fair[place, column]
                is_alarm = bool(p_fair < 0.05)
                side = {1: "worse", -1: "better", 0: ""}[int(judgement.direction[place, column])]
                found = (
                    ("nelson_2 above" if patterns.one_side[place, column] > 0 else "")
                    if chart != "ewma" and phase == "monitored"
                    else ""
                )
                n = reviews[place, column]
                figures = (
                    _rate(defects[place, column], n)
                    if chart == "p_chart"
                    else ("", _float(value[place, column]), None, None, int(n), int(n), True, "control_limits")
                )
                extra = (phase, _float(centre[column]), _float(lower[place, column]), _float(upper[place, column]))
                yield (
                    *_head(day, market, queue, kind, subject, chart),
                    *figures,
                    *extra,
                    _float(p),
                    _float(p_fair),
                    side,
                    is_alarm,
                    found,
                    int(chosen[:, column].sum()),
                )
                if is_alarm:
                    dates = (change.day[column], change.earliest[column], change.latest[column])
                    signals.append(
                        (
                            *_head(day, market, queue, kind, subject, "ewma" if chart == "ewma" else "rule_1"),
                            *figures,
                            *(is_alarm, side, _float(p), _float(p_fair), _float(fitted.share[column])),
                            *(draws.days[int(when)] for when in dates),
                            float(change.share[column]),
                            ACTIONS[side].format(name="the queue" if kind == "rater_kind" else f"vendor {subject}"),
                        )
                    )


def _charts(
    defects: FloatArray, reviews: FloatArray, *, queue: str, fitted: Baseline
) -> dict[str, tuple[FloatArray, FloatArray, FloatArray, FloatArray, Judgement]]:
    """Value, centre, limits and judgement of the queue's daily chart and of its moving average."""
    smooth = ewma(defects, reviews, fitted=fitted)
    zero = np.zeros(defects.shape[1])
    charts = {"ewma": (smooth.value, zero, smooth.limits.lower, smooth.limits.upper, smooth.judgement)}
    if queue in P_CHARTS or queue == "minors":
        rates = np.where(reviews > 0, defects / np.maximum(reviews, 1), np.nan)
        limits = p_limits(reviews, fitted=fitted)
        judged = rule_one(defects, reviews, fitted=fitted)
        return {"p_chart": (rates, fitted.share, limits.lower, limits.upper, judged)} | charts
    rare = g_chart(defects, reviews, fitted=fitted)
    return {"g_chart": (rare.value, rare.centre, rare.limits.lower, rare.limits.upper, rare.judgement)} | charts


def _defect_types(days: Sequence[date], market: str, queue: str) -> Iterator[Row]:
    n, rate = (0 if queue == "minors" else 1500), BASE_RATES[queue]
    types = zip([name for name in ERROR_CATEGORIES if name != "none"], (0.18, 0.22, 0.55, 0.05), strict=True)
    severities = zip(SEVERITIES, (0.62, 0.3, 0.08), strict=True)
    for name, share in [*types, *severities]:
        head = _window(days[-1], market, queue, "rater_kind", "human", f"defect_rate_{name}", "qa")
        yield (*head, *_rate(round(n * rate * share), n))
    if n:
        weighted = 1000 * rate * (0.62 + 0.3 * 5 + 0.08 * 10)
        head = _window(days[-1], market, queue, "rater_kind", "human", "defects_per_1000_weighted", "qa")
        yield (*head, "wilson_effective", weighted, weighted * 0.8, weighted * 1.25, n, n, True, None)
    head = _window(days[-1], market, queue, "rater_kind", "human", "defect_rate_corrected", "qa")
    if queue in ("hate", "violence"):
        yield (*head, "variance_recovery", rate * 0.9, rate * 0.6, rate * 1.3, n, n, True, None)
    else:
        yield (*head, "", None, None, None, n, n, True, "no_arbitration")


def _labels(days: Sequence[date], market: str, queue: str, *, is_hostile: bool) -> Iterator[Row]:
    labels = [("ok", 320, 0.96), ("violating", 90, 0.81), (HOSTILE["label"] if is_hostile else "unclear", 12, 0.5)]
    for label, n, recall in labels if queue != "minors" else []:
        head = _window(days[-1], market, queue, "label", label, "accuracy", "gold")
        yield (*head, *_rate(round(n * recall), n))


def _qa(days: Sequence[date], market: str, queue: str) -> Iterator[Row]:
    if queue in ("hate", "violence"):
        for metric, found, n in (("qa_sensitivity", 52, 60), ("qa_specificity", 205, 210), ("qa_confirmed", 52, 57)):
            yield (*_window(days[-1], market, queue, "target_kind", "label", metric), *_rate(found, n))


def _gold(days: Sequence[date], market: str, queue: str, *, is_hostile: bool) -> Iterator[Row]:
    last, none = days[-1], (None, None)
    yield (*_window(last, market, queue, "rater_kind", "human", "gold_share"), *_rate(420, 21_000), *none)
    for label, n in (("ok", 320), ("violating", 88), (HOSTILE["label"] if is_hostile else "unclear", 0)):
        head = _window(last, market, queue, "label", label, "first_look_accuracy")
        yield (*head, *_rate(round(0.9 * n), n), *none)
    leak = (0.06, 0.02, 0.1) if queue == "hate" else (0.01, -0.02, 0.04)
    head = _window(last, market, queue, "rater_kind", "human", "leak_accuracy_gain")
    yield (*head, "difference", *leak, 180, 420, True, None, *none)
    if queue == "hate":
        for item, n, label in ((HOSTILE["file"] if is_hostile else "item-4711", 22, "violating"), ("item-12", 6, "ok")):
            head = _window(last, market, queue, "item", item, "disagreement_with_key", "unclear")
            yield (*head, *_rate(n, 24), label, n > 20)


def _lots(days: Sequence[date], market: str, queue: str, *, vendors: Sequence[str]) -> Iterator[Row]:
    """Three lots a vendor on the newest three days; those of the second vendor have too many defects."""
    if queue in ("minors", "nudity"):
        return
    for back in range(3):
        for place, vendor in enumerate(vendors):
            is_strict = place == 1
            size, n, accept = 480, 50, 4 if is_strict else 5
            reviewed = n if back or place != 2 else 31
            defects = (7 if is_strict else 2 if reviewed == n else 1) + (back == 2 and not is_strict)
            decision = "continue" if reviewed < n else "reject" if defects > accept else "accept"
            plan = {"n": np.array([n]), "accept": np.array([accept])}
            risks = error_consequences(
                **plan, lot_size=np.array([size]), good_share=np.array(0.04), bad_share=np.array(0.1)
            )
            marks = [float(quality_at(np.array(chance), **plan)[0]) for chance in (0.95, 0.5, 0.1)]
            day = days[max(0, len(days) - 1 - back)]
            yield (
                *_head(day, market, queue, "lot", f"{vendor}/batch-{back}{place}", "defect_rate"),
                *_rate(defects, reviewed),
                *(
                    vendor,
                    "tightened" if is_strict else "normal",
                    "H",
                    size,
                    n,
                    accept,
                    reviewed,
                    reviewed,
                    defects,
                    defects,
                ),
                *(decision, "accept" if decision == "continue" else decision, None),
                *(float(value[0]) for value in (risks.producer_risk, risks.consumer_risk, risks.needless_reviews)),
                *(float(risks.passed_defects[0]), *marks),
            )


def _funnel(draws: Draws, market: str, queue: str) -> Iterator[Row]:
    for vendor in draws.vendors:
        defects, n = draws.sums["defect_rate", "vendor", vendor, "defect_rate", "qa"][market, queue][:, -28:].sum(
            axis=1
        )
        centre = BASE_RATES[queue]
        spread = float(np.sqrt(centre * (1 - centre) / max(n, 1)))
        limits = [max(0.0, centre + z * spread) for z in (-1.96, 1.96, -3.09, 3.09)]
        rate = defects / max(n, 1)
        side = "above" if rate > centre else "below"
        far = abs(rate - centre) / spread
        position = f"{side} 99.8 %" if far > 3.09 else f"{side} 95 %" if far > 1.96 else "within"
        if n < MIN_REVIEWS:
            position = ""
        head = _window(draws.days[-1], market, queue, "vendor", vendor, "defect_rate_adjusted", "qa")
        yield (*head, *_rate(float(defects), float(n)), float(n), centre, *limits, 1.0, position)
