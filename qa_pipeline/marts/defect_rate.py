"""`marts.defect_rate`: the share of randomly reviewed decisions with a defect, by severity and error category.

What a defect is belongs here; the intervals are `rates`.
"""

from pathlib import Path

import duckdb

from qa_pipeline.contracts import ERROR_CATEGORIES, SEVERITIES
from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.rates import RateRules, rate_figures
from qa_pipeline.marts.reading import read_table
from qa_pipeline.marts.records import Figures, constant
from qa_pipeline.marts.subjects import subject_lots
from qa_pipeline.stats.windows import Windows

REFERENCE_KIND = "qa"
_COMMENT = (
    "Share of reviewed decisions with a defect (error_category other than none), on the date of the decision judged. "
    "Random samples alone: targeted reviews and reviews of appeals never enter. defect_rate_<severity> and "
    "defect_rate_<error category> count defects of that sort among the same reviews. subject_kind: rater_kind (human, "
    "model), vendor, model_version (model@version), annotator. Market or queue ALL weights every review by 1 / "
    "inclusion probability, so it speaks of all decisions. n_items and n_ratings are reviews. Annotators have the "
    "periods week, all and the newest trailing_28d only. Intervals: Wilson on the effective number of the rate itself, "
    "no shorter than exact bounds for few events, corrected for the share of decisions that was reviewed (where all "
    "were, the rate is exact and the interval that of the process behind it); where weights differ also no shorter "
    "than the jackknife (100 reviews or more, 10 of the rarer outcome, in 8 replicates)."
)
MART = Mart(
    name="defect_rate",
    comment=_COMMENT,
    queries=("defect_reviews",),
    headline=Headline("rater_kind", "human", "defect_rate", REFERENCE_KIND),
    source=Source("review_counts", "sampling = 'random'"),
)


def defect_rate_figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, windows: Windows, annotator_windows: Windows
) -> list[tuple[Windows, list[Figures]]]:
    """Figures of marts.defect_rate from `tallies.review_counts`, with the windows that they index."""
    table = read_table(con, sql_root=sql_root, name="defect_reviews", parameters={})
    category, severity = table.texts["error_category"], table.texts["severity"]
    is_defect = ~category.equal("none")
    events = {"defect_rate": is_defect}
    events |= {f"defect_rate_{name}": is_defect & severity.equal(name) for name in SEVERITIES}
    events |= {f"defect_rate_{name}": category.equal(name) for name in ERROR_CATEGORIES if name != "none"}
    rules = RateRules(
        events=events, references=(constant(REFERENCE_KIND, table.keys),), prefers_wilson=True, is_finite=True
    )
    return [
        (over, rate_figures(table, windows=over, subjects=subjects, rules=rules))
        for over, subjects in subject_lots(table, windows=windows, annotator_windows=annotator_windows)
    ]
