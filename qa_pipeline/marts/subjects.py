"""Whom rates are about: rater kinds, vendors and model versions, annotators, and slices such as sites or labels.

How a tally's rater columns become subjects belongs here; what is counted about them does not.
"""

from qa_pipeline.marts.rates import Subject
from qa_pipeline.marts.reading import Table
from qa_pipeline.stats.windows import Windows


def subject_lots(
    table: Table, *, windows: Windows, annotator_windows: Windows
) -> list[tuple[Windows, tuple[Subject, ...]]]:
    """Windows of a mart of rates and whom it is about in each: annotators, being many, have windows of their own."""
    return [(windows, few_subjects(table)), (annotator_windows, annotators(table))]


def few_subjects(table: Table) -> tuple[Subject, ...]:
    """Rater kinds (human, model), vendors of humans and model versions: shown for every period."""
    kind, rater, vendor = (table.texts[name] for name in ("rater_kind", "rater", "vendor"))
    is_human = kind.equal("human")
    return (
        Subject(kind="rater_kind", keys=is_human | ~is_human, name=kind),
        Subject(kind="vendor", keys=is_human & ~vendor.equal(""), name=vendor),
        Subject(kind="model_version", keys=kind.equal("model"), name=rater),
    )


def annotators(table: Table) -> tuple[Subject, ...]:
    """Annotators: so many that only weeks, all dates and the newest trailing 28 days are kept."""
    return (Subject(kind="annotator", keys=table.texts["rater_kind"].equal("human"), name=table.texts["rater"]),)


def slices(table: Table) -> tuple[Subject, ...]:
    """The sorts of subject that the query itself tells apart by its columns subject_kind and subject."""
    return tuple(slice_of(table, kind) for kind in table.texts["subject_kind"].names)


def slice_of(table: Table, kind: str) -> Subject:
    """One of these sorts of subject."""
    return Subject(kind=kind, keys=table.texts["subject_kind"].equal(kind), name=table.texts["subject"])
