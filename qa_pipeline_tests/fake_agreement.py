"""Made-up rows of the marts behind agreement (see `fake_marts`): who with whom, change, confusion, vitality, habits.

In every queue but `minors`, in which nothing has enough data: `borealis` is below the others and pulls agreement down,
and so does annotator `a1`; the first two labels make up most of the disagreement. In `hate` agreement fell last week
under another guideline; in `spam` it rose; `violence` had no suggestions, `nudity` no calibration session.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from qa_pipeline_tests.fake_draws import BASE_ALPHAS, HOSTILE, QUEUES, fake_verdict

Row = tuple[object, ...]
Ends = tuple[float, float, float]
ANNOTATORS = 14
# Labels, share of disagreement, gain of alpha if they were one.
PAIRS = (("ok", "violating", 0.62, 0.05), ("ok", "unclear", 0.25, -0.02), ("unclear", "violating", 0.13, None))


def agreement_marts(
    *, last: date, markets: Sequence[str], vendors: Sequence[str], versions: Sequence[str], is_hostile: bool
) -> dict[str, list[Row]]:
    """Rows of each mart up to day `last`; those of `agreement` add to what the trends are made of."""
    marts: dict[str, list[Row]] = {
        "agreement": [],
        "agreement_change": [],
        "confusion_pairs": [],
        "rater_vitality": [],
        "self_consistency": [],
        "anchoring": [],
        "calibration": [],
    }
    for market in markets:
        marts["agreement"] += _whoms(last, market, "ALL", vendors=vendors, versions=versions)
    for queue in QUEUES:
        marts["agreement"].append(_whom(last, "CROSS", queue, "pool", "production", BASE_ALPHAS[queue] - 0.05))
        for market in markets:
            cell = (last, market, queue)
            marts["agreement"] += _whoms(*cell, vendors=vendors, versions=versions)
            marts["agreement_change"] += _changes(*cell, vendors=vendors)
            marts["confusion_pairs"] += _confusions(*cell, is_hostile=is_hostile)
            marts["rater_vitality"] += _vitality(*cell, vendors=vendors, is_hostile=is_hostile)
            marts["self_consistency"] += _repeats(*cell, vendors=vendors)
            marts["anchoring"] += _suggestions(*cell, vendors=vendors) if queue != "violence" else []
            marts["calibration"] += _sessions(*cell, vendors=vendors) if queue != "nudity" else []
    return marts


def _row(
    last: date,
    market: str,
    queue: str,
    *,
    about: tuple[str, str],
    metric: str,
    ends: Ends | None,
    days: int = 28,
    reference: str = "",
    n: int = 400,
    reason: str = "too_few_items",
) -> Row:
    period = {28: "trailing_28d", 7: "week", 1: "day"}[days]
    low, estimate, high = ends or (None, None, None)
    if queue == "minors":
        low = estimate = high = None
    given = estimate is not None
    head = (period, last - timedelta(days=days - 1), last, market, queue, *about, metric, reference)
    return (*head, "jackknife" if given else "", estimate, low, high, n, 2 * n, True, None if given else reason)


def _around(value: float, half: float) -> Ends:
    return (value - half, value, value + half)


def _whom(last: date, market: str, queue: str, kind: str, subject: str, value: float) -> Row:
    low, _, high = ends = _around(value, 0.03)
    row = _row(last, market, queue, about=(kind, subject), metric="krippendorff_alpha", ends=ends)
    is_given = queue != "minors"
    return (*row, fake_verdict("krippendorff_alpha", low if is_given else None, high if is_given else None))


def _whoms(last: date, market: str, queue: str, *, vendors: Sequence[str], versions: Sequence[str]) -> Iterator[Row]:
    base = BASE_ALPHAS.get(queue, 0.77)
    for place, vendor in enumerate(vendors):
        yield _whom(last, market, queue, "vendor", vendor, base - (0.15 if place == 1 else -0.03))
    for place, version in enumerate(versions):
        yield _whom(last, market, queue, "model_version", version, base - 0.02 * place)
    yield _whom(last, market, queue, "pool", "model", base + 0.05)


def _changes(last: date, market: str, queue: str, *, vendors: Sequence[str]) -> Iterator[Row]:
    monday = last - timedelta(days=last.weekday())
    for week, values in ((monday, {"hate": -0.09, "spam": 0.06}), (monday - timedelta(days=7), {"hate": 0.2})):
        for kind, subject in (("pool", "production"), *(("vendor", vendor) for vendor in vendors)):
            yield _row(
                week + timedelta(days=6),
                market,
                queue,
                about=(kind, subject),
                metric="change_krippendorff_alpha",
                ends=_around(values.get(queue, 0.01) if subject != vendors[0] else 0.0, 0.04),
                days=7,
                reference="other_guideline" if queue == "hate" else "same_guideline",
                reason="no_baseline",
            )


def _confusions(last: date, market: str, queue: str, *, is_hostile: bool) -> Iterator[Row]:
    for one, other, share, gain in PAIRS:
        name = f"{one} / {HOSTILE['label'] if is_hostile and other == 'violating' else other}"
        about, cell = ("label_pair", name), (last, market, queue)
        yield _row(*cell, about=about, metric="share_of_disagreement", ends=_around(share, 0.05))
        ends = None if gain is None else _around(gain, 0.01)
        yield _row(*cell, about=about, metric="alpha_gain_if_merged", ends=ends, reason="too_few_disagreements")


def _vitality(last: date, market: str, queue: str, *, vendors: Sequence[str], is_hostile: bool) -> Iterator[Row]:
    about = [("vendor", vendor) for vendor in vendors] + [("annotator", f"a{n}") for n in range(ANNOTATORS)]
    if is_hostile:
        about.append(("annotator", HOSTILE["annotator"]))
    for kind, subject in about:
        is_bad = subject in (vendors[1], "a1", HOSTILE["annotator"])
        ends = None if subject == "a2" else _around(-0.03 if is_bad else 0.002, 0.01)
        yield _row(last, market, queue, about=(kind, subject), metric="vitality", ends=ends)


def _repeats(last: date, market: str, queue: str, *, vendors: Sequence[str]) -> Iterator[Row]:
    about = (("rater_kind", "human"), *(("vendor", vendor) for vendor in vendors))
    for each in about:
        ends = _around(0.8 if each[1] == vendors[1] else 0.92, 0.03)
        yield _row(last, market, queue, about=each, metric="self_consistency", ends=ends, n=180)


def _suggestions(last: date, market: str, queue: str, *, vendors: Sequence[str]) -> Iterator[Row]:
    for about in (("rater_kind", "human"), *(("vendor", vendor) for vendor in vendors)):
        cell = (last, market, queue)
        for reference, value in (("shown", 0.9), ("hidden", 0.8)):
            ends = _around(value, 0.02)
            yield _row(*cell, about=about, metric="suggestion_agreement", reference=reference, ends=ends)
        yield _row(*cell, about=about, metric="anchoring", ends=_around(0.1, 0.03))


def _sessions(last: date, market: str, queue: str, *, vendors: Sequence[str]) -> Iterator[Row]:
    for back in (1, 15):
        cell = (last - timedelta(days=back), market, queue)
        for about in (("pool", "production"), *(("vendor", vendor) for vendor in vendors)):
            is_bad = about[1] == vendors[1]
            values = {"before": 0.6, "after": 0.68, "change": -0.07 if is_bad else 0.08 if about[0] == "pool" else 0.0}
            for part, value in values.items():
                metric = f"{part}_krippendorff_alpha"
                yield _row(*cell, about=about, metric=metric, ends=_around(value, 0.05), days=1)
        metric = "session_krippendorff_alpha"
        yield _row(*cell, about=("pool", "calibration"), metric=metric, ends=_around(0.7, 0.1), days=1)
