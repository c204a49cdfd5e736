"""`marts.accuracy`: how often decisions equal the reference, per annotator, vendor, model version and rater kind.

What counts as judged and right belongs here; the intervals are `rates`.
"""

from pathlib import Path

import duckdb

from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.rates import RateRules, rate_figures
from qa_pipeline.marts.reading import read_table
from qa_pipeline.marts.records import Figures, constant
from qa_pipeline.marts.subjects import subject_lots
from qa_pipeline.stats.windows import Windows

ANY_REFERENCE = "any"
_COMMENT = (
    "Share of judged decisions that equal the reference, weighted by 1 / inclusion probability of the reference. Each "
    "decision is judged once, by its best reference: gold, else expert, else arbitration, else a blind QA verdict "
    "(random samples alone); reference_kind any takes all of them. subject_kind: rater_kind (human, model), vendor, "
    "model_version (model@version), annotator. A multi-select decision is right when the whole set is. Market or queue "
    "ALL adds the weights up. n_items and n_ratings are judged decisions. Annotators have the periods week, all and "
    "the newest trailing_28d only. Intervals: jackknife with 100 decisions or more, 10 of the rarer outcome, in 8 "
    "replicates, and never shorter than Wilson on the effective number of the rate itself or exact bounds for few "
    "events."
)
MART = Mart(
    name="accuracy",
    comment=_COMMENT,
    queries=("accuracy_outcomes",),
    headline=Headline("rater_kind", "human", "accuracy", ANY_REFERENCE),
    source=Source("outcome_counts"),
)


def accuracy_figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, windows: Windows, annotator_windows: Windows
) -> list[tuple[Windows, list[Figures]]]:
    """Figures of marts.accuracy from `tallies.outcome_counts`, with the windows that they index."""
    table = read_table(con, sql_root=sql_root, name="accuracy_outcomes", parameters={})
    rules = RateRules(
        events={"accuracy": table.texts["outcome"].equal("right")},
        references=(table.texts["reference_kind"], constant(ANY_REFERENCE, table.keys)),
        prefers_wilson=False,
        is_finite=False,
    )
    return [
        (over, rate_figures(table, windows=over, subjects=subjects, rules=rules))
        for over, subjects in subject_lots(table, windows=windows, annotator_windows=annotator_windows)
    ]
