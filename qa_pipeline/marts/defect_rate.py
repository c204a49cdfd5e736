"""`marts.defect_rate`: the share of randomly reviewed decisions with a defect, by severity and error category.

What a defect is and what it counts belongs here; the intervals are `rates`, the correction for QA's own errors
`corrected_defects`.
"""

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np

from qa_pipeline.contracts import ERROR_CATEGORIES, SEVERITIES
from qa_pipeline.marts import corrected_defects
from qa_pipeline.marts.differences import completed
from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.rates import RateRules, Score, Subject, rate_figures, share
from qa_pipeline.marts.reading import Table, read_table
from qa_pipeline.marts.records import Figures, WindowedFigures, constant
from qa_pipeline.marts.subjects import annotators, slices
from qa_pipeline.quality_config import SeverityWeights
from qa_pipeline.stats.jackknife import BoolArray
from qa_pipeline.stats.severity import severity_scores
from qa_pipeline.stats.windows import Windows

REFERENCE_KIND = "qa"
# Subjects so few that every window is kept.
ALWAYS = ("rater_kind", "vendor", "model_version")
# Metrics of vendors and model versions for every period; sorts of defects only for the few that annotators have.
EVERY_PERIOD = ("defect_rate", "defects_per_1000_weighted")
_COMMENT = (
    "Share of reviewed decisions with a defect (error_category other than none), on the date of the decision judged. "
    "Random samples alone: targeted reviews and reviews of appeals never enter. defect_rate_<severity> and "
    "defect_rate_<error category> count defects of that sort among the same reviews. defects_per_1000_weighted: "
    "defects per 1,000 decisions, each counted by the weight of its severity in quality.toml. subject_kind: "
    "rater_kind (human, model), vendor, model_version (model@version), annotator; of people also site, content_type, "
    "label (the one that was decided) and guideline_version, of models model_content_type and model_label. Market or "
    "queue ALL weights every review by 1 / inclusion probability, so it speaks of all decisions. n_items and "
    "n_ratings are reviews. Periods: rater_kind has all; vendor and model_version have all of defect_rate, "
    "defects_per_1000_weighted and defect_rate_corrected, else week, all and the newest trailing_28d, as the others "
    "have; annotators have of week the defect_rate alone. Intervals: Wilson on the effective number of the rate "
    "itself, no shorter than exact "
    "bounds for few events, corrected for the share of decisions that was reviewed (where all were, the rate is exact "
    "and the interval that of the process behind it); where weights differ also no shorter than the jackknife (100 "
    "reviews or more, 10 of the rarer outcome, in 8 replicates). defect_rate_corrected (rater_kind, vendor, "
    "model_version): the defect rate of blind reviews (n_items) less what QA's own errors make of it (Rogan and Gladen "
    "1978), by QA's sensitivity and specificity, on labels for people and on predictions for models, from verdicts "
    "dated in the 28 days up to period_end (period all: all verdicts). Market x queue is corrected by the errors of QA "
    "in that market and queue alone. Market or queue ALL is the mean of the corrected rates of its parts, weighted by "
    "decisions (the sum of 1 / inclusion probability of the blind reviews, taken as known), clipped to 0 to 1 at the "
    "end, with the interval of Zou and Donner (2008). Its parts are market x queue by its own errors; where these are "
    "not known (no, thin or one-sided arbitration) it borrows those of the same queue over all markets, as in "
    "qa_accuracy, which supposes that QA errs alike in all markets of a queue; in market ALL all markets of such a "
    "queue are then one part. Where not even the queue's errors are known the figure is NULL with the reason of the "
    "heaviest such part. A roll-up of one market x queue repeats its row. A verdict on a decision of the period's last "
    "days may be dated after it: QA is supposed to err then as it did in those 28 "
    "days."
)
MART = Mart(
    name="defect_rate",
    comment=_COMMENT,
    queries=("defect_annotators", "defect_blind", "defect_slices", "qa_verdicts"),
    headline=Headline("rater_kind", "human", "defect_rate", REFERENCE_KIND),
    source=Source("review_counts", "sampling = 'random'"),
)


