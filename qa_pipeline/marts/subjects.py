"""Whom rates are about: rater kinds, vendors and model versions, annotators, and slices such as sites or labels.

How a tally's rater columns become subjects belongs here; what is counted about them does not.
"""

from qa_pipeline.marts.rates import Subject
from qa_pipeline.marts.reading import Codes, Table
from qa_pipeline.stats.windows import Windows


def subject_lots(
    table: Table, *, windows: Windows, annotator_windows: Windows
) -> list[tuple[Windows, tuple[Subject, ...]]]:
    """Windows of a mart of rates and whom it is about in each: annotators, being many, have windows of their own."""
    return [(windows, few_subjects(table)), (annotator_windows, annotators(table))]


def few_subjects(table: Table) -> tuple[Subject, ...]:
    """Rater kinds (human, model), vendors of humans and model versions: shown for every period."""
    kind, rater, vendor = _raters(table)
    is_human = kind.equal("human")
    return (
        Subject(kind="rater_kind", keys=is_human | ~is_human, name=kind),
        Subject(kind="vendor", keys=is_human & ~vendor.equal(""), name=vendor),
        Subject(kind="model_version", keys=kind.equal("model"), name=rater),
    )


def annotators(table: Table) -> tuple[Subject, ...]:
    """Annotators: so many that only weeks, all dates and the newest trailing 28 days are kept."""
    kind, rater, _ = _raters(table)
    return (Subject(kind="annotator", keys=kind.equal("human"), name=rater),)


def slices(table: Table) -> tuple[Subject, ...]:
    """The sorts of subject that the query itself tells apart by its columns subject_kind and subject."""
    kind = table.texts["subject_kind"]
    return tuple(Subject(kind=name, keys=kind.equal(name), name=table.texts["subject"]) for name in kind.names)


def _raters(table: Table) -> tuple[Codes, Codes, Codes]:
    return table.texts["rater_kind"], table.texts["rater"], table.texts["vendor"]
