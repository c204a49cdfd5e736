"""`marts.accuracy`: how often decisions equal the reference, per annotator, vendor, model version, label and kind.

What counts as judged and right belongs here; the intervals are `rates`.
"""

from pathlib import Path

import duckdb

from qa_pipeline.marts.mart import Headline, Mart, Source
from qa_pipeline.marts.rates import RateRules, Subject, rate_figures, share
from qa_pipeline.marts.reading import Table, read_table
from qa_pipeline.marts.records import Figures, constant
from qa_pipeline.marts.subjects import slices, subject_lots
from qa_pipeline.stats.windows import Windows

ANY_REFERENCE = "any"
_COMMENT = (
    "Share of judged decisions that equal the reference, weighted by 1 / inclusion probability of the reference. Each "
    "decision is judged once, by its best reference: gold, else expert, else arbitration, else a blind QA verdict "
    "(random samples alone); reference_kind any takes all of them. subject_kind: rater_kind (human, model), vendor, "
    "model_version (model@version), annotator, label (decisions of people by the label that the reference has, so it "
    "is their recall of it) and model_label (of models). A multi-select decision is right when the whole set is. "
    "Market or queue ALL adds the weights up. n_items and n_ratings are judged decisions. Annotators and labels have "
    "the periods week, all and the newest trailing_28d only. Intervals: jackknife with 100 decisions or more, 10 of "
    "the rarer outcome, in 8 replicates, and never shorter than Wilson on the effective number of the rate itself or "
    "exact bounds for few events."
)
MART = Mart(
    name="accuracy",
    comment=_COMMENT,
    queries=("accuracy_outcomes", "accuracy_labels"),
    headline=Headline("rater_kind", "human", "accuracy", ANY_REFERENCE),
    source=Source("outcome_counts"),
)


def accuracy_figures(
    con: duckdb.DuckDBPyConnection, *, sql_root: Path, windows: Windows, annotator_windows: Windows
) -> list[tuple[Windows, list[Figures]]]:
    """Figures of marts.accuracy from `tallies.outcome_counts`, with the windows that they index.

    The tally is read twice: with the reference's label in the keys of annotators there would be many more of them.
    """
    raters = read_table(con, sql_root=sql_root, name="accuracy_outcomes", parameters={})
    labels = read_table(con, sql_root=sql_root, name="accuracy_labels", parameters={})
    lots = subject_lots(raters, windows=windows, annotator_windows=annotator_windows)
    return [
        *((over, _rates(raters, over, subjects)) for over, subjects in lots),
        (annotator_windows, _rates(labels, annotator_windows, slices(labels))),
    ]


def _rates(table: Table, windows: Windows, subjects: tuple[Subject, ...]) -> list[Figures]:
    rules = RateRules(
        scores={"accuracy": share(table.texts["outcome"].equal("right"))},
        references=(table.texts["reference_kind"], constant(ANY_REFERENCE, table.keys)),
        prefers_wilson=False,
        is_finite=False,
    )
    return rate_figures(table, windows=windows, subjects=subjects, rules=rules)