def defect_rate_figures(
    con: duckdb.DuckDBPyConnection,
    reviews: Table,
    *,
    sql_root: Path,
    windows: Windows,
    few: Windows,
    severity_weights: SeverityWeights,
    verdicts: Table,
) -> WindowedFigures:
    """Figures of marts.defect_rate from `tallies.review_counts`, with the windows that they index.

    `reviews` are the rows of query `defect_slices`, `few` the windows of subjects as many as annotators and `verdicts`
    those of `qa_accuracy.read_verdicts`. Annotators are read by themselves: together with sites and labels there would
    be many more keys.
    """
    people = read_table(con, sql_root=sql_root, name="defect_annotators", parameters={})
    blind = read_table(con, sql_root=sql_root, name="defect_blind", parameters={})
    always = tuple(subject for subject in slices(reviews) if subject.kind in ALWAYS)
    others = tuple(subject for subject in slices(reviews) if subject.kind not in ALWAYS)
    scores, of_people = _scores(reviews, severity_weights), _scores(people, severity_weights)
    headline = {name: scores[name] for name in EVERY_PERIOD}
    everybody = tuple(subject for subject in always if subject.kind == "rater_kind")
    parts = tuple(subject for subject in always if subject.kind != "rater_kind")
    rates = [*_rates(reviews, windows, everybody, scores), *_rates(reviews, windows, parts, headline)]
    sorts = {name: score for name, score in scores.items() if name not in EVERY_PERIOD}
    spans, weeks = few.without_period("week"), few.of_period("week")
    return [
        (windows, rates),
        (windows, _corrected(rates, blind, windows=windows, verdicts=verdicts)),
        (few, _rates(reviews, few, parts, sorts)),
        (few, _rates(reviews, few, others, scores)),
        (spans, _rates(people, spans, annotators(people), of_people)),
        (weeks, _rates(people, weeks, annotators(people), {"defect_rate": of_people["defect_rate"]})),
    ]


def corrected_figures_of(found: WindowedFigures) -> Figures | None:
    """The corrected defect rates among the figures of the mart; None where nothing was reviewed."""
    figures = [
        each for _, group in found for each in group if each.texts["metric"].names == (corrected_defects.METRIC,)
    ]
    return Figures.joined(figures) if figures else None


def _corrected(rates: list[Figures], blind: Table, *, windows: Windows, verdicts: Table) -> list[Figures]:
    """A corrected rate, from `blind` reviews, for every defect rate among `rates`; NULL where no review was blind."""
    plain = [each for each in rates if each.texts["metric"].names == ("defect_rate",)]
    if not plain:
        return []
    like = Figures.joined(plain)
    like = like.with_texts(metric=constant(corrected_defects.METRIC, len(like.window)))
    known = like.where(like.window < 0)
    if blind.keys:
        process = _process_rates(blind, windows, slices(blind))
        known = corrected_defects.corrected_figures(process, windows=windows, verdicts=verdicts)
    return [completed(known, like=like, reason="no_blind_reviews")]


def _is_defect(table: Table) -> BoolArray:
    return ~table.texts["error_category"].equal("none")


def _rules(table: Table, scores: dict[str, Score], *, is_finite: bool) -> RateRules:
    return RateRules(
        scores=scores, references=(constant(REFERENCE_KIND, table.keys),), prefers_wilson=True, is_finite=is_finite
    )


def _rates(table: Table, windows: Windows, subjects: tuple[Subject, ...], scores: dict[str, Score]) -> list[Figures]:
    return rate_figures(table, windows=windows, subjects=subjects, rules=_rules(table, scores, is_finite=True))


def _scores(table: Table, severity_weights: SeverityWeights) -> dict[str, Score]:
    """What each metric is the mean of."""
    category, severity = table.texts["error_category"], table.texts["severity"]
    is_defect = _is_defect(table)
    events = {"defect_rate": is_defect}
    events |= {f"defect_rate_{name}": is_defect & severity.equal(name) for name in SEVERITIES}
    events |= {f"defect_rate_{name}": category.equal(name) for name in ERROR_CATEGORIES if name != "none"}
    scores = {metric: share(is_event) for metric, is_event in events.items()}
    scores["defects_per_1000_weighted"] = _severity_score(table, severity_weights)
    return scores


def _severity_score(table: Table, severity_weights: SeverityWeights) -> Score:
    scores, scale = severity_scores(np.array([0.0, *(getattr(severity_weights, name) for name in SEVERITIES)]))
    is_defect = _is_defect(table)
    of_severity = [is_defect & table.texts["severity"].equal(name) for name in SEVERITIES]
    values = sum((chosen * score for chosen, score in zip(of_severity, scores[1:], strict=True)), np.zeros(table.keys))
    return Score(values=values, scale=scale)


def _process_rates(table: Table, windows: Windows, subjects: tuple[Subject, ...]) -> list[Figures]:
    """Defect rates with the interval of the process behind them, and with weights."""
    rules = _rules(table, {"defect_rate": share(_is_defect(table))}, is_finite=False)
    rules = replace(rules, keeps_weight=True)
    return rate_figures(table, windows=windows, subjects=subjects, rules=rules)
